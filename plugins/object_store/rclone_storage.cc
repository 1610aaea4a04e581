#include "plugins/object_store/rclone_storage.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/sha.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "agent/base/text.h"
#include "plugins/object_store/base64.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/s3_settings.h"

namespace rad::object_store {
namespace {

constexpr std::chrono::seconds kStartLimit{20};
constexpr std::size_t kMaxListing = std::size_t{64} << 20U;
constexpr std::size_t kMaxTalk = 4096;
constexpr std::string_view kUser = "rad";

/// A file in memory, for a child to read as its descriptor.
Result<UniqueFd> in_memory(const char* name, std::string_view text) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(fd.get(), 0, SEEK_SET) != 0) {
    return fail(Reason::host_unfit, "cannot keep a file in memory");
  }
  return fd;
}

std::string htpasswd(std::string_view password) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(password.data()), password.size(), digest.data());
  return fmt::format("{}:{{SHA}}{}\n", kUser,
                     base64({reinterpret_cast<const char*>(digest.data()), digest.size()}));
}

Error odd_answer(std::string_view what) {
  Error error =
      fail(Reason::storage_unreachable, fmt::format("rclone's answer cannot be used: {}", what));
  error.retryable = true;
  return error;
}

/// An entry of operations/list or the item of operations/stat.
Result<ObjectInfo> parse_entry(const boost::json::value& value) {
  const auto* entry = value.if_object();
  const auto* path = entry != nullptr ? entry->if_contains("Path") : nullptr;
  const auto* size = entry != nullptr ? entry->if_contains("Size") : nullptr;
  const auto* time = entry != nullptr ? entry->if_contains("ModTime") : nullptr;
  if (path == nullptr || !path->is_string() || time == nullptr || !time->is_string()) {
    return odd_answer("an entry without path or time");
  }
  ObjectInfo object;
  object.key = path->get_string();
  const std::string name = printable(object.key, 200);
  if (size == nullptr || !size->is_int64() || size->get_int64() < 0) {
    return odd_answer(fmt::format("'{}' has no size", name));
  }
  object.size = static_cast<std::uint64_t>(size->get_int64());
  const auto modified = parse_time(time->get_string());
  if (!modified) return odd_answer(fmt::format("'{}' has no time that can be read", name));
  object.modified = *modified;
  return object;
}

Result<boost::json::object> parse_object(std::string_view text) {
  boost::system::error_code code;
  boost::json::value value = boost::json::parse(text, code);
  if (code || !value.is_object()) return odd_answer("it is no JSON object");
  return std::move(value.get_object());
}

}  // namespace

std::string without_queries(std::string_view text) {
  std::string out;
  bool query = false;
  for (const char c : text) {
    if (query && (c == ' ' || c == '"' || c == '\n' || c == '\'')) query = false;
    if (!query) out += c;
    if (c == '?' && !query) {
      query = true;
      out += "...";
    }
  }
  return out;
}

/// The process, and what its answers mean.
class RcloneStorage::Daemon final : public HttpService {
 public:
  Daemon(std::string config, const TransportOptions& options)
      : config_(std::move(config)), options_(options), password_(random_hex(32)) {}

  ~Daemon() override {
    child_.reset();  // killed and reaped
    if (listener_.joinable()) listener_.join();
  }

  /// Starts it at the first call. \return "http://127.0.0.1:PORT".
  Result<std::string> base() {
    const std::lock_guard lock(start_mutex_);
    if (!started_) started_ = start();
    return *started_;
  }

  Status sign(HttpRequest& request, std::stop_token /*stop*/) override {
    request.headers.emplace_back("Authorization",
                                 "Basic " + base64(fmt::format("{}:{}", kUser, password_)));
    return {};
  }

  Error judge(const HttpRequest& /*request*/, const HttpResponse& response) const override {
    std::string words;
    if (const auto object = parse_object(response.body)) {
      const auto* error = object->if_contains("error");
      if (error != nullptr && error->is_string()) words = without_queries(error->get_string());
    }
    Error error = error_of_status(response, words);
    error.message.insert(0, "rclone: ");
    // The reason of the storage behind it is in rclone's words alone.
    for (const char* denied : {"AccessDenied", "Forbidden", "permission denied", "status code: 403",
                               "AuthenticationFailed", "InvalidAccessKeyId", "Unauthorized"}) {
      if (words.find(denied) == std::string::npos) continue;
      error.reason = Reason::access_denied;
      error.retryable = false;
    }
    return error;
  }
  bool vouches_for_missing(const HttpResponse& response) const override {
    return response.body.find("object not found") != std::string::npos;
  }

 private:
  /// \return where it listens, or why it does not; it is not tried again in this run.
  Result<std::string> start() {
    RAD_TRY(const UniqueFd config, in_memory("rclone.conf", config_));
    RAD_TRY(const UniqueFd users, in_memory("htpasswd", htpasswd(password_)));
    RAD_TRY(Pipe talk, make_pipe());
    ChildSpec spec;
    spec.program = "rclone";
    spec.args = {"rcd",         "--rc-serve",      "--rc-addr",
                 "127.0.0.1:0", "--rc-htpasswd",   "/proc/self/fd/1",
                 "--config",    "/proc/self/fd/0", "--use-json-log=false",
                 "--cache-dir", "/nonexistent"};
    if (!options_.ca_file.empty()) {
      spec.args.emplace_back("--ca-cert");
      spec.args.push_back(options_.ca_file);
    }
    std::map<std::string, std::string> environment{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                                   {"HOME", "/nonexistent"}};
    if (!options_.proxy.empty()) environment["HTTPS_PROXY"] = options_.proxy;
    spec.environment = environment;
    spec.stdin_fd = config.get();
    spec.stdout_fd = users.get();
    spec.stderr_fd = talk.write_end.get();
    RAD_TRY(ChildProcess child, ChildProcess::start(spec));
    child_.emplace(std::move(child));
    talk.write_end.reset();
    listener_ = std::thread([this, fd = std::move(talk.read_end)] { listen(fd.get()); });
    std::unique_lock lock(mutex_);
    heard_.wait_for(lock, kStartLimit, [this] { return base_ || ended_; });
    if (base_) return *base_;
    Error error = fail(Reason::host_unfit, "rclone did not start to serve",
                       "run rclone with the same configuration by hand");
    error.detail = without_queries(talk_);
    return error;
  }

  /// Takes what it says, so that it never blocks, and the port out of it.
  void listen(int fd) {
    constexpr std::string_view kPlace = "http://127.0.0.1:";
    std::array<char, 4096> buffer{};
    for (;;) {
      const ssize_t got = ::read(fd, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      const std::lock_guard lock(mutex_);
      if (got <= 0) {
        ended_ = true;
        heard_.notify_all();
        return;
      }
      if (talk_.size() < kMaxTalk) talk_.append(buffer.data(), static_cast<std::size_t>(got));
      const auto place = talk_.find(kPlace);
      if (base_ || place == std::string::npos) continue;
      const auto end = talk_.find('/', place + kPlace.size());
      if (end == std::string::npos) continue;
      base_ = talk_.substr(place, end - place);
      heard_.notify_all();
    }
  }

  std::string config_;
  TransportOptions options_;
  std::string password_;
  std::mutex start_mutex_;
  std::optional<Result<std::string>> started_;
  std::optional<ChildProcess> child_;
  std::mutex mutex_;
  std::condition_variable heard_;
  std::optional<std::string> base_;
  std::string talk_;
  bool ended_ = false;
  std::thread listener_;
};

RcloneStorage::RcloneStorage(std::string place, std::string config, const TransportOptions& options)
    : place_(std::move(place)) {
  TransportOptions own = options;
  own.stall =
      std::max(options.stall, options.timeout);  // it says nothing while it asks the storage
  transport_ = HttpTransport::make(own);
  daemon_ = std::make_unique<Daemon>(std::move(config), options);
}

RcloneStorage::~RcloneStorage() = default;

std::string RcloneStorage::describe() const {
  return fmt::format("rclone://{}", place_);
}

Result<std::string> RcloneStorage::ask(std::string_view command, std::string_view remote,
                                       bool recurse, const std::stop_token& stop) {
  HttpRequest request;
  RAD_TRY(request.base, daemon_->base());
  request.method = "POST";
  request.path = fmt::format("/operations/{}", command);
  request.no_proxy = true;
  request.max_answer = kMaxListing;
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = boost::json::serialize(boost::json::object{
      {"fs", place_},
      {"remote", remote},
      {"opt", {{"recurse", recurse}, {"filesOnly", recurse}, {"noMimeType", true}}}});
  RAD_TRY(HttpResponse response, transport_->exchange(request, *daemon_, stop));
  return std::move(response.body);
}

Status RcloneStorage::visit(std::string_view prefix, const ObjectVisitor& visit,
                            std::stop_token stop) {
  const auto slash = prefix.rfind('/');
  const std::string_view folder =
      slash == std::string_view::npos ? std::string_view() : prefix.substr(0, slash);
  auto text = ask("list", folder, true, stop);
  if (!text) {
    Error error = std::move(text).error();
    if (error.reason == Reason::missing_object && !folder.empty()) return {};
    return std::move(error).within(fmt::format("listing '{}'", describe()));
  }
  RAD_TRY(const auto answer, parse_object(*text));
  text->clear();
  const auto* list = answer.if_contains("list");
  if (list == nullptr || (!list->is_array() && !list->is_null())) {
    return odd_answer("it has no list");
  }
  if (list->is_null()) return {};
  for (const auto& entry : list->get_array()) {
    RAD_TRY(const ObjectInfo object, parse_entry(entry));
    if (object.key.starts_with(prefix)) RAD_CHECK(visit(object));
  }
  return {};
}

Result<ObjectInfo> RcloneStorage::stat(std::string_view key) {
  RAD_TRY(const std::string text, ask("stat", key, false, {}));
  RAD_TRY(const auto answer, parse_object(text));
  const auto* item = answer.if_contains("item");
  if (item == nullptr) return odd_answer("it has no item");
  if (item->is_null()) {
    return fail(Reason::missing_object, fmt::format("'{}' does not list it", describe()), {},
                std::string(key));
  }
  return parse_entry(*item);
}

Result<std::unique_ptr<ObjectReader>> RcloneStorage::open(std::string_view key,
                                                          const OpenOptions& options) {
  ObjectRequest request;
  RAD_TRY(request.request.base, daemon_->base());
  request.request.path =
      fmt::format("/{}/{}", percent_encode("[" + place_ + "]", true), percent_encode(key, true));
  request.request.no_proxy = true;
  request.key = key;
  request.options = options;
  request.confirm_missing = [this, name = std::string(key)] { return stat(name); };
  return transport_->open(request, *daemon_);
}

Result<OpenedStorage> open_rclone_storage(std::string_view url, const Variables& variables,
                                          const TransportOptions& options) {
  RAD_TRY(const BucketUrl place, parse_bucket_url(url));
  const std::string path = value_of(variables, "RCLONE_CONFIG");
  if (path.empty()) {
    return fail(Reason::config_invalid, "there is no configuration for rclone",
                "set RCLONE_CONFIG in the envdir to the path of rclone.conf");
  }
  RAD_TRY(std::string config, read_file(path));
  OpenedStorage opened;
  opened.summary.kind = "rclone";
  opened.summary.credentials = fmt::format("remote '{}' of '{}'", place.bucket, path);
  opened.storage = std::make_unique<RcloneStorage>(fmt::format("{}:{}", place.bucket, place.prefix),
                                                   std::move(config), options);
  opened.summary.url = opened.storage->describe();
  return opened;
}

}  // namespace rad::object_store
