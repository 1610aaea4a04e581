#include "agent/config/cron_expression.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

using std::string_view;

constexpr string_view kHint =
    "five fields: minute hour day-of-month month day-of-week; '30 3 * * *' is daily at 03:30, "
    "'0 6 2 * *' the 2nd of every month at 06:00";

constexpr std::array<string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                              "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<string_view, 7> kWeekdays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  string_view name;
  unsigned low;
  unsigned high;
  std::span<const string_view> names;  ///< the first one stands for `low`
  bool last_day = false;               ///< takes L
  bool last_weekday = false;           ///< takes 5L
};

constexpr std::array<Field, 5> kFields{
    Field{"minute", 0, 59, {}}, Field{"hour", 0, 23, {}}, Field{"day-of-month", 1, 31, {}, true},
    Field{"month", 1, 12, kMonths}, Field{"day-of-week", 0, 7, kWeekdays, false, true}};

struct FieldValues {
  std::bitset<64> set;
  std::bitset<64> last_set;  ///< the last ones of a month
  bool last_day = false;
  bool any = false;
};

std::vector<string_view> split(string_view text, char separator) {
  std::vector<string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::vector<string_view> words(string_view text) {
  std::vector<string_view> found;
  while (true) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == string_view::npos) return found;
    text.remove_prefix(begin);
    const auto end = text.find_first_of(" \t");
    found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end, text.size()));
  }
}

Error complain(const Field& field, string_view part) {
  std::string allowed = fmt::format("{} to {}", field.low, field.high);
  if (!field.names.empty()) {
    allowed += fmt::format(" or {} to {}", field.names.front(), field.names.back());
  }
  if (field.last_day) allowed += " or L";
  if (field.last_weekday) allowed += " or 5L";
  return fail(Reason::config_invalid,
              fmt::format("field {} is '{}', expected {}, as a number, list, range or step",
                          field.name, printable(part, 40), allowed),
              std::string(kHint));
}

std::optional<unsigned> number_or_name(const Field& field, string_view text) {
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    const bool same =
        std::equal(text.begin(), text.end(), field.names[i].begin(), field.names[i].end(),
                   [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
    if (same) return field.low + static_cast<unsigned>(i);
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < field.low || value > field.high) return std::nullopt;
  return value;
}

/// One element of a list: "*", "5", "1-5", either of the two ranges with "/step".
bool add_part(const Field& field, string_view part, FieldValues& values) {
  if (field.last_day && (part == "L" || part == "l")) {
    values.last_day = true;
    return true;
  }
  if (field.last_weekday && (part.ends_with('L') || part.ends_with('l'))) {
    const auto weekday = number_or_name(field, part.substr(0, part.size() - 1));
    if (weekday) values.last_set.set(*weekday);
    return weekday.has_value();
  }
  unsigned step = 1;
  bool stepped = false;
  if (const auto slash = part.find('/'); slash != string_view::npos) {
    const auto text = part.substr(slash + 1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (error != std::errc{} || end != text.data() + text.size()) return false;
    if (step == 0 || step > field.high) return false;
    part = part.substr(0, slash);
    stepped = true;
  }
  unsigned first = field.low;
  unsigned last = field.high;
  if (part != "*") {
    const auto dash = part.find('-');
    // A step needs a range to walk through.
    if (dash == string_view::npos && stepped) return false;
    const auto from = number_or_name(field, part.substr(0, dash));
    const auto to = dash == string_view::npos ? from : number_or_name(field, part.substr(dash + 1));
    if (!from || !to || *from > *to) return false;
    first = *from;
    last = *to;
  }
  for (unsigned value = first; value <= last; value += step) values.set.set(value);
  return true;
}

Result<FieldValues> parse_field(const Field& field, string_view text) {
  FieldValues values;
  values.any = text.starts_with('*');
  for (const auto part : split(text, ',')) {
    if (!add_part(field, part, values)) return complain(field, part);
  }
  return values;
}

string_view without_nickname(string_view text) {
  constexpr std::array<std::pair<string_view, string_view>, 6> kNicknames{{
      {"@yearly", "0 0 1 1 *"},
      {"@monthly", "0 0 1 * *"},
      {"@weekly", "0 0 * * 0"},
      {"@daily", "0 0 * * *"},
      {"@midnight", "0 0 * * *"},
      {"@hourly", "0 * * * *"},
  }};
  for (const auto& [nickname, meaning] : kNicknames) {
    if (text == nickname) return meaning;
  }
  return text;
}

template <std::size_t Size>
std::bitset<Size> narrowed(const std::bitset<64>& set) {
  std::bitset<Size> result;
  for (std::size_t i = 0; i < Size; ++i) result[i] = set[i];
  return result;
}

}  // namespace

Result<CronExpression> CronExpression::parse(string_view text) {
  const auto fields = words(without_nickname(text));
  if (fields.size() != kFields.size()) {
    return fail(Reason::config_invalid, fmt::format("it has {} fields, expected 5", fields.size()),
                std::string(kHint));
  }
  std::array<FieldValues, 5> values;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    RAD_TRY(values[i], parse_field(kFields[i], fields[i]));
  }
  CronExpression cron;
  cron.text_ = text;
  cron.minutes_ = narrowed<60>(values[0].set);
  cron.hours_ = narrowed<24>(values[1].set);
  cron.days_ = narrowed<32>(values[2].set);
  cron.last_day_ = values[2].last_day;
  cron.any_day_ = values[2].any;
  cron.months_ = narrowed<13>(values[3].set);
  if (values[4].set.test(7)) values[4].set.set(0);
  cron.weekdays_ = narrowed<7>(values[4].set);
  if (values[4].last_set.test(7)) values[4].last_set.set(0);
  cron.last_weekdays_ = narrowed<7>(values[4].last_set);
  cron.any_weekday_ = values[4].any;

  // Each date falls on each weekday at some time in 400 years, so only the length of the months
  // can make an expression impossible.
  constexpr std::array<unsigned, 13> kDays{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  bool possible = cron.last_day_ || (!cron.any_day_ && !cron.any_weekday_);
  for (unsigned month = 1; month <= 12 && !possible; ++month) {
    for (unsigned day = 1; day <= kDays[month]; ++day) {
      possible = possible || (cron.months_[month] && cron.days_[day]);
    }
  }
  if (!possible) {
    return fail(Reason::config_invalid,
                fmt::format("day-of-month '{}' never comes in month '{}'", fields[2], fields[3]),
                "L is the last day of any month");
  }
  return cron;
}

bool CronExpression::day(unsigned day, unsigned last_day, unsigned weekday) const {
  const bool by_day = days_.test(day) || (last_day_ && day == last_day);
  const bool by_weekday =
      weekdays_.test(weekday) || (last_weekdays_.test(weekday) && day + 7 > last_day);
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

}  // namespace rad
