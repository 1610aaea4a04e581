#include "plugins/sdk/plugin.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/isolation.h"
#include "agent/base/log.h"
#include "agent/base/unique_fd.h"
#include "plugins/sdk/output.h"
#include "plugins/sdk/session.h"
#include "plugins/sdk/stop_signal.h"

namespace rad::sdk {
namespace {

Error not_offered(std::string_view method) {
  return fail(Reason::plugin_protocol, fmt::format("this plugin does not offer '{}'", method));
}

/// Takes a standard descriptor for the protocol alone and puts `replacement` in its place, so that
/// neither a library's prints nor a child's reads get into the conversation.
Result<UniqueFd> take_over(int fd, int replacement) {
  UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!own || (replacement >= 0 && ::dup2(replacement, fd) < 0)) {
    return fail(Reason::host_unfit,
                fmt::format("cannot use descriptor {}: {}", fd, strerror(errno)));
  }
  return own;
}

Result<int> serve_or_fail(Plugin& plugin, int in_fd, int out_fd) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  UniqueFd in;
  UniqueFd out;
  RAD_TRY(in, take_over(in_fd, in_fd == STDIN_FILENO ? null.get() : -1));
  const bool has_stderr = ::fcntl(STDERR_FILENO, F_GETFD) >= 0;
  RAD_TRY(out, take_over(out_fd, out_fd != STDOUT_FILENO ? -1
                                 : has_stderr            ? STDERR_FILENO
                                                         : null.get()));
  RAD_TRY(const StopSignal signal, StopSignal::install());
  const UniqueFd quit(::eventfd(0, EFD_CLOEXEC));
  if (!quit) return fail(Reason::host_unfit, "cannot make an eventfd");
  Output output(out.get());
  Session session(plugin, in.get(), output, signal, quit.get());
  return session.run();
}

}  // namespace

Result<protocol::PreflightResult> Plugin::preflight(Context& /*context*/) {
  protocol::PreflightResult result;
  result.isolation = isolation_in_force();
  return result;
}
Result<std::vector<std::string>> Plugin::explain(const boost::json::object& /*options*/) {
  return not_offered("explain");
}
Result<protocol::ReadResult> Plugin::inspect(Context& /*context*/) {
  return not_offered("inspect");
}
Result<protocol::ReadResult> Plugin::verify(Context& /*context*/) {
  return not_offered("verify");
}
Result<protocol::RestoreResult> Plugin::restore(Context& /*context*/) {
  return not_offered("restore");
}
Result<protocol::StartResult> Plugin::start(const Artifact& /*artifact*/, Context& /*context*/) {
  return not_offered("start");
}
Result<protocol::BackupsResult> Plugin::backups(Context& /*context*/) {
  return not_offered("backups");
}
Result<protocol::StartResult> Plugin::hold(const Artifact& /*artifact*/, Context& /*context*/) {
  return not_offered("hold");
}
Result<protocol::CheckResult> Plugin::check(const protocol::CheckParams& /*params*/,
                                            Context& /*context*/) {
  return not_offered("check");
}
Result<protocol::DiagnoseResult> Plugin::diagnose(const protocol::DiagnoseParams& /*params*/,
                                                  Context& /*context*/) {
  return protocol::DiagnoseResult();
}
Result<protocol::CleanupResult> Plugin::cleanup(Context& /*context*/) {
  return protocol::CleanupResult();
}
Result<protocol::GcResult> Plugin::gc(const protocol::GcParams& /*params*/, Context& /*context*/) {
  return protocol::GcResult();
}

std::string isolation_in_force() {
  const char* words = std::getenv(kIsolationVariable);
  return words != nullptr && *words != '\0' ? words : "none";
}

int serve(Plugin& plugin, int in_fd, int out_fd) {
  try {
    const auto status = serve_or_fail(plugin, in_fd, out_fd);
    if (status) return *status;
    log::error(status.error().message);
  } catch (const std::exception& exception) {
    log::error(exception.what());
  }
  return 1;
}

}  // namespace rad::sdk
