#include "agent/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <date/date.h>
#include <fmt/format.h>

namespace rad {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  double size;
};

constexpr std::array kDurationUnits{Unit{"ms", 1},        Unit{"s", 1000},
                                    Unit{"m", 60'000},    Unit{"h", 3600'000},
                                    Unit{"d", 86400'000}, Unit{"w", 604800'000}};
constexpr std::array kByteUnits{Unit{"", 1},         Unit{"B", 1},        Unit{"kB", 1e3},
                                Unit{"KB", 1e3},     Unit{"MB", 1e6},     Unit{"GB", 1e9},
                                Unit{"TB", 1e12},    Unit{"PB", 1e15},    Unit{"KiB", 0x1p10},
                                Unit{"MiB", 0x1p20}, Unit{"GiB", 0x1p30}, Unit{"TiB", 0x1p40},
                                Unit{"PiB", 0x1p50}};

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Takes "12" or "1.5" from the front of `text`; no sign, no exponent.
std::optional<double> take_number(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && (is_digit(text[length]) || text[length] == '.')) ++length;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (length == 0 || error != std::errc{} || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && is_letter(text[length])) ++length;
  const std::string_view letters = text.substr(0, length);
  text.remove_prefix(length);
  return letters;
}

template <class Units>
std::optional<double> unit_size(const Units& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.size;
  }
  return std::nullopt;
}

/// Takes exactly `digits` digits.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (!is_digit(text[i])) return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// Milliseconds of a fraction ".715795", cut, not rounded: never later than what was written.
std::optional<milliseconds> take_fraction(std::string_view& text) {
  if (!take(text, ".,")) return milliseconds{0};
  int value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && is_digit(text[digits]); ++digits) {
    if (digits < 3) value = value * 10 + (text[digits] - '0');
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  for (; digits < 3; ++digits) value *= 10;
  return milliseconds{value};
}

/// Takes the rest of the text as an offset from UTC: "", "Z", "UTC", "GMT", "+00", "+0530",
/// "-03:30".
std::optional<milliseconds> take_offset(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  if (text.empty() || text == "Z" || text == "z" || text == "UTC" || text == "GMT") {
    return milliseconds{0};
  }
  const int sign = text.front() == '-' ? -1 : 1;
  if (!take(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 15) return std::nullopt;
  int minutes = 0;
  if (!text.empty()) {
    take(text, ":");
    const auto read = take_digits(text, 2);
    if (!read || *read > 59 || !text.empty()) return std::nullopt;
    minutes = *read;
  }
  return sign * (std::chrono::hours(*hours) + std::chrono::minutes(minutes));
}

std::optional<TimePoint> read_time(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, "-")) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, "Tt ")) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ":")) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59 || !take(text, ":")) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *second > 60) return std::nullopt;  // 60 is a leap second
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset) return std::nullopt;
  const auto date = date::year(*year) / date::month(static_cast<unsigned>(*month)) /
                    date::day(static_cast<unsigned>(*day));
  if (!date.ok()) return std::nullopt;
  return TimePoint(date::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second) + *fraction - *offset;
}

/// Length of the UTF-8 sequence at the front of `text` and its code point; 0 if it is none.
std::pair<std::size_t, char32_t> decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, first};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {0, 0};
  char32_t point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {0, 0};
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  if (overlong || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return {0, 0};
  return {length, point};
}

/// Characters that move the cursor, break the line or turn the direction of writing.
bool is_unfit(char32_t point) {
  return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x2028 || point == 0x2029 ||
         (point >= 0x200E && point <= 0x200F) || (point >= 0x202A && point <= 0x202E) ||
         (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

/// Lower case, with '-' and '_' alike: neither is a mistake worth a distance.
std::string folded(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return result;
}

/// Edit distance in which a swap of neighbours counts once (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::string format_rfc3339(TimePoint time) {
  const auto days = date::floor<date::days>(time);
  const date::year_month_day day(days);
  const date::hh_mm_ss<milliseconds> clock(time - days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

Result<TimePoint> parse_time(std::string_view text) {
  if (const auto time = read_time(text)) return *time;
  return fail(Reason::config_invalid, fmt::format("'{}' is not a time", printable(text, 100)),
              "write it like 2026-11-20T18:44:51Z or '2026-11-20 18:44:51+00'");
}

Result<milliseconds> parse_duration(std::string_view text) {
  const Error error =
      fail(Reason::config_invalid, fmt::format("'{}' is not a duration", printable(text, 100)),
           "write a number with a unit ms, s, m, h, d or w, for example 90s, 26h or 1d12h");
  double total = 0;
  std::string_view rest = text;
  do {
    const auto number = take_number(rest);
    if (!number) return error;
    const auto unit = unit_size(kDurationUnits, take_letters(rest));
    if (!unit) return error;
    total += *number * *unit;
  } while (!rest.empty());
  constexpr double kLimit = 36525.0 * 86400'000;
  if (total > kLimit) {
    return fail(Reason::config_invalid,
                fmt::format("the duration '{}' is longer than 100 years", printable(text, 100)));
  }
  return milliseconds(std::llround(total));
}

std::string format_duration(milliseconds duration) {
  const std::int64_t ms = duration.count();
  if (ms < 0) return "-" + format_duration(-std::max(duration, -milliseconds::max()));
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 9950) return fmt::format("{:.1f}s", static_cast<double>(ms) / 1000);
  const std::int64_t s = ms / 1000 + (ms % 1000 >= 500 ? 1 : 0);
  const auto two = [](std::int64_t big, char big_unit, std::int64_t small, char small_unit) {
    return small == 0 ? fmt::format("{}{}", big, big_unit)
                      : fmt::format("{}{} {}{}", big, big_unit, small, small_unit);
  };
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return two(s / 60, 'm', s % 60, 's');
  if (s < 86400) return two(s / 3600, 'h', s % 3600 / 60, 'm');
  return two(s / 86400, 'd', s % 86400 / 3600, 'h');
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const Error error =
      fail(Reason::config_invalid, fmt::format("'{}' is not a size", printable(text, 100)),
           "write bytes with or without a unit, for example 512, 64KiB, 1.5GiB or 2GB");
  std::string_view rest = text;
  std::uint64_t whole = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (code == std::errc{} && end == text.data() + text.size()) return whole;
  const auto number = take_number(rest);
  if (!number) return error;
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const auto unit = unit_size(kByteUnits, rest);
  if (!unit) return error;
  const double bytes = std::round(*number * *unit);
  if (!(bytes < 0x1p63)) {
    return fail(Reason::config_invalid,
                fmt::format("the size '{}' is 8 EiB or more", printable(text, 100)));
  }
  return static_cast<std::uint64_t>(bytes);
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::array kNames{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  // 1023.95 would be printed as 1024.0.
  while (value >= 1023.95 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kNames.at(unit));
}

std::optional<std::string> closest(std::string_view word,
                                   const std::vector<std::string>& candidates) {
  constexpr std::size_t kLongest = 100;
  if (word.empty() || word.size() > kLongest) return std::nullopt;
  const std::string wanted = folded(word);
  std::optional<std::string> best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > kLongest) continue;
    const std::size_t distance = edit_distance(wanted, folded(candidate));
    // One mistake in three letters still reads as the same word.
    const std::size_t limit = std::max<std::size_t>(1, std::max(word.size(), candidate.size()) / 3);
    const bool nothing_shared = distance >= std::min(word.size(), candidate.size());
    if (distance > limit || (nothing_shared && distance > 0)) continue;
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  constexpr std::string_view kCut = "…";
  std::string result;
  result.reserve(std::min(text.size(), max_bytes));
  std::size_t cut_at = 0;  // last end of a character that leaves room for the mark
  while (!text.empty()) {
    const auto [length, point] = decode(text);
    const std::size_t taken = std::max<std::size_t>(length, 1);
    std::string_view shown = text.substr(0, taken);
    if (length == 0) {
      shown = "?";
    } else if (point == '\n' || point == '\r' || point == '\t') {
      shown = " ";
    } else if (is_unfit(point)) {
      shown = "?";
    }
    if (result.size() + shown.size() > max_bytes) {
      result.resize(cut_at);
      if (max_bytes >= kCut.size()) result += kCut;
      return result;
    }
    result += shown;
    if (result.size() + kCut.size() <= max_bytes) cut_at = result.size();
    text.remove_prefix(taken);
  }
  return result;
}

}  // namespace rad
