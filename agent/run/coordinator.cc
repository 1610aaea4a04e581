#include "agent/run/coordinator.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/run/check_outcomes.h"
#include "agent/run/run_end.h"
#include "agent/run/run_machine.h"
#include "agent/run/run_stages.h"
#include "agent/run/run_state.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

}  // namespace

std::string make_run_id(TimePoint now) {
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
  return fmt::format("{:%Y%m%dT%H%M%S}-{}", fmt::gmtime(seconds.time_since_epoch().count()),
                     random_hex(8));
}

RunReport new_record(const RunRequest& request, TimePoint now) {
  RunReport report;
  report.id = request.id.empty() ? make_run_id(now) : request.id;
  report.target = request.target.name;
  report.schedule = request.schedule;
  report.depth = request.depth;
  report.requested_by = request.requested_by;
  report.request_note = request.note;
  report.requested_backup = request.backup.value_or("");
  report.requested_recover_to = request.recover_to.value_or("");
  report.host = host_name();
  report.agent_version = RAD_VERSION;
  report.created_at = now;
  report.rto_target = request.target.objectives.rto;
  report.rpo_target = request.target.objectives.rpo;
  return report;
}

RunReport record_of_refused(const RunRequest& request, Error why, TimePoint now) {
  RunReport report = new_record(request, now);
  report.cause = std::move(why);
  conclude(report);
  report.verdict = Verdict::inconclusive;
  report.cleanup = CleanupResult::clean;
  report.ended_at = now;
  return report;
}

Result<std::optional<Account>> plugin_account(const AgentOptions& options) {
  std::error_code ec;
  const bool sockets =
      !options.socket_dir.empty() && std::filesystem::is_directory(options.socket_dir, ec);
  if (::geteuid() != 0 && !sockets) return std::optional<Account>{};
  RAD_TRY(Account account, find_account(options.plugin_user));
  if (account.uid == 0) {
    return fail(Reason::config_invalid, "agent.plugin_user is root",
                "name an account without rights of its own, e.g. rad-plugin");
  }
  return std::optional<Account>(std::move(account));
}

class Coordinator::Impl {
 public:
  Impl(RunServices services, RunRequest request, RunObserver* observer)
      : state_{.services = services, .request = std::move(request), .observer = observer} {}

  asio::awaitable<Result<RunReport>> run();
  void cancel(std::string why, Reason reason);

 private:
  asio::awaitable<Status> carry_out(Stage stage);

  RunState state_;
};

void Coordinator::Impl::cancel(std::string why, Reason reason) {
  if (state_.cancelled || !state_.cancellable) return;
  state_.cancelled = std::move(why);
  state_.cancel_reason = reason;
  if (state_.active != nullptr && state_.active->process) state_.active->process->cancel();
}

asio::awaitable<Result<RunReport>> Coordinator::Impl::run() {
  state_.began = state_.services.clock.steady_now();
  state_.report = new_record(state_.request, state_.services.clock.now());
  RAD_CO_TRY(state_.lock, RunLock::take(state_.services.options.state_dir, state_.report.target,
                                        state_.report.id));
  RAD_CO_CHECK(state_.services.store.begin_run(state_.report, state_.request.slot));
  RunFilter filter;
  filter.target = state_.report.target;
  filter.depth = state_.report.depth;
  filter.ended_only = true;
  filter.limit = 5;
  const auto history = state_.services.store.list_runs(filter);
  state_.stage_limits =
      stage_limits(state_.request.target, history ? *history : std::vector<RunReport>{});
  RunMachine machine(state_.report.depth, state_.request.target.instance.has_value());
  while (const auto stage = machine.stage()) {
    if (*stage == Stage::cleanup) state_.cancellable = false;
    state_.report.stages.push_back(StageRecord{*stage, state_.services.clock.now(), {}, 0, 0, {}});
    if (state_.observer != nullptr) state_.observer->stage_began(state_.report, *stage);
    state_.write_record();
    const SteadyPoint stage_began = state_.services.clock.steady_now();
    Status status = co_await carry_out(*stage);
    StageRecord& row = state_.report.stages.back();
    // The clock may be set meanwhile: how long it took is what later limits are made of.
    row.ended_at = row.started_at + state_.since(stage_began);
    const bool ok = status.has_value() && !state_.cancelled;
    if (!status) {
      row.error = status.error();
      if (*stage != Stage::cleanup && *stage != Stage::report && !state_.report.cause) {
        state_.report.cause = co_await first_cause(state_, *stage, std::move(status).error());
        row.error = state_.report.cause;
      }
    }
    if (*stage != Stage::report) state_.write_record();
    machine.ended(ok);
  }
  co_return state_.report;
}

asio::awaitable<Status> Coordinator::Impl::carry_out(Stage stage) {
  if (state_.cancelled && stage != Stage::cleanup && stage != Stage::report) {
    co_return fail(state_.cancel_reason, *state_.cancelled);
  }
  switch (stage) {
    case Stage::preflight:
      co_return co_await preflight_stage(state_);
    case Stage::fetch:
      co_return co_await fetch_stage(state_);
    case Stage::restore:
      co_return co_await restore_stage(state_);
    case Stage::recover:
      co_return co_await recover_stage(state_);
    case Stage::check:
      co_return co_await check_stage(state_);
    case Stage::cleanup:
      co_return co_await cleanup_stage(state_);
    case Stage::report:
      break;
  }
  co_return co_await report_stage(state_);
}

Coordinator::Coordinator(RunServices services, RunRequest request, RunObserver* observer)
    : impl_(std::make_shared<Impl>(services, std::move(request), observer)) {}
Coordinator::~Coordinator() = default;
asio::awaitable<Result<RunReport>> Coordinator::run() {
  return impl_->run();
}
void Coordinator::cancel(std::string why, Reason reason) {
  impl_->cancel(std::move(why), reason);
}

}  // namespace rad
