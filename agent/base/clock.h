// Where time comes from. Only base/ reads the system's clocks; everything else is handed a Clock,
// so that tests own time (tests/support/fake_clock.h).
#pragma once

#include <chrono>

namespace rad {

using TimePoint = std::chrono::sys_time<std::chrono::milliseconds>;  ///< UTC, wall clock
using SteadyPoint = std::chrono::steady_clock::time_point;           ///< for durations and limits

/// Thread-safe in every implementation.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual SteadyPoint steady_now() const = 0;
};

/// The host's clocks.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
  }
  SteadyPoint steady_now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace rad
