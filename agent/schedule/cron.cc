#include "agent/schedule/cron.h"

#include <algorithm>
#include <optional>

#include <date/tz.h>
#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

using date::days;
using date::local_days;
using date::local_seconds;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

/// 29 February on a given weekday can be 40 years away (across 2100); nothing is further.
constexpr int kMaxDays = 41 * 366;

bool is_due(const CronExpression& cron, local_days day) {
  const date::year_month_day ymd{day};
  if (!cron.month(static_cast<unsigned>(ymd.month()))) return false;
  const date::year_month_day_last last{ymd.year(), date::month_day_last{ymd.month()}};
  return cron.day(static_cast<unsigned>(ymd.day()), static_cast<unsigned>(last.day()),
                  date::weekday{day}.c_encoding());
}

/// Never decreases from one local time to the next.
TimePoint instant_of(const date::time_zone& zone, local_seconds local) {
  const auto info = zone.get_info(local);
  switch (info.result) {
    case date::local_info::nonexistent:
      return info.second.begin;
    case date::local_info::ambiguous:
    case date::local_info::unique:
    default:
      return date::sys_seconds{local.time_since_epoch() - info.first.offset};
  }
}

/// Minutes of a due day, ascending.
std::vector<minutes> times_of_day(const CronExpression& cron) {
  std::vector<minutes> times;
  for (unsigned hour = 0; hour < 24; ++hour) {
    for (unsigned minute = 0; minute < 60 && cron.hour(hour); ++minute) {
      if (cron.minute(minute)) times.push_back(hours(hour) + minutes(minute));
    }
  }
  return times;
}

local_days local_day_of(const date::time_zone& zone, TimePoint instant) {
  const auto time = date::floor<seconds>(instant);
  return date::floor<days>(zone.to_local(time));
}

/// The first due day at or after `day`, the last one at or before it; nothing for 41 years:
/// nothing.
std::optional<local_days> due_day(const CronExpression& cron, local_days day, bool forward) {
  const auto limit = forward ? day + days(kMaxDays) : day - days(kMaxDays);
  while (forward ? day < limit : day > limit) {
    const date::year_month_day ymd{day};
    if (!cron.month(static_cast<unsigned>(ymd.month()))) {
      const local_days first{ymd.year() / ymd.month() / 1};
      day =
          forward ? local_days{(ymd.year() / ymd.month() + date::months(1)) / 1} : first - days(1);
    } else if (is_due(cron, day)) {
      return day;
    } else {
      day += forward ? days(1) : days(-1);
    }
  }
  return std::nullopt;
}

std::chrono::milliseconds longest_gap(const CronExpression& cron,
                                      const std::vector<minutes>& times) {
  minutes in_day{0};
  for (std::size_t i = 1; i < times.size(); ++i) {
    in_day = std::max(in_day, times[i] - times[i - 1]);
  }
  // Any start will do: the calendar from 2021 holds four leap years within the 41 years.
  const local_days start{date::year{2021} / 1 / 1};
  std::optional<local_days> last;
  days between{0};
  for (int i = 0; i < kMaxDays; ++i) {
    const auto day = start + days(i);
    if (!is_due(cron, day)) continue;
    if (last) between = std::max(between, day - *last);
    last = day;
  }
  const auto across = between - (times.back() - times.front());
  return std::max<std::chrono::milliseconds>(in_day, across);
}

}  // namespace

CronSchedule::CronSchedule(CronExpression expression, const date::time_zone* zone,
                           std::vector<minutes> times)
    : longest_interval_(longest_gap(expression, times)),
      rule_(std::make_shared<const Rule>(Rule{std::move(expression), zone, std::move(times)})) {}

Result<CronSchedule> CronSchedule::make(CronExpression expression, std::string_view time_zone) {
  auto times = times_of_day(expression);
  if (times.empty()) {
    return fail(Reason::config_invalid, "the schedule has no cron expression",
                "schedules relative to a backup have no times of their own");
  }
  try {
    return CronSchedule(std::move(expression), date::locate_zone(std::string(time_zone)),
                        std::move(times));
  } catch (const std::exception& exception) {
    return fail(Reason::config_invalid,
                fmt::format("time zone '{}': {}", printable(time_zone, 80), exception.what()),
                "an IANA name such as UTC or Europe/Berlin, and the package tzdata");
  }
}

TimePoint CronSchedule::next(TimePoint after) const {
  const auto& expression = rule_->expression;
  const auto& zone = *rule_->zone;
  const auto& times = rule_->times;
  // A day earlier, because a zone may skip a whole day and put its slots into the next.
  auto day = due_day(expression, local_day_of(zone, after) - days(1), true);
  for (; day; day = due_day(expression, *day + days(1), true)) {
    if (instant_of(zone, *day + times.back()) <= after) continue;
    const auto time = std::partition_point(times.begin(), times.end(), [&](minutes candidate) {
      return instant_of(zone, *day + candidate) <= after;
    });
    return instant_of(zone, *day + *time);
  }
  return TimePoint::max();
}

TimePoint CronSchedule::previous(TimePoint at_or_before) const {
  const auto& expression = rule_->expression;
  const auto& zone = *rule_->zone;
  const auto& times = rule_->times;
  auto day = due_day(expression, local_day_of(zone, at_or_before) + days(1), false);
  for (; day; day = due_day(expression, *day - days(1), false)) {
    if (instant_of(zone, *day + times.front()) > at_or_before) continue;
    const auto time = std::partition_point(times.begin(), times.end(), [&](minutes candidate) {
      return instant_of(zone, *day + candidate) <= at_or_before;
    });
    return instant_of(zone, *day + *std::prev(time));
  }
  return TimePoint::min();
}

}  // namespace rad
