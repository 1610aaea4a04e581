// Times, tables and headings as all commands of radctl write them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/cli/radctl/context.h"
#include "agent/cli/radctl/json_view.h"

namespace rad::radctl {

/// "3h 20m ago", "in 5m", "now"; "never" for nothing.
std::string relative(std::optional<TimePoint> time, TimePoint now);
/// "2026-11-20 18:44 UTC"; "" for nothing.
std::string utc_time(std::optional<TimePoint> time);
/// "Wed 02 Dec 07:00 CET" in the time zone of the environment; "" for nothing.
std::string local_time(std::optional<TimePoint> time);

enum class Colour { none, good, bad, doubtful, bold };
std::string paint(std::string_view text, Colour colour, const Look& look);
/// "\nTitle\n"
std::string heading(std::string_view title, const Look& look);
/// Header row first; nothing if there is only that. Cells are cut to the width of the terminal.
std::string table(const std::vector<std::vector<std::string>>& rows, const Look& look,
                  std::size_t indent = 2);
/// "  label     text", broken to the width.
std::string fact(std::string_view label, std::string_view text, const Look& look,
                 std::size_t label_columns = 9);

/// The same with a command that can be copied on a line of its own.
std::string fact_with(std::string_view label, std::string_view text, std::string_view command,
                      const Look& look, std::size_t label_columns = 9);
/// The digits that tell a run apart, as find_run() takes them: "1a2b3c4d".
std::string short_id(const std::string& run_id);

/// "the backup's storage cannot be reached (storage_unreachable)"; the name alone if unknown.
std::string reason_words(const std::string& reason);
/// "fail", painted; "going on" for a run without an end.
std::string verdict_word(const std::string& verdict);
Colour verdict_colour(const std::string& verdict);

/// "1 run", "3 runs"
std::string count(std::size_t number, std::string_view what);
/// "*" is every one: "every target", "all schedules of customers-db"
std::string pause_subject(JsonView pause);
/// "alice paused all schedules of x until … (in 3h): reason"
std::string pause_words(JsonView pause, TimePoint now);

}  // namespace rad::radctl
