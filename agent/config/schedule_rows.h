// The option table's rows for schedules and rotations. Part of option_table.cc, which is the only
// one to include it.
#pragma once

#include <array>
#include <cstdint>

#include "agent/config/option_table.h"

namespace rad {

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kDayMs = 24 * 60 * kMinuteMs;

// Schedules and rotations say the same words.

constexpr OptionRow jitter_row(std::string_view path) {
  return {.path = path,
          .type = OptionType::duration,
          .default_text = "0s",
          .min = 0,
          .max = kDayMs,
          .summary = "up to how much later than named a run is due",
          .detail =
              "So that many targets do not begin at once. Each time has its own, which no "
              "restart changes, and comes before the next time."};
}

constexpr OptionRow catch_up_row(std::string_view path) {
  return {.path = path,
          .type = OptionType::enumeration,
          .default_text = "once",
          .allowed = "once|skip",
          .summary = "what becomes of a time at which the agent was down or the schedule paused",
          .detail =
              "once: the last one is made up for, late. skip: it is missed. Every missed "
              "time is recorded with its cause, either way."};
}

constexpr OptionRow window_row(std::string_view path) {
  return {.path = path,
          .type = OptionType::duration,
          .default_text = "auto",
          .min = kMinuteMs,
          .max = 90 * kDayMs,
          .allowed = "auto",
          .summary = "how long a run may wait, and an inconclusive one is tried again",
          .detail =
              "auto is 7 days if there are ever more than 7 days between two times, else 6 "
              "hours. It ends when the next time comes. The time in which the agent is down "
              "does not count."};
}

constexpr OptionRow priority_row(std::string_view path) {
  return {.path = path,
          .type = OptionType::integer,
          .default_text = "0",
          .min = -100,
          .max = 100,
          .summary = "which run goes first when not all can go on at once, higher first",
          .detail =
              "Of the same priority, runs by hand go first, then what has been due for "
              "longest."};
}

constexpr OptionRow depth_row(std::string_view path, std::string_view example) {
  return {.path = path,
          .type = OptionType::enumeration,
          .allowed = "inspect|verify|restore",
          .required = true,
          .example = example,
          .summary = "how far a run goes",
          .detail =
              "inspect: names and metadata, seconds. verify: every byte is decrypted, "
              "decompressed and checksummed, nothing is written. restore: restored, "
              "recovered, started and asked."};
}

inline constexpr std::array kScheduleRows{
    OptionRow{.path = "targets[].schedules",
              .type = OptionType::list,
              .summary = "when it is tested, and how deeply",
              .detail = "Each has exactly one of `cron`, `after_backup` and `before_next_backup`."},
    OptionRow{.path = "targets[].schedules[].name",
              .type = OptionType::name,
              .required = true,
              .example = "rad",
              .summary = "name of the schedule, unique in the target; not manual"},
    OptionRow{.path = "targets[].schedules[].cron",
              .type = OptionType::cron,
              .example = "\"0 6 2 * *\"",
              .summary = "five fields: minute hour day-of-month month day-of-week",
              .detail = "Lists, ranges, steps and names (jan, mon) as in crontab(5); L is the last "
                        "day of the month, 5L in day-of-week its last Friday. If both day fields "
                        "are restricted, either is enough. A time that daylight saving leaves out "
                        "comes once, at the first instant after the gap; one that it repeats comes "
                        "once, the first time."},
    OptionRow{.path = "targets[].schedules[].after_backup",
              .type = OptionType::duration,
              .min = 0,
              .max = 30 * kDayMs,
              .summary = "due so long after a new base backup has been completed",
              .detail = "For example 30m. Once for each backup; the newest, if several have come."},
    OptionRow{.path = "targets[].schedules[].before_next_backup",
              .type = OptionType::boolean,
              .default_text = "false",
              .summary = "due so early that it ends before the next base backup is expected",
              .detail = "That is when most WAL is to be replayed. The next backup is expected "
                        "after the second shortest of the last seven intervals; until two backups "
                        "have been seen, nothing is due."},
    OptionRow{.path = "targets[].schedules[].lead",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kMinuteMs,
              .max = 30 * kDayMs,
              .allowed = "auto",
              .summary = "with before_next_backup: how long before it",
              .detail = "auto is half as much again as the last run took, and 15 minutes; 2 hours "
                        "while none is known."},
    OptionRow{.path = "targets[].schedules[].time_zone",
              .type = OptionType::time_zone,
              .default_text = "<agent.time_zone>",
              .summary = "time zone of cron"},
    depth_row("targets[].schedules[].depth", "restore"),
    jitter_row("targets[].schedules[].jitter"),
    catch_up_row("targets[].schedules[].catch_up"),
    window_row("targets[].schedules[].window"),
    priority_row("targets[].schedules[].priority"),
};

inline constexpr std::array kRotationRows{
    OptionRow{.path = "rotations",
              .type = OptionType::list,
              .summary = "sets of targets of which one is tested at each time",
              .detail = "For a fleet too large to test all of it at once. In each round every "
                        "member has its turn; which one comes next survives a restart."},
    OptionRow{.path = "rotations[].name",
              .type = OptionType::name,
              .required = true,
              .example = "fleet",
              .summary = "name of the rotation, the schedule of its runs",
              .detail = "Unique, and no target and no schedule of a member has it; not manual."},
    OptionRow{.path = "rotations[].targets",
              .type = OptionType::name_list,
              .required = true,
              .example = "[customers-db]",
              .summary = "names of the members, or patterns with * and ?",
              .detail = "What a pattern matches is taken in the order of the names. Targets of "
                        "conf.d count; each pattern must match something."},
    OptionRow{.path = "rotations[].cron",
              .type = OptionType::cron,
              .required = true,
              .example = "\"7 * * * *\"",
              .summary = "when the next member is due, as in a schedule"},
    OptionRow{.path = "rotations[].time_zone",
              .type = OptionType::time_zone,
              .default_text = "<agent.time_zone>",
              .summary = "time zone of cron"},
    depth_row("rotations[].depth", "verify"),
    OptionRow{.path = "rotations[].order",
              .type = OptionType::enumeration,
              .default_text = "rotate",
              .allowed = "rotate|random",
              .summary = "whose turn it is",
              .detail = "rotate: in the order of the list. random: shuffled anew for each round, "
                        "so that each still comes once a round."},
    jitter_row("rotations[].jitter"),
    catch_up_row("rotations[].catch_up"),
    window_row("rotations[].window"),
    priority_row("rotations[].priority"),
};

}  // namespace rad
