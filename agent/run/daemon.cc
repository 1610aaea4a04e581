#include "agent/run/daemon.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/report/metrics.h"
#include "agent/run/sweep.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// The loop looks at least this often, so that clock steps and runs beside it are noticed, and the
/// tick metric proves that it lives.
constexpr auto kTick = 10s;
constexpr auto kSweepEvery = 1h;
constexpr auto kMeasureEvery = 5min;
/// Runs looked at per target: enough for every retry of a slot.
constexpr std::size_t kHistory = 200;

PastRun to_past(const RunReport& run) {
  return {run.schedule, run.depth,   run.created_at,
          run.ended_at, run.verdict, run.cause && run.cause->reason == Reason::interrupted};
}

}  // namespace

class Daemon::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, const Config& config, const PluginCatalog& catalog,
       Store& store, const Clock& clock)
      : executor_(std::move(executor)),
        config_(config),
        catalog_(catalog),
        store_(store),
        clock_(clock),
        reporters_(make_reporters(config, store)),
        wake_(executor_) {}

  asio::awaitable<void> run();
  void stop();
  Result<std::string> metrics() const {
    RAD_TRY(const MetricsInput input,
            gather_metrics(config_, catalog_.schemas, store_, clock_, state_));
    return render_metrics(input);
  }

 private:
  Status remember_schedules();
  Result<std::vector<DueSchedule>> standings() const;
  void start_due();
  void start(const DueSchedule& due);
  asio::awaitable<void> carry_out(std::shared_ptr<Coordinator> coordinator, std::string target);
  void sweep_now();

  asio::any_io_executor executor_;
  const Config& config_;
  const PluginCatalog& catalog_;
  Store& store_;
  const Clock& clock_;
  std::vector<std::unique_ptr<Reporter>> reporters_;
  asio::steady_timer wake_;
  std::map<std::string, std::shared_ptr<Coordinator>> running_;
  std::map<std::string, TimePoint> busy_until_;  ///< targets that another process tests
  std::map<std::pair<std::string, std::string>, TimePoint> known_since_;
  DaemonState state_;
  SteadyPoint swept_at_{};
  SteadyPoint measured_at_{};
  bool stopping_ = false;
};

Status Daemon::Impl::remember_schedules() {
  RAD_TRY(const std::vector<ScheduleState> known, store_.list_schedules());
  for (const ScheduleState& row : known) {
    if (row.first_seen) known_since_[{row.target, row.schedule}] = *row.first_seen;
  }
  for (const TargetConfig& target : config_.targets) {
    for (const ScheduleConfig& schedule : target.schedules) {
      if (known_since_.count({target.name, schedule.name}) != 0) continue;
      ScheduleState row;
      row.target = target.name;
      row.schedule = schedule.name;
      row.first_seen = clock_.now();
      RAD_CHECK(store_.put_schedule(row));
      known_since_[{target.name, schedule.name}] = *row.first_seen;
    }
  }
  return {};
}

Result<std::vector<DueSchedule>> Daemon::Impl::standings() const {
  std::vector<DueSchedule> all;
  for (const TargetConfig& target : config_.targets) {
    if (target.schedules.empty()) continue;
    RunFilter filter;
    filter.target = target.name;
    filter.limit = kHistory;
    RAD_TRY(const std::vector<RunReport> runs, store_.list_runs(filter));
    std::vector<PastRun> past;
    for (const RunReport& run : runs) past.push_back(to_past(run));
    for (const ScheduleConfig& schedule : target.schedules) {
      RAD_TRY(const CronSchedule cron, CronSchedule::make(schedule.cron, schedule.time_zone));
      const auto since = known_since_.find({target.name, schedule.name});
      all.push_back({target.name, schedule.name, schedule.depth,
                     state_of(cron, schedule.name, schedule.depth,
                              since == known_since_.end() ? clock_.now() : since->second, past,
                              clock_.now())});
    }
  }
  return all;
}

void Daemon::Impl::start_due() {
  auto all = standings();
  if (!all) {
    log::error(fmt::format("scheduler: {}", all.error().message));
    return;
  }
  for (const DueSchedule& due : choose_due(std::move(*all))) {
    if (running_.size() >= static_cast<std::size_t>(config_.agent.max_concurrent_runs)) break;
    const auto busy = busy_until_.find(due.target);
    const bool held = busy != busy_until_.end() && busy->second > clock_.now();
    if (running_.count(due.target) == 0 && !held) start(due);
  }
}

void Daemon::Impl::start(const DueSchedule& due) {
  RunRequest request;
  request.target = *config_.find_target(due.target);
  request.depth = due.depth;
  request.schedule = due.schedule;
  request.requested_by = "schedule";
  log::info(fmt::format("target {}: schedule {} is due, starting a {}", due.target, due.schedule,
                        to_string(due.depth)));
  const RunServices services{executor_, config_.agent, catalog_.schemas,
                             store_,    clock_,        reporters_};
  auto coordinator = std::make_shared<Coordinator>(services, std::move(request), nullptr);
  running_[due.target] = coordinator;
  auto self = shared_from_this();
  asio::co_spawn(
      executor_, carry_out(coordinator, due.target),
      [self, target = due.target](std::exception_ptr error) {
        self->running_.erase(target);
        self->measured_at_ = {};
        self->wake_.cancel();
        if (!error) return;
        try {
          std::rethrow_exception(error);
        } catch (const std::exception& what) {
          log::error(fmt::format("target {}: a bug ended the run: {}", target, what.what()));
        }
      });
}

asio::awaitable<void> Daemon::Impl::carry_out(std::shared_ptr<Coordinator> coordinator,
                                              std::string target) {
  const auto report = co_await coordinator->run();
  if (!report) {
    // Somebody tests it by hand, or the store is in trouble: look again in a minute.
    busy_until_[target] = clock_.now() + 1min;
    log::warning(fmt::format("target {}: {}", target, report.error().message));
    co_return;
  }
  const std::string verdict(report->verdict ? to_string(*report->verdict) : "none");
  const std::string why = report->cause ? fmt::format(" ({}: {})", to_string(report->cause->reason),
                                                      report->cause->message)
                                        : "";
  const std::string text = fmt::format("run {}: {} {}{}", report->id, target, verdict, why);
  if (report->verdict == Verdict::pass) {
    log::info(text);
  } else {
    log::warning(text);
  }
  if (report->cleanup == CleanupResult::failed) {
    log::error(fmt::format("run {}: cleanup failed: {}", report->id, report->cleanup_message));
  }
}

void Daemon::Impl::sweep_now() {
  const SweepResult result = sweep(config_.agent, store_, clock_, reporters_);
  swept_at_ = clock_.steady_now();
  for (const RunReport& run : result.interrupted) {
    log::warning(
        fmt::format("run {} of {} was interrupted and cleaned up after", run.id, run.target));
  }
  for (const std::string& path : result.removed) log::info("removed " + path);
  for (const std::string& problem : result.problems) log::error("sweep: " + problem);
}

asio::awaitable<void> Daemon::Impl::run() {
  auto self = shared_from_this();
  sweep_now();
  if (const Status known = remember_schedules(); !known) log::error(known.error().message);
  while (!stopping_ || !running_.empty()) {
    if (!stopping_) {
      if (clock_.steady_now() - swept_at_ > kSweepEvery) sweep_now();
      start_due();
      state_.last_tick = clock_.now();
      if (clock_.steady_now() - measured_at_ > kMeasureEvery) {
        state_.leftover_bytes = leftover_bytes(store_, config_.agent, clock_.now());
        measured_at_ = clock_.steady_now();
      }
    }
    wake_.expires_after(kTick);
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Daemon::Impl::stop() {
  stopping_ = true;
  for (const auto& [target, coordinator] : running_) coordinator->cancel("the agent was stopped");
  wake_.cancel();
}

Daemon::Daemon(asio::any_io_executor executor, const Config& config, const PluginCatalog& catalog,
               Store& store, const Clock& clock)
    : impl_(std::make_shared<Impl>(std::move(executor), config, catalog, store, clock)) {}
Daemon::~Daemon() = default;
asio::awaitable<void> Daemon::run() {
  return impl_->run();
}
void Daemon::stop() {
  impl_->stop();
}
Result<std::string> Daemon::metrics() const {
  return impl_->metrics();
}

}  // namespace rad
