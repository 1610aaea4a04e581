#include "plugins/object_store/curl_engine.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

constexpr std::size_t kMaxHeaderBytes = std::size_t{256} << 10U;
constexpr std::size_t kMaxHeaders = 256;
constexpr std::uint64_t kLeastBytesPerSecond = 1024;
constexpr std::chrono::milliseconds kTick{200};
constexpr long kReceiveBuffer = 256L << 10U;

/// Of libcurl, once a process; never cleaned up, since others in the process may use it too.
void init_curl_once() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)done;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool has_line_end(const Fields& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const auto& field) {
    return field.first.find_first_of("\r\n") != std::string::npos ||
           field.second.find_first_of("\r\n") != std::string::npos;
  });
}

Error unreachable(const HttpRequest& request, std::string_view what) {
  const std::string place = request.unix_socket.empty() ? request.base : request.unix_socket;
  Error error = fail(Reason::storage_unreachable, fmt::format("{}: {}", place, what));
  error.retryable = true;
  return error;
}

Error error_of_code(const HttpRequest& request, CURLcode code, std::string_view text,
                    const TransportOptions& options) {
  Error error =
      unreachable(request, printable(text.empty() ? curl_easy_strerror(code) : text, 300));
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      error.hint = options.ca_file.empty()
                       ? "if the service has a certificate of your own authority, set ca_file"
                       : fmt::format("look whether '{}' holds the authority of this service",
                                     options.ca_file);
      error.retryable = false;
      break;
    case CURLE_SSL_CACERT_BADFILE:
      error.reason = Reason::config_invalid;
      error.hint = "ca_file must name a readable PEM file";
      error.retryable = false;
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
      error.message += ": what answers does not speak HTTP";
      error.hint = "check scheme and port of the endpoint";
      break;
    case CURLE_URL_MALFORMAT:
      error.reason = Reason::config_invalid;
      error.hint = "check the endpoint of the storage";
      error.retryable = false;
      break;
    case CURLE_OUT_OF_MEMORY:
      error.reason = Reason::out_of_memory;
      break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      error.hint = "check endpoint, name service, routes and firewalls of this host";
      break;
    case CURLE_COULDNT_RESOLVE_PROXY:
      error.hint = "check the option proxy and the variables https_proxy, http_proxy";
      break;
    default:
      break;
  }
  return error;
}

}  // namespace

struct CurlEngine::Running {
  std::shared_ptr<Transfer> transfer;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  HttpResponse head;
  std::size_t header_bytes = 0;
  bool head_taken = false;
  bool refused = false;
  bool ended = false;
  std::string broken;  ///< why our own callbacks gave up
  std::uint64_t window_bytes = 0;
  SteadyPoint window_start{};
  SteadyPoint started{};
  std::array<char, CURL_ERROR_SIZE> text{};

  ~Running() {
    if (headers != nullptr) curl_slist_free_all(headers);
    if (easy != nullptr) curl_easy_cleanup(easy);
  }

  bool take_head() {
    if (head_taken) return !refused;
    head_taken = true;
    refused = !transfer->taker_->take_head(head);
    return !refused;
  }

  bool add_header(std::string_view line) {
    header_bytes += line.size();
    window_bytes += line.size();
    if (header_bytes > kMaxHeaderBytes) {
      broken = "its answer has more than 256 KiB of headers";
      return false;
    }
    if (line.starts_with("HTTP/")) {
      head = {};
      return true;
    }
    if (trim(line).empty()) {
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      head.status = static_cast<int>(status);
      return status < 200 || take_head();
    }
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && head.headers.size() < kMaxHeaders) {
      head.headers.emplace_back(lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
    }
    return true;
  }

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
    const std::size_t bytes = size * count;
    return static_cast<Running*>(self)->add_header({data, bytes}) ? bytes : 0;
  }

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) {
    auto& running = *static_cast<Running*>(self);
    const std::size_t bytes = size * count;
    running.window_bytes += bytes;
    if (!running.take_head()) return 0;
    running.refused = !running.transfer->taker_->take_body(std::as_bytes(std::span(data, bytes)));
    return running.refused ? 0 : bytes;
  }
};

CurlEngine::CurlEngine(const TransportOptions& options) : options_(options) {}

CurlEngine::~CurlEngine() {
  stopping_.store(true);
  if (multi_ != nullptr) curl_multi_wakeup(multi_);
  if (thread_.joinable()) thread_.join();
  running_.clear();
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

void CurlEngine::start(const std::shared_ptr<Transfer>& transfer) {
  const std::lock_guard lock(mutex_);
  if (multi_ == nullptr) {
    init_curl_once();
    multi_ = curl_multi_init();
    if (multi_ == nullptr) {
      transfer->taker_->end({.error = fail(Reason::out_of_memory, "libcurl cannot be started")});
      return;
    }
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, 64L);
  }
  waiting_.push_back(transfer);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  curl_multi_wakeup(multi_);
}

void CurlEngine::cancel(const std::shared_ptr<Transfer>& transfer) {
  transfer->cancelled_.store(true);
  const std::lock_guard lock(mutex_);
  if (multi_ != nullptr) curl_multi_wakeup(multi_);
}

void CurlEngine::run() {
  // Signals are for the plugin's main thread; OpenSSL writes to sockets without MSG_NOSIGNAL.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  while (!stopping_.load()) {
    add_new();
    int active = 0;
    curl_multi_perform(multi_, &active);
    finish_done();
    end_late();
    const int wait = running_.empty() ? 60'000 : static_cast<int>(kTick.count());
    curl_multi_poll(multi_, nullptr, 0, wait, nullptr);
  }
  add_new();
  for (const auto& running : running_) {
    finish(*running, {.error = fail(Reason::cancelled, "reading was stopped")});
  }
}

void CurlEngine::add_new() {
  std::vector<std::shared_ptr<Transfer>> fresh;
  {
    const std::lock_guard lock(mutex_);
    fresh.swap(waiting_);
  }
  for (const auto& transfer : fresh) add(transfer);
}

void CurlEngine::add(const std::shared_ptr<Transfer>& transfer) {
  auto running = std::make_unique<Running>();
  running->transfer = transfer;
  running->started = running->window_start = std::chrono::steady_clock::now();
  running->easy = curl_easy_init();
  if (running->easy == nullptr) {
    finish(*running, {.error = fail(Reason::out_of_memory, "libcurl gives no handle")});
    return;
  }
  const HttpRequest& request = transfer->request_;
  if (has_line_end(request.headers) || request.url().find_first_of("\r\n") != std::string::npos) {
    finish(*running,
           {.error = fail(Reason::config_invalid, "a setting of the storage has a line end in it",
                          "look at credentials and endpoint for stray line ends")});
    return;
  }
  if (!prepare(*running) || curl_multi_add_handle(multi_, running->easy) != CURLM_OK) {
    finish(*running, {.error = fail(Reason::host_unfit, "libcurl refuses the request")});
    return;
  }
  running_.push_back(std::move(running));
}

bool CurlEngine::prepare(Running& running) const {
  const HttpRequest& request = running.transfer->request_;
  CURL* easy = running.easy;
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(easy, option, value) == CURLE_OK && good;
  };
  const std::string url = request.url();
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PATH_AS_IS, 1L);  // keys may hold "//" and ".."
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_ERRORBUFFER, running.text.data());
  set(CURLOPT_USERAGENT, "rad-agent/" RAD_VERSION);
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  const auto limit = running.transfer->limit_.value_or(options_.stall);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limit.count()));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options_.ca_file.empty()) set(CURLOPT_CAINFO, options_.ca_file.c_str());
  if (request.no_proxy || !request.unix_socket.empty()) {
    set(CURLOPT_PROXY, "");
  } else if (!options_.proxy.empty()) {
    set(CURLOPT_PROXY, options_.proxy.c_str());
  }
  if (!request.unix_socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
  for (const auto& [name, value] : request.headers) {
    const std::string line =
        value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value);
    curl_slist* longer = curl_slist_append(running.headers, line.c_str());
    if (longer == nullptr) return false;
    running.headers = longer;
  }
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    set(CURLOPT_COPYPOSTFIELDS, request.body.c_str());
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_slist* longer = curl_slist_append(running.headers, "Expect:");
    if (longer != nullptr) running.headers = longer;
  }
  set(CURLOPT_HTTPHEADER, running.headers);
  set(CURLOPT_HEADERFUNCTION, &Running::on_header);
  set(CURLOPT_HEADERDATA, &running);
  set(CURLOPT_WRITEFUNCTION, &Running::on_body);
  set(CURLOPT_WRITEDATA, &running);
  set(CURLOPT_PRIVATE, &running);
  return good;
}

void CurlEngine::finish_done() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    Running* running = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &running);
    TransferEnd end;
    if (running->refused) {
      end.refused = true;
    } else if (!running->broken.empty()) {
      end.error = unreachable(running->transfer->request_, running->broken);
      end.error->retryable = false;
    } else if (code != CURLE_OK) {
      end.error =
          error_of_code(running->transfer->request_, code, {running->text.data()}, options_);
    }
    finish(*running, end);
  }
  std::erase_if(running_, [](const auto& running) { return running->ended; });
}

/// What is cancelled, and what brings less than it should.
void CurlEngine::end_late() {
  const SteadyPoint now = std::chrono::steady_clock::now();
  for (const auto& running : running_) {
    const HttpRequest& request = running->transfer->request_;
    if (running->transfer->cancelled_.load()) {
      finish(*running, {.error = fail(Reason::cancelled, "reading was stopped")});
      continue;
    }
    const auto& limit = running->transfer->limit_;
    if (limit && now - running->started > *limit) {
      finish(*running, {.error = unreachable(
                            request, fmt::format("no answer within {}", format_duration(*limit)))});
      continue;
    }
    if (now - running->window_start < options_.stall) continue;
    const std::uint64_t least = std::max<std::uint64_t>(
        1, kLeastBytesPerSecond * static_cast<std::uint64_t>(options_.stall.count()) / 1000);
    if (running->window_bytes < least) {
      finish(*running,
             {.error = unreachable(
                  request, fmt::format("it stalls: {} bytes came in {}", running->window_bytes,
                                       format_duration(options_.stall)))});
      continue;
    }
    running->window_start = now;
    running->window_bytes = 0;
  }
  std::erase_if(running_, [](const auto& running) { return running->ended; });
}

void CurlEngine::finish(Running& running, const TransferEnd& end) {
  if (running.ended) return;
  running.ended = true;
  if (running.easy != nullptr) curl_multi_remove_handle(multi_, running.easy);
  running.transfer->taker_->end(end);
}

}  // namespace rad::object_store
