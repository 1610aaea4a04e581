// The daemon's inside, shared by the files that carry its public calls out. Internal to agent/run.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "agent/run/daemon.h"
#include "agent/run/holds.h"
#include "agent/run/live_runs.h"
#include "agent/run/metrics_source.h"
#include "agent/run/run_queue.h"
#include "agent/run/scheduler.h"
#include "agent/run/sweep.h"

namespace rad {

class Daemon::Impl : public std::enable_shared_from_this<Daemon::Impl> {
 public:
  Impl(boost::asio::any_io_executor executor, std::shared_ptr<const Generation> generation,
       Loader loader, StoreKeeper& keeper, const Clock& clock);

  boost::asio::awaitable<void> run();
  void stop();
  boost::asio::awaitable<Status> reload();
  Result<std::string> metrics() const;

  Result<StartAnswer> start_run(const Caller& caller, const StartRequest& request);
  Status cancel_run(const Caller& caller, const std::string& run_id, const std::string& why);
  Status pause(const Caller& caller, Pause pause);
  Status resume(const Caller& caller, const std::string& target, const std::string& schedule);
  void audit(const Caller& caller, std::string action, std::string subject, std::string note,
             bool allowed, std::string outcome);

  void write_audit(const AuditEntry& entry);

  Status release_hold(const Caller& caller, const std::string& run_id);
  Result<std::string> open_hold(const Caller& caller, const std::string& run_id);
  boost::asio::awaitable<Result<boost::json::value>> backups(const std::string& target);

  StatusView status() const;
  /// What is wrong with the store now, for people; "" if nothing is.
  std::string store_problem() const;
  /// What keeps tests from beginning, for people, one each.
  std::vector<std::string> troubles() const;
  /// Targets of which no run can begin now.
  std::set<std::string> untestable() const;
  Result<std::vector<TargetView>> targets() const;

  const Config& config() const noexcept { return context_->generation->config; }
  /// Something has changed: the scheduler looks at everything now.
  void look_again() {
    scheduler_.look_again();
    wake_.cancel();
  }

  boost::asio::any_io_executor executor_;
  Loader loader_;
  StoreKeeper& keeper_;
  Store& store_;
  const Clock& clock_;
  std::shared_ptr<const RunContext> context_;
  LiveRuns live_;
  RunQueue queue_;
  Scheduler scheduler_;
  Holds holds_;
  boost::asio::steady_timer wake_;
  boost::asio::steady_timer backups_timer_;
  boost::asio::steady_timer reload_over_;
  std::function<void(const StatusView&)> tick_handler_;
  std::function<void(bool)> reload_handler_;
  DaemonState state_;

 private:
  void use(std::shared_ptr<const Generation> generation);
  void accept(std::shared_ptr<const Generation> generation);
  /// \return what was started and could not begin, by the id of its run
  std::map<std::string, Error> start_due();
  void start(const PlannedStart& planned, std::map<std::string, Error>& not_begun);
  RunRequest request_of(const QueuedRequest& queued) const;
  /// Those that have not begun; ends those that never can.
  std::vector<QueuedRequest> waiting_requests();
  void refuse(const RunRequest& request, const Error& why);
  void bar(const RunRequest& request, const Error& why);
  Barriers barriers() const;
  void run_ended(const RunRequest& request, const Result<RunReport>& report);
  std::vector<RunningRun> running_runs() const;
  boost::asio::awaitable<Status> reload_once();
  /// Plugins that did not answer when the configuration was loaded.
  void ask_broken_plugins();
  boost::asio::awaitable<void> ask_broken_plugins_again();
  void sweep_now();
  void swept(const SweepResult& result);
  void measure();
  bool ready() const;
  void read_store();
  void watch_backups();
  boost::asio::awaitable<void> look_for_backups();
  /// Targets that are asked for their backups, some at a time.
  struct BackupRound {
    std::shared_ptr<const RunContext> context;
    std::vector<const TargetConfig*> targets;
    std::size_t next = 0;
  };
  boost::asio::awaitable<void> ask_all_for_backups();
  boost::asio::awaitable<void> ask_in_turn(std::shared_ptr<BackupRound> round);
  void prune();

  struct Busy {
    std::string run_id;
    std::optional<std::chrono::milliseconds> time_left;
    bool goes_on = false;  ///< else it waits
  };
  std::optional<Busy> busy_with(const std::string& target) const;

  struct Refused {
    std::size_t times = 0;
    SteadyPoint until{};
    std::string why;
  };
  /// By (target, schedule): what could not begin when it was tried last.
  std::map<std::pair<std::string, std::string>, Refused> refused_;
  std::string refuse_error_;
  std::map<std::string, std::string> backup_errors_;  ///< by target: why it could not be asked
  /// By target: a run beside the daemon, and until when to believe in it.
  std::map<std::string, std::pair<SteadyPoint, std::string>> held_elsewhere_;
  TimePoint started_at_{};
  TimePoint config_loaded_at_{};
  std::string config_error_;
  std::uint64_t reloads_begun_ = 0;
  std::uint64_t reloads_ended_ = 0;
  Status last_reload_{};
  std::string store_error_;
  std::shared_ptr<const RunContext> sweep_context_;  ///< sweep_ refers to it
  std::unique_ptr<Sweep> sweep_;                     ///< while it goes on
  OffLoop measuring_off_loop_;
  SteadyPoint began_at_{};
  SteadyPoint swept_at_{};
  SteadyPoint prune_at_{};
  std::optional<SteadyPoint> measured_at_;
  bool first_prune_ = true;
  bool runs_were_pruned_ = false;  ///< by the parts of the pruning that goes on
  bool stopping_ = false;
  bool watching_ = false;
  bool measuring_ = false;
  bool asking_plugins_ = false;
  SteadyPoint ask_plugins_at_{};
  SteadyPoint::duration plugin_patience_{};
  bool swept_once_ = false;
};

}  // namespace rad
