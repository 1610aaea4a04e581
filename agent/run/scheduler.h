// From configuration, history and requests to the runs that are to start now. All reasoning is in
// agent/schedule; this reads what it needs from the store and writes down what it found out.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/config/config.h"
#include "agent/model/operations.h"
#include "agent/run/daemon_views.h"
#include "agent/schedule/tick.h"
#include "agent/store/store.h"

namespace rad {

/// A run to start now.
struct PlannedStart {
  std::string target;
  std::string schedule;  ///< "manual" for a request
  Depth depth = Depth::restore;
  std::optional<TimePoint> slot;       ///< of a schedule
  std::optional<std::string> request;  ///< id of the request that it answers
  std::uint64_t scratch = 0;           ///< DueRun::scratch
};

/// What the scheduler has to know about the present.
struct SchedulerInput {
  const Config& config;
  const std::vector<QueuedRequest>& requests;
  std::vector<RunningRun> running;  ///< runs of this process
  std::optional<std::uint64_t> scratch_free;
  Barriers barriers;
};

/// One thread.
class Scheduler {
 public:
  /// Both outlive it.
  Scheduler(Store& store, const Clock& clock);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Before the first tick and after each reload. \return the store's error.
  Status configure(const Config& config);
  /// Looks at everything once: what to start, in order. Slots that have ended since the last time
  /// are written down first. \return the store's error; nothing is to be started then.
  Result<std::vector<PlannedStart>> tick(const SchedulerInput& input);

  /// As of the last tick.
  const std::vector<ScheduleView>& views() const noexcept;
  /// Why a request does not run yet, as of the last tick; "" if nothing holds it.
  std::string waits_for(const std::string& request_id) const;
  /// The next tick looks at everything, whatever time it is: after a pause or the like.
  void look_again() noexcept;
  /// By target that is a member of a rotation: share of the rotation's members that are known to
  /// be good or bad, see rad::coverage().
  const std::map<std::string, double>& coverage() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad
