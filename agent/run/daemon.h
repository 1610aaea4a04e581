// The daemon: starts what is due and what people ask for, and tells what goes on.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include "agent/base/clock.h"
#include "agent/config/config.h"
#include "agent/model/caller.h"
#include "agent/model/run_report.h"
#include "agent/run/daemon_views.h"
#include "agent/run/generation.h"
#include "agent/run/run_feed.h"
#include "agent/run/store_keeper.h"
#include "agent/store/store.h"

namespace rad {

enum class IfBusy : std::uint8_t { queue, attach, refuse };

/// What somebody asks for.
struct StartRequest {
  std::string target;
  std::optional<Depth> depth;  ///< default restore
  std::optional<std::string> backup;
  std::optional<std::string> recover_to;
  std::optional<std::chrono::milliseconds> hold;  ///< keep the instance for so long
  std::string note;                               ///< why; must not be empty
  IfBusy if_busy = IfBusy::queue;
};

struct StartAnswer {
  enum class State : std::uint8_t { started, queued, attached };
  State state = State::started;
  std::string run_id;     ///< attached: of the run that goes on
  std::string waits_for;  ///< queued: what it waits for, in words
  std::optional<std::string> behind_run;
  std::optional<std::chrono::milliseconds> time_left;  ///< of that run; nothing if unknown
};

/// One thread: the executor's. Errors name their reason; the control API makes statuses of them:
/// `config_invalid` for what does not exist or is not understood, `target_busy`.
class Daemon {
 public:
  /// Loads the configuration again. \return what is wrong with the file, all of it.
  using Loader = std::function<boost::asio::awaitable<Result<std::shared_ptr<const Generation>>>()>;

  /// `keeper` and `clock` outlive it.
  Daemon(boost::asio::any_io_executor executor, std::shared_ptr<const Generation> generation,
         Loader loader, StoreKeeper& keeper, const Clock& clock);
  ~Daemon();

  /// Runs until stop(); then cancels what goes on and returns when it is cleaned up and reported,
  /// or after agent.stop_timeout: what then is left, the next start cleans up after.
  boost::asio::awaitable<void> run();
  void stop();

  /// All or nothing: an error changes nothing, and is shown in status() and the metrics until the
  /// next reload. Running runs keep what they began with. One at a time: whoever asks while one
  /// goes on gets the answer of the next, which all who wait share. \return what is wrong; every
  /// mistake of the file is in `detail`, as check-config prints it.
  boost::asio::awaitable<Status> reload();
  /// Called with true when a reload begins and with false when it is over, whoever asked for it.
  void on_reload(std::function<void(bool begins)> handler);

  /// Called at each turn of the loop, at least every 2 s: feeds a watchdog.
  void on_tick(std::function<void(const StatusView&)> handler);

  /// The text of /metrics now. \return the store's error.
  Result<std::string> metrics() const;

  // What people ask. Every change is written to the audit before it is answered.

  Result<StartAnswer> start_run(const Caller& caller, const StartRequest& request);
  /// Cancels a run that goes on or waits. \return config_invalid when it does neither.
  Status cancel_run(const Caller& caller, const std::string& run_id, const std::string& why);
  Status pause(const Caller& caller, PauseView pause);
  Status resume(const Caller& caller, const std::string& target, const std::string& schedule);
  Status release_hold(const Caller& caller, const std::string& run_id);
  /// The psql line of a held instance; that somebody asked for it stands in the audit.
  Result<std::string> open_hold(const Caller& caller, const std::string& run_id);
  /// Writes one line of the audit: for what was refused, and for a reload.
  /// \param outcome "" is "refused" if it is not allowed
  void audit(const Caller& caller, const std::string& action, const std::string& subject,
             const std::string& note, bool allowed, const std::string& outcome = {});

  // What people look at.

  StatusView status() const;
  Result<std::vector<TargetView>> targets() const;
  Result<std::vector<ScheduleView>> schedules() const;
  Result<std::vector<MissedView>> missed(const MissedFilter& filter) const;
  /// The backups that the target's restore plugin sees now, newest first; its own JSON.
  boost::asio::awaitable<Result<boost::json::value>> backups(const std::string& target);
  std::shared_ptr<const Generation> generation() const;
  /// Of a run that goes on; null if none of this id does.
  std::shared_ptr<RunFeed> feed(const std::string& run_id) const;
  Store& store() const noexcept;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
