#include "agent/control/control_server.h"

#include <cerrno>
#include <cstring>
#include <map>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/control/api.h"
#include "agent/control/refusals.h"
#include "agent/control/routes.h"

namespace rad {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;

constexpr unsigned kSocketMode = 0666;
constexpr mode_t kDirectoryMode = 0711;

/// The directory must let clients pass. Only what is ours is changed, and nothing becomes readable:
/// what lies beside the socket has modes of its own.
Status prepare_directory(const fs::path& directory) {
  std::error_code failed;
  fs::create_directories(directory.parent_path(), failed);
  const bool made = ::mkdir(directory.c_str(), kDirectoryMode) == 0;
  struct stat found {};
  if (::stat(directory.c_str(), &found) != 0) {
    return fail(
        Reason::host_unfit,
        fmt::format("cannot make the directory '{}': {}", directory.string(), std::strerror(errno)),
        "choose another path with agent.control_socket", directory.string());
  }
  const mode_t mode = found.st_mode & 07777U;
  if ((made || found.st_uid == ::geteuid()) && (mode & 0011U) != 0011U) {
    // The umask may have taken it. If it cannot be, connecting fails and says so.
    (void)::chmod(directory.c_str(), mode | 0011U);
  }
  return {};
}

HttpResponse http_error(unsigned status, std::string_view text) {
  const Reason reason = status == 500   ? Reason::internal_error
                        : status == 503 ? Reason::host_unfit
                                        : Reason::config_invalid;
  return error_answer(status, fail(reason, std::string(text)));
}

/// What a request that is refused was about; the body has not been judged.
struct Wish {
  std::string subject;
  std::string note;
};

Wish wish_of(const RouteMatch& match, const HttpRequest& request) {
  Wish wish;
  if (!match.names.empty()) wish.subject = printable(match.names.front(), 200);
  const auto body = json::parse(request.body, "body");
  const auto* object = body ? body->if_object() : nullptr;
  if (object == nullptr) return wish;
  const auto text_at = [&](std::string_view name) {
    const auto* value = object->if_contains(name);
    return value != nullptr && value->is_string() ? printable(value->get_string(), 500)
                                                  : std::string();
  };
  if (wish.subject.empty()) wish.subject = text_at("target");
  wish.note = text_at("reason");
  return wish;
}

}  // namespace

HttpLimits control_limits() {
  HttpLimits limits;
  limits.header_bytes = 16U << 10U;
  limits.connections = 512;
  limits.connections_per_user = 256;
  limits.unsent_bytes_per_user = 8U << 20U;
  return limits;
}

class ControlServer::Impl : public std::enable_shared_from_this<ControlServer::Impl> {
 public:
  Impl(asio::any_io_executor executor, Daemon& daemon, const Clock& clock, ControlOptions options)
      : executor_(std::move(executor)),
        daemon_(daemon),
        clock_(clock),
        options_(std::move(options)),
        callers_(executor_, options_.rules) {}

  const fs::path& path() const { return options_.socket; }
  asio::awaitable<std::optional<HttpResponse>> admit(Peer peer);
  asio::awaitable<HttpResponse> answer(const HttpRequest& request);
  void stop() { stopped_ = true; }

 private:
  HttpResponse refuse(const Caller& caller, Access needed, std::string_view action,
                      const Wish& wish);

  asio::any_io_executor executor_;
  Daemon& daemon_;
  const Clock& clock_;
  ControlOptions options_;
  CallerLookup callers_;
  ApiState state_;
  RefusalLimit refusals_;
  bool stopped_ = false;
};

HttpResponse ControlServer::Impl::refuse(const Caller& caller, Access needed,
                                         std::string_view action, const Wish& wish) {
  if (const auto repeated = refusals_.admit(caller.uid, clock_.steady_now())) {
    const std::string note = *repeated == 0
                                 ? wish.note
                                 : fmt::format("{}{}and {} refusals that are not listed", wish.note,
                                               wish.note.empty() ? "" : "; ", *repeated);
    daemon_.audit(caller, std::string(action), wish.subject, note, false);
  }
  const bool to_look = needed == Access::viewer;
  const std::string& group = to_look ? options_.rules.viewer_group : options_.rules.operator_group;
  return error_answer(
      403,
      fail(Reason::access_denied,
           fmt::format("user '{}' may not {} ({}{}{})", caller.user,
                       to_look ? "look at this agent" : "do this", action,
                       wish.subject.empty() ? "" : " of ", wish.subject),
           fmt::format(
               "members of group '{}'{} may; ask its administrator, or use sudo", group,
               to_look ? fmt::format(" and '{}'", options_.rules.operator_group) : std::string())));
}

asio::awaitable<std::optional<HttpResponse>> ControlServer::Impl::admit(Peer peer) {
  const auto self = shared_from_this();
  const auto caller = co_await callers_.find(peer);
  if (stopped_) co_return http_error(503, "the agent stops");
  if (!caller) co_return error_answer(caller.error());
  if (caller->access == Access::none) {
    co_return refuse(*caller, Access::viewer, "connect", {});
  }
  co_return std::nullopt;
}

asio::awaitable<HttpResponse> ControlServer::Impl::answer(const HttpRequest& request) {
  const auto self = shared_from_this();
  if (!request.peer) co_return http_error(500, "the client is not known");
  const auto caller = co_await callers_.find(*request.peer);
  if (stopped_) co_return http_error(503, "the agent stops");
  if (!caller) co_return error_answer(caller.error());
  RouteMatch match = find_route(request.method, request.path);
  if (caller->access == Access::none) {
    co_return refuse(*caller, Access::viewer,
                     match.route != nullptr ? match.route->action : "connect",
                     wish_of(match, request));
  }
  if (match.route == nullptr && match.allowed.empty()) {
    co_return not_found(fmt::format("there is nothing at '{}'", printable(request.path, 200)),
                        "the paths begin with /v1, for example /v1/status");
  }
  if (match.route == nullptr) {
    HttpResponse response = error_answer(
        405, fail(Reason::config_invalid,
                  fmt::format("{} is not understood at '{}'", printable(request.method, 20),
                              printable(request.path, 200)),
                  "understood here: " + match.allowed));
    response.allow = match.allowed;
    co_return response;
  }
  if (caller->access < match.route->needed) {
    co_return refuse(*caller, match.route->needed, match.route->action, wish_of(match, request));
  }
  ApiCall call{daemon_, clock_, state_, executor_, *caller, request, std::move(match.names)};
  try {
    const ApiResult result = co_await match.route->handler(call);
    if (!result) co_return error_answer(result.error());
    co_return *result;
  } catch (const std::exception& error) {
    log::error(fmt::format("control: {}: {}", match.route->operation, error.what()));
  }
  co_return http_error(500, "the agent could not answer because of a bug; its log has more");
}

ControlServer::ControlServer(asio::any_io_executor executor, Daemon& daemon, const Clock& clock,
                             ControlOptions options, HttpLimits limits)
    : impl_(std::make_shared<Impl>(executor, daemon, clock, std::move(options))) {
  HttpHooks hooks;
  hooks.admit = [impl = impl_](Peer peer) { return impl->admit(peer); };
  hooks.error = http_error;
  server_ = std::make_unique<HttpServer>(
      std::move(executor), UnixSocket{impl_->path(), kSocketMode},
      HttpCoroutine([impl = impl_](const HttpRequest& request) { return impl->answer(request); }),
      limits, std::move(hooks));
}

ControlServer::~ControlServer() {
  stop();
}

Status ControlServer::start() {
  RAD_CHECK(prepare_directory(impl_->path().parent_path()));
  return server_->start();
}

void ControlServer::stop() {
  impl_->stop();
  server_->stop();
}

}  // namespace rad
