// A clock that stands still until the test moves it.
#pragma once

#include <chrono>
#include <mutex>

#include "agent/base/clock.h"

namespace rad::test {

/// Both clocks move together with advance(); set() moves the wall clock alone, as an operator does.
/// Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(TimePoint now = TimePoint{std::chrono::hours(24 * 20000)}) : now_(now) {}

  TimePoint now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  SteadyPoint steady_now() const override {
    const std::lock_guard lock(mutex_);
    return steady_;
  }
  void set(TimePoint now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
  }
  void advance(std::chrono::milliseconds by) {
    const std::lock_guard lock(mutex_);
    now_ += by;
    steady_ += by;
  }

 private:
  mutable std::mutex mutex_;
  TimePoint now_;
  SteadyPoint steady_{std::chrono::hours(1)};
};

}  // namespace rad::test
