// The five fields of a cron expression as sets. Pure text to value: when they come true in a time
// zone is agent/schedule/cron.h.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include "agent/base/error.h"

namespace rad {

/// minute hour day-of-month month day-of-week, as in crontab(5): `*`, lists, ranges, steps, names
/// (jan, mon; any case), day-of-week 0 and 7 are Sunday, `L` in day-of-month is the month's last
/// day, `5L` or `friL` in day-of-week its last Friday. If both day fields are restricted, a day
/// that matches either is due; a field that begins with `*` counts as not restricted. The nicknames
/// @monthly, @weekly, @daily, @hourly are taken.
class CronExpression {
 public:
  /// \return config_invalid naming the field, what was found and what is allowed; an expression
  ///   that never comes true ("0 0 31 2 *") is an error too.
  static Result<CronExpression> parse(std::string_view text);

  bool minute(unsigned value) const { return minutes_.test(value); }  ///< 0 to 59
  bool hour(unsigned value) const { return hours_.test(value); }      ///< 0 to 23
  bool month(unsigned value) const { return months_.test(value); }    ///< 1 to 12
  /// \param day 1 to 31  \param last_day of that month  \param weekday 0 (Sunday) to 6
  bool day(unsigned day, unsigned last_day, unsigned weekday) const;
  const std::string& text() const noexcept { return text_; }

 private:
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  std::bitset<7> last_weekdays_;
  bool last_day_ = false;
  bool any_day_ = true;
  bool any_weekday_ = true;
  std::string text_;
};

}  // namespace rad
