// What people ask of the daemon about held instances.
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/run/daemon_impl.h"
#include "agent/run/hold_files.h"

namespace rad {

Status Daemon::Impl::release_hold(const Caller& caller, const std::string& run_id) {
  const auto hold = holds_.find(run_id);
  const Status released = hold ? holds_.release(run_id) : Status(hold.error());
  audit(caller, "hold.release", run_id, "", true,
        released ? fmt::format("held for {} until {}", hold->owner, format_rfc3339(hold->until))
                 : released.error().message);
  RAD_CHECK(released);
  wake_.cancel();
  return {};
}

Result<std::string> Daemon::Impl::open_hold(const Caller& caller, const std::string& run_id) {
  const auto found = holds_.find(run_id);
  if (!found) {
    audit(caller, "hold.open", run_id, "", true, found.error().message);
    return found.error();
  }
  const Hold& hold = *found;
  const std::string line = hold.state == HoldState::held ? psql_line(hold) : "";
  if (line.empty()) {
    Error error = fail(Reason::check_error,
                       fmt::format("the instance of run {} cannot be reached {}", run_id,
                                   hold.state == HoldState::held ? "yet" : "any more"),
                       "radctl hold list shows its state");
    const std::string why = read_hold_failure(config().agent, run_id);
    if (hold.state == HoldState::lost && !why.empty()) error.message += ": " + why;
    error.retryable = hold.state == HoldState::held;
    audit(caller, "hold.open", run_id, "", true, error.message);
    return error;
  }
  audit(caller, "hold.open", run_id, "", true,
        fmt::format("told how to reach {} as {}", hold.target, hold.user));
  return line;
}

Status Daemon::release_hold(const Caller& caller, const std::string& run_id) {
  return impl_->release_hold(caller, run_id);
}
Result<std::string> Daemon::open_hold(const Caller& caller, const std::string& run_id) {
  return impl_->open_hold(caller, run_id);
}

}  // namespace rad
