// When a cron expression comes true in a time zone. Pure: no clock is read.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/cron_expression.h"

namespace date {
class time_zone;
}

namespace rad {

/// The instants ("slots") of a schedule. Immutable, cheap to copy, thread-safe.
///
/// Daylight saving: every local time that the expression names comes once. One that the clock jumps
/// over comes at the first instant after the gap (and only once, if several fall together there);
/// one that the clock shows twice comes the first time.
///
/// Range: instants from 1970 to 2200.
class CronSchedule {
 public:
  /// \param time_zone IANA name. \return config_invalid if the host does not know it, or if
  ///   `expression` is empty. Takes up to a millisecond: make it once, not at every tick.
  static Result<CronSchedule> make(CronExpression expression, std::string_view time_zone);

  /// The first slot strictly after `after`.
  TimePoint next(TimePoint after) const;
  /// The last slot at or before `at_or_before`.
  TimePoint previous(TimePoint at_or_before) const;

  /// The longest time between two slots in the years to come, daylight saving set aside: 31 days
  /// for a monthly one, 3 days for one on working days. Alerts and retry windows go by it.
  std::chrono::milliseconds longest_interval() const noexcept { return longest_interval_; }

 private:
  struct Rule {
    CronExpression expression;
    const date::time_zone* zone = nullptr;    ///< lives as long as the process
    std::vector<std::chrono::minutes> times;  ///< of a due day, ascending, never empty
  };

  CronSchedule(CronExpression expression, const date::time_zone* zone,
               std::vector<std::chrono::minutes> times);
  std::chrono::milliseconds longest_interval_{0};
  std::shared_ptr<const Rule> rule_;
};

}  // namespace rad
