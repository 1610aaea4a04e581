#include "agent/cli/radctl/words.h"

#include <array>
#include <ctime>

#include <fmt/format.h>

#include "agent/base/reason.h"
#include "agent/base/text.h"
#include "agent/report/layout.h"

namespace rad::radctl {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kNarrowest = 60;

std::string format(TimePoint time, const char* pattern, bool local) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  if ((local ? ::localtime_r(&seconds, &parts) : ::gmtime_r(&seconds, &parts)) == nullptr)
    return {};
  std::array<char, 64> buffer{};
  const std::size_t size = std::strftime(buffer.data(), buffer.size(), pattern, &parts);
  return {buffer.data(), size};
}

/// Seconds are noise beside minutes, and their parts always.
std::string span(milliseconds duration) {
  using std::chrono::minutes;
  if (duration >= minutes(1)) return format_duration(std::chrono::floor<minutes>(duration));
  return fmt::format("{}s", std::chrono::floor<std::chrono::seconds>(duration).count());
}

}  // namespace

std::string relative(std::optional<TimePoint> time, TimePoint now) {
  if (!time) return "never";
  const milliseconds distance = *time - now;
  if (distance < std::chrono::seconds(1) && distance > -std::chrono::seconds(1)) return "now";
  if (distance > milliseconds(0)) return "in " + span(distance);
  return span(-distance) + " ago";
}

std::string utc_time(std::optional<TimePoint> time) {
  return time ? format(*time, "%Y-%m-%d %H:%M UTC", false) : std::string();
}

std::string local_time(std::optional<TimePoint> time) {
  return time ? format(*time, "%a %d %b %H:%M %Z", true) : std::string();
}

std::string paint(std::string_view text, Colour colour, const Look& look) {
  if (!look.style.colour || colour == Colour::none) return std::string(text);
  constexpr std::array<std::string_view, 5> kCodes{"", "\033[1;32m", "\033[1;31m", "\033[1;33m",
                                                   "\033[1m"};
  return fmt::format("{}{}\033[0m", kCodes.at(static_cast<std::size_t>(colour)), text);
}

std::string heading(std::string_view title, const Look& look) {
  return "\n" + paint(title, Colour::bold, look) + "\n";
}

std::string table(const std::vector<std::vector<std::string>>& rows, const Look& look,
                  std::size_t indent) {
  if (rows.size() < 2) return {};
  std::string out;
  for (const std::string& line :
       layout_table(rows, std::max(look.style.width, kNarrowest), indent)) {
    out += line + "\n";
  }
  return out;
}

std::string fact(std::string_view label, std::string_view text, const Look& look,
                 std::size_t label_columns) {
  return labelled(label, text, label_columns, std::max(look.style.width, kNarrowest));
}

std::string fact_with(std::string_view label, std::string_view text, std::string_view command,
                      const Look& look, std::size_t label_columns) {
  return fact(label, text, look, label_columns) +
         fmt::format("{}{}\n", std::string(label_columns + 4, ' '), command);
}

std::string short_id(const std::string& run_id) {
  const std::size_t dash = run_id.rfind('-');
  return dash == std::string::npos ? run_id : run_id.substr(dash + 1);
}

std::string reason_words(const std::string& reason) {
  if (reason.empty()) return {};
  const auto known = parse_reason(reason);
  return known ? fmt::format("{} ({})", info(*known).text, reason) : reason;
}

std::string verdict_word(const std::string& verdict) {
  return verdict.empty() ? "going on" : verdict;
}

Colour verdict_colour(const std::string& verdict) {
  if (verdict == "pass") return Colour::good;
  if (verdict == "fail") return Colour::bad;
  return verdict.empty() ? Colour::none : Colour::doubtful;
}

std::string count(std::size_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string pause_subject(JsonView pause) {
  const std::string target = pause.text("target");
  const std::string schedule = pause.text("schedule");
  const std::string whose = target == "*" ? "every target" : target;
  if (schedule == "*") return "all schedules of " + whose;
  return fmt::format("schedule {} of {}", schedule, whose);
}

std::string pause_words(JsonView pause, TimePoint now) {
  const auto until = pause.time("until");
  return fmt::format("{} paused {} {}: {}", pause.text("owner"), pause_subject(pause),
                     until ? fmt::format("until {} ({})", utc_time(until), relative(until, now))
                           : "until somebody resumes it",
                     pause.text("reason"));
}

}  // namespace rad::radctl
