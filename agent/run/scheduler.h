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
#include "agent/store/store.h"

namespace rad {

/// A run to start now.
struct PlannedStart {
  std::string target;
  std::string schedule;  ///< "manual" for a request
  Depth depth = Depth::restore;
  std::optional<TimePoint> slot;       ///< of a schedule
  std::optional<std::string> request;  ///< id of the request that it answers
};

/// What the scheduler has to know about the present.
struct SchedulerInput {
  const Config& config;
  const std::vector<QueuedRequest>& requests;
  /// Targets that are being tested, here or by another process, with what to say about it.
  const std::map<std::string, std::string>& busy;
  std::size_t running = 0;  ///< runs of this process
  std::optional<std::uint64_t> scratch_free;
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
  /// When something becomes due that is not due yet.
  TimePoint next_wake() const noexcept;
  /// Share of the members of rotations that the current round has proved, by target's rotation.
  std::map<std::string, double> coverage() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad
