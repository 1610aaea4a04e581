#include "agent/cli/radctl/control_client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <curl/curl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/base/json.h"
#include "agent/base/unique_fd.h"

namespace rad::radctl {

namespace bj = boost::json;

namespace {

constexpr const char* kStatusHint = "is it running? systemctl status rad-agent";

/// errno of a connection to the socket, 0 if there is one.
int try_to_connect(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof(address.sun_path)) return ENAMETOOLONG;
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return errno;
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  return ::connect(fd.get(), generic, sizeof(address)) == 0 ? 0 : errno;
}

/// Group that the socket, or else its directory, belongs to; "" if nobody can see it.
std::string group_of(const std::filesystem::path& socket) {
  for (const auto& path : {socket, socket.parent_path()}) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0 || found.st_gid == 0) continue;
    std::array<char, 4096> buffer{};
    group entry{};
    group* result = nullptr;
    if (::getgrgid_r(found.st_gid, &entry, buffer.data(), buffer.size(), &result) == 0 &&
        result != nullptr) {
      return entry.gr_name;
    }
  }
  return {};
}

Refusal not_permitted(const std::filesystem::path& socket) {
  const std::string group = group_of(socket);
  return {.exit_status = kNotPermitted,
          .reason = "not_permitted",
          .message = fmt::format("you may not use the agent's socket '{}'", socket.string()),
          .hint = fmt::format("ask to be made a member of group '{}'; `id` shows yours",
                              group.empty() ? "rad-viewer' or 'rad-operator" : group)};
}

int ask_whether_to_give_up(void* question, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return (*static_cast<const std::function<bool()>*>(question))() ? 1 : 0;
}

std::size_t collect(char* data, std::size_t size, std::size_t count, void* to) {
  auto& body = *static_cast<std::string*>(to);
  if (body.size() + size * count > kLargestAnswer) return 0;
  body.append(data, size * count);
  return size * count;
}

}  // namespace

Refusal unreachable(const std::filesystem::path& socket, std::string_view otherwise) {
  const int error = try_to_connect(socket);
  if (error == EACCES || error == EPERM) return not_permitted(socket);
  Refusal refusal{.exit_status = kUnreachable,
                  .reason = "agent_unreachable",
                  .message = {},
                  .hint = kStatusHint};
  switch (error) {
    case 0:
      refusal.message = fmt::format("the agent {}", otherwise);
      break;
    case ENOENT:
    case ENOTDIR:
      refusal.message =
          fmt::format("the agent cannot be reached: there is no socket '{}'", socket.string());
      break;
    case ECONNREFUSED:
      refusal.message =
          fmt::format("the agent cannot be reached: nobody listens on '{}'", socket.string());
      break;
    case EAGAIN:
      refusal.message = "the agent cannot be reached: too many others are waiting for it";
      break;
    default:
      refusal.message = fmt::format("the agent cannot be reached on '{}': {}", socket.string(),
                                    std::system_category().message(error));
  }
  return refusal;
}

Refusal refusal_of(long status, std::string_view body) {
  Refusal refusal{.exit_status = kInconclusive,
                  .reason = "internal_error",
                  .message = fmt::format("the agent answered with status {}", status),
                  .hint = "journalctl -u rad-agent tells more"};
  if (status >= 400 && status < 500) refusal.exit_status = kUsage;
  if (status == 403) refusal.exit_status = kNotPermitted;
  if (status == 408 || status == 409) refusal.exit_status = kInconclusive;
  const auto answer = json::parse(body, "the agent's answer");
  if (!answer || !answer->is_object()) return refusal;
  const auto error = json::get_object(answer->as_object(), "error");
  if (!error || error->empty()) return refusal;
  const auto text = [&error](std::string_view key) {
    auto value = json::get_string(*error, key, "");
    return value ? *std::move(value) : std::string();
  };
  refusal.reason = text("reason");
  refusal.message = text("message");
  refusal.hint = text("hint");
  refusal.detail = text("detail");
  return refusal;
}

std::string encode(std::string_view text) {
  const std::unique_ptr<char, decltype(&curl_free)> escaped(
      curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size())), &curl_free);
  return escaped ? escaped.get() : std::string();
}

struct ControlClient::Impl {
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl{curl_easy_init(), &curl_easy_cleanup};
};

ControlClient::ControlClient(std::filesystem::path socket, std::chrono::milliseconds limit)
    : socket_(std::move(socket)), limit_(limit), impl_(std::make_unique<Impl>()) {}

ControlClient::~ControlClient() = default;

Answered<bj::object> ControlClient::get(const std::string& path,
                                        std::chrono::milliseconds at_least) {
  return call(path, nullptr, std::max(limit_, at_least));
}

Answered<bj::object> ControlClient::post(const std::string& path, const bj::object& body,
                                         std::chrono::milliseconds at_least) {
  const std::string text = bj::serialize(body);
  return call(path, &text, std::max(limit_, at_least));
}

Answered<bj::object> ControlClient::call(const std::string& path, const std::string* body,
                                         std::chrono::milliseconds limit) {
  CURL* curl = impl_->curl.get();
  if (curl == nullptr) return unreachable(socket_, "cannot be asked: no memory");
  curl_easy_reset(curl);  // keeps the connection
  std::string answer;
  const std::string url = "http://rad-agent" + path;
  curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_.c_str());
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limit.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &collect);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  // `Expect: 100-continue` would only cost a turn.
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(
      curl_slist_append(curl_slist_append(nullptr, "Content-Type: application/json"), "Expect:"),
      &curl_slist_free_all);
  if (body != nullptr) {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body->size()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  }
  if (give_up_) {
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &ask_whether_to_give_up);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &give_up_);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  }
  const CURLcode code = curl_easy_perform(curl);
  if (code == CURLE_ABORTED_BY_CALLBACK) {
    return Refusal{.exit_status = kInterrupted,
                   .reason = "interrupted",
                   .message = "the agent has not answered yet",
                   .hint = {}};
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return unreachable(socket_,
                       fmt::format("does not answer within {} s",
                                   std::chrono::ceil<std::chrono::seconds>(limit).count()));
  }
  if (code != CURLE_OK) {
    return unreachable(socket_, fmt::format("cannot be asked: {}", curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) return refusal_of(status, answer);
  auto value = json::parse(answer, "the agent's answer");
  if (!value || !value->is_object()) {
    return Refusal{.exit_status = kInconclusive,
                   .reason = "internal_error",
                   .message = "the agent's answer is not understood",
                   .hint = "are radctl and rad-agent of one version? radctl --version"};
  }
  return std::move(value->as_object());
}

}  // namespace rad::radctl
