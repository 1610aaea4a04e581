#include "agent/run/daemon.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/report/metrics.h"
#include "agent/run/daemon_impl.h"
#include "agent/run/forgotten_logs.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// The loop looks at least this often, so that clock steps and runs beside it are noticed, and the
/// tick metric proves that it lives.
constexpr auto kTick = 2s;
constexpr auto kSweepEvery = 5min;
constexpr SteadyPoint::duration kPruneEvery = 1h;
/// After a part of the work: long runs of writes must not hold up the loop.
constexpr SteadyPoint::duration kPruneOn = 10s;
constexpr auto kMeasureEvery = 5min;
/// What the first sweep finds is in the metrics of a ready daemon; but nobody waits long for a disk
/// or for a remover that does not answer.
constexpr auto kReadyPatience = 5s;

}  // namespace

Daemon::Impl::Impl(asio::any_io_executor executor, std::shared_ptr<const Generation> generation,
                   Loader loader, StoreKeeper& keeper, const Clock& clock)
    : executor_(executor),
      loader_(std::move(loader)),
      keeper_(keeper),
      store_(keeper.store()),
      clock_(clock),
      live_(executor, store_, clock,
            [this](const RunRequest& request, const Result<RunReport>& report) {
              run_ended(request, report);
            }),
      queue_(store_),
      scheduler_(store_, clock),
      holds_(store_, clock),
      wake_(executor),
      backups_timer_(executor),
      reload_over_(executor, asio::steady_timer::time_point::max()),
      started_at_(clock.now()) {
  accept(std::move(generation));
}

/// A configuration that was loaded; use() alone also takes the same one with other plugins.
void Daemon::Impl::accept(std::shared_ptr<const Generation> generation) {
  use(std::move(generation));
  config_loaded_at_ = clock_.now();
  plugin_patience_ = std::chrono::seconds(15);
  ask_plugins_at_ = clock_.steady_now() + plugin_patience_;
}

void Daemon::Impl::use(std::shared_ptr<const Generation> generation) {
  auto context = std::make_shared<RunContext>();
  context->reporters = make_reporters(generation->config, store_);
  context->generation = std::move(generation);
  context_ = std::move(context);
  refused_.clear();
  log::set_level(config().agent.log_level);
}

asio::awaitable<void> Daemon::Impl::run() {
  auto self = shared_from_this();
  began_at_ = clock_.steady_now();
  sweep_now();
  read_store();
  watch_backups();
  std::optional<SteadyPoint> give_up_at;
  while (!stopping_ || !live_.idle() || watching_ || sweep_ || measuring_) {
    if (!stopping_) {
      if (keeper_.look()) read_store();
      if (clock_.steady_now() - swept_at_ > kSweepEvery) sweep_now();
      if (clock_.steady_now() >= prune_at_) prune();
      ask_broken_plugins();
      (void)start_due();
      if (!config().files.empty()) holds_.look(config().agent, config().files.front());
      state_.last_tick = clock_.now();
      if (!measured_at_ || clock_.steady_now() - *measured_at_ > kMeasureEvery) measure();
    } else {
      if (!give_up_at) give_up_at = clock_.steady_now() + config().agent.stop_timeout;
      if (clock_.steady_now() >= *give_up_at) {
        log::error(
            fmt::format("{} runs did not end within agent.stop_timeout; the next start "
                        "cleans up after them",
                        live_.count()));
        break;
      }
    }
    live_.write_logs();
    if (tick_handler_) tick_handler_(status());
    wake_.expires_after(kTick);
    co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Daemon::Impl::stop() {
  stopping_ = true;
  live_.interrupt_all("the agent was stopped");
  if (sweep_) sweep_->stop();
  measuring_off_loop_.give_up();
  wake_.cancel();
  backups_timer_.cancel();
}

bool Daemon::Impl::ready() const {
  return swept_once_ || clock_.steady_now() - began_at_ >= kReadyPatience;
}

void Daemon::Impl::read_store() {
  if (const Status known = scheduler_.configure(config()); !known) {
    log::error(known.error().message);
  }
  if (const Status queue = queue_.load(); !queue) log::error(queue.error().message);
  // A request whose run was begun has its answer: the record says so, or will after the sweep.
  const std::vector<QueuedRequest> waiting = queue_.requests();
  for (const QueuedRequest& request : waiting) {
    const auto begun = store_.load_run(request.id);
    if (!begun || !*begun) continue;
    if (const auto removed = queue_.remove(request.id); !removed) {
      log::error(removed.error().message);
    }
  }
}

void Daemon::Impl::prune() {
  const auto pruned = store_.prune(clock_.now());
  if (!pruned) log::warning(pruned.error().message);
  const bool complete = !pruned || pruned->complete;
  if (complete && (first_prune_ || (pruned && pruned->runs > 0) || runs_were_pruned_)) {
    for (const std::string& path : remove_forgotten_logs(config().agent, store_)) {
      log::info("removed " + path);
    }
    first_prune_ = false;
  }
  runs_were_pruned_ = !complete && (runs_were_pruned_ || pruned->runs > 0);
  prune_at_ = clock_.steady_now() + (complete ? kPruneEvery : kPruneOn);
}

asio::awaitable<Status> Daemon::Impl::reload() {
  auto self = shared_from_this();
  // One that goes on may have read the file before it was changed: only a later one will do.
  const std::uint64_t wanted = reloads_begun_ + 1;
  while (reloads_ended_ < wanted) {
    if (reloads_begun_ != reloads_ended_) {
      co_await reload_over_.async_wait(asio::as_tuple(asio::use_awaitable));
      continue;
    }
    ++reloads_begun_;
    if (reload_handler_) reload_handler_(true);
    try {
      last_reload_ = co_await reload_once();
    } catch (const std::exception& caught) {
      // Whatever it is, the next reload must be possible.
      config_error_ =
          fmt::format("a bug or a lack of resources ended the reload: {}", caught.what());
      state_.config_reload_ok = false;
      log::error("the configuration was not reloaded: " + config_error_);
      last_reload_ = fail(Reason::internal_error, config_error_);
    }
    ++reloads_ended_;
    if (reload_handler_) reload_handler_(false);
    reload_over_.cancel();
  }
  co_return last_reload_;
}

asio::awaitable<Status> Daemon::Impl::reload_once() {
  auto loaded = co_await loader_();
  if (!loaded) {
    config_error_ = loaded.error().message;
    state_.config_reload_ok = false;
    log::error("the configuration was not reloaded: " + config_error_);
    co_return std::move(loaded).error();
  }
  if (const Status planned = scheduler_.configure((*loaded)->config); !planned) {
    config_error_ = planned.error().message;
    state_.config_reload_ok = false;
    log::error("the configuration was not reloaded: " + config_error_);
    co_return planned;
  }
  accept(std::move(*loaded));
  config_error_.clear();
  state_.config_reload_ok = true;
  log::info(fmt::format("configuration reloaded: {} targets", config().targets.size()));
  look_again();
  co_return Status{};
}

Result<std::string> Daemon::Impl::metrics() const {
  DaemonState state = state_;
  state.store_in_trouble = !store_problem().empty();
  state.schedules = scheduler_.views();
  state.coverage = scheduler_.coverage();
  if (sweep_) state.swept = sweep_->targets();
  state.untestable = untestable();
  RAD_TRY(const MetricsInput input,
          gather_metrics(config(), context_->generation->catalog.schemas, store_, state));
  return render_metrics(input);
}

Daemon::Daemon(asio::any_io_executor executor, std::shared_ptr<const Generation> generation,
               Loader loader, StoreKeeper& keeper, const Clock& clock)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(generation), std::move(loader),
                                   keeper, clock)) {}
Daemon::~Daemon() = default;
asio::awaitable<void> Daemon::run() {
  return impl_->run();
}
void Daemon::stop() {
  impl_->stop();
}
asio::awaitable<Status> Daemon::reload() {
  return impl_->reload();
}
void Daemon::on_reload(std::function<void(bool)> handler) {
  impl_->reload_handler_ = std::move(handler);
}
void Daemon::on_tick(std::function<void(const StatusView&)> handler) {
  impl_->tick_handler_ = std::move(handler);
}
Result<std::string> Daemon::metrics() const {
  return impl_->metrics();
}
Result<StartAnswer> Daemon::start_run(const Caller& caller, const StartRequest& request) {
  return impl_->start_run(caller, request);
}
Status Daemon::cancel_run(const Caller& caller, const std::string& run_id, const std::string& why) {
  return impl_->cancel_run(caller, run_id, why);
}
Status Daemon::pause(const Caller& caller, PauseView pause) {
  return impl_->pause(caller, std::move(pause));
}
Status Daemon::resume(const Caller& caller, const std::string& target,
                      const std::string& schedule) {
  return impl_->resume(caller, target, schedule);
}
void Daemon::audit(const Caller& caller, const std::string& action, const std::string& subject,
                   const std::string& note, bool allowed, const std::string& outcome) {
  const bool plain = outcome.empty() && !allowed;
  impl_->audit(caller, action, subject, note, allowed, plain ? "refused" : outcome);
}
StatusView Daemon::status() const {
  return impl_->status();
}
Result<std::vector<TargetView>> Daemon::targets() const {
  return impl_->targets();
}
Result<std::vector<ScheduleView>> Daemon::schedules() const {
  return impl_->scheduler_.views();
}
Result<std::vector<MissedView>> Daemon::missed(const MissedFilter& filter) const {
  return impl_->store_.list_missed(filter);
}
std::shared_ptr<const Generation> Daemon::generation() const {
  return impl_->context_->generation;
}
std::shared_ptr<RunFeed> Daemon::feed(const std::string& run_id) const {
  return impl_->live_.feed(run_id);
}
Store& Daemon::store() const noexcept {
  return impl_->store_;
}

}  // namespace rad
