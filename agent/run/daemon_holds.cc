// What people ask of the daemon about held instances, and about the backups there are.
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/run/daemon_impl.h"
#include "agent/run/hold_files.h"
#include "agent/run/list_backups.h"
#include "plugins/protocol/codec.h"

namespace rad {

Status Daemon::Impl::release_hold(const Caller& caller, const std::string& run_id) {
  RAD_TRY(const Hold hold, holds_.find(run_id));
  RAD_CHECK(holds_.release(run_id));
  audit(caller, "hold.release", run_id, "", true,
        fmt::format("held for {} until {}", hold.owner, format_rfc3339(hold.until)));
  wake_.cancel();
  return {};
}

Result<std::string> Daemon::Impl::open_hold(const Caller& caller, const std::string& run_id) {
  RAD_TRY(const Hold hold, holds_.find(run_id));
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

boost::asio::awaitable<Result<boost::json::value>> Daemon::Impl::backups(const std::string& name) {
  auto self = shared_from_this();
  const std::shared_ptr<const RunContext> context = context_;  // a reload must not take it away
  const Config& config = context->generation->config;
  const TargetConfig* target = config.find_target(name);
  if (target == nullptr) {
    co_return fail(Reason::config_invalid, fmt::format("there is no target '{}'", name),
                   "radctl target list shows them");
  }
  protocol::BackupsResult result;
  RAD_CO_TRY(result.backups,
             co_await list_backups(executor_, config.agent, *target, store_, clock_));
  co_return protocol::to_json(result)["backups"];
}

Status Daemon::release_hold(const Caller& caller, const std::string& run_id) {
  return impl_->release_hold(caller, run_id);
}
Result<std::string> Daemon::open_hold(const Caller& caller, const std::string& run_id) {
  return impl_->open_hold(caller, run_id);
}
boost::asio::awaitable<Result<boost::json::value>> Daemon::backups(const std::string& target) {
  return impl_->backups(target);
}

}  // namespace rad
