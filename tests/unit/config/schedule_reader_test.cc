// Schedules and rotations: what fits together, and what is told when it does not.
#include "agent/config/schedule_reader.h"

#include <gtest/gtest.h>

#include "agent/config/loader.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

LoadResult load(const std::string& text) {
  const test::TempDir dir;
  return load_config(dir.write("rad.yaml", text), {});
}

std::string target(const std::string& name, const std::string& schedules) {
  return "  - {name: " + name + ", restore: {plugin: p}, schedules: [" + schedules + "]}\n";
}

LoadResult load_schedule(const std::string& schedule) {
  return load("targets:\n" + target("a", schedule));
}

std::string first_error(const LoadResult& result) {
  return result.errors.empty() ? ""
                               : result.errors.front().key + ": " + result.errors.front().message;
}

TEST(Schedules, DefaultsOfTiming) {
  const auto result = load_schedule("{name: rad, cron: \"0 6 2 * *\", depth: restore}");
  ASSERT_TRUE(result.ok()) << to_text(result.errors, "error");
  const auto& schedule = result.config.targets[0].schedules[0];
  EXPECT_EQ(schedule.trigger, ScheduleTrigger::cron);
  EXPECT_EQ(schedule.timing.jitter, 0ms);
  EXPECT_EQ(schedule.timing.catch_up, CatchUp::once);
  EXPECT_EQ(schedule.timing.window, std::nullopt);
  EXPECT_EQ(schedule.timing.priority, 0);
}

TEST(Schedules, Everything) {
  const auto result = load_schedule(
      "{name: x, cron: \"0 6 L * *\", depth: restore, jitter: 20m, catch_up: skip, window: 3d, "
      "priority: -3}, {name: y, after_backup: 30m, depth: verify, jitter: 1m}, "
      "{name: z, before_next_backup: true, lead: 3h, depth: verify}");
  ASSERT_TRUE(result.ok()) << to_text(result.errors, "error");
  const auto& schedules = result.config.targets[0].schedules;
  EXPECT_EQ(schedules[0].timing.jitter, 20min);
  EXPECT_EQ(schedules[0].timing.catch_up, CatchUp::skip);
  EXPECT_EQ(schedules[0].timing.window, std::chrono::milliseconds(72h));
  EXPECT_EQ(schedules[0].timing.priority, -3);
  EXPECT_EQ(schedules[1].trigger, ScheduleTrigger::after_backup);
  EXPECT_EQ(schedules[1].after_backup, 30min);
  EXPECT_EQ(schedules[2].trigger, ScheduleTrigger::before_next_backup);
  EXPECT_EQ(schedules[2].lead, std::chrono::milliseconds(3h));
}

TEST(Schedules, ExactlyOneTrigger) {
  const std::string expected =
      ", expected exactly one of cron, after_backup and before_next_backup";
  EXPECT_EQ(first_error(load_schedule("{name: x, depth: restore}")),
            "targets[0].schedules[0]: found none" + expected);
  EXPECT_EQ(
      first_error(load_schedule("{name: x, depth: restore, cron: \"@daily\", after_backup: 30m}")),
      "targets[0].schedules[0]: found cron and after_backup" + expected);
  EXPECT_EQ(first_error(load_schedule(
                "{name: x, depth: restore, after_backup: 0s, before_next_backup: true}")),
            "targets[0].schedules[0]: found after_backup and before_next_backup" + expected);
  EXPECT_EQ(first_error(load_schedule(
                "{name: x, depth: restore, cron: \"@daily\", before_next_backup: false}")),
            "");
  // A cron expression that is wrong is told once, as such.
  const auto wrong = load_schedule("{name: x, depth: restore, cron: \"61 * * * *\"}");
  ASSERT_EQ(wrong.errors.size(), 1U) << to_text(wrong.errors, "error");
  EXPECT_EQ(wrong.errors[0].key, "targets[0].schedules[0].cron");
}

TEST(Schedules, WhatHasNoMeaningIsTold) {
  EXPECT_EQ(first_error(load_schedule("{name: x, depth: restore, cron: \"@daily\", lead: 3h}")),
            "targets[0].schedules[0].lead: has a meaning only with before_next_backup");
  EXPECT_EQ(first_error(load_schedule(
                "{name: x, depth: restore, after_backup: 3h, time_zone: Asia/Tokyo}")),
            "targets[0].schedules[0].time_zone: has a meaning only with cron");
  EXPECT_EQ(
      first_error(load_schedule("{name: x, depth: restore, before_next_backup: true, jitter: 5m}")),
      "targets[0].schedules[0].jitter: has a meaning only with cron or after_backup");
}

const std::string kTargets = "targets:\n" + target("disk-10", "") + target("disk-9", "") +
                             target("db", "{name: daily, cron: \"@daily\", depth: restore}");

LoadResult load_rotation(const std::string& rotation) {
  return load(kTargets + "rotations:\n  - {" + rotation + "}\n");
}

TEST(Rotations, MembersInTheOrderOfPatternsAndNames) {
  const auto result = load_rotation(
      "name: fleet, cron: \"7 * * * *\", depth: restore, order: random, targets: [db, disk-*, d*]");
  ASSERT_TRUE(result.ok()) << to_text(result.errors, "error");
  EXPECT_TRUE(result.warnings.empty()) << to_text(result.warnings, "warning");
  ASSERT_EQ(result.config.rotations.size(), 1U);
  const auto& rotation = result.config.rotations[0];
  EXPECT_EQ(rotation.members, (std::vector<std::string>{"db", "disk-10", "disk-9"}));
  EXPECT_EQ(rotation.order, RotationOrder::random);
  EXPECT_EQ(rotation.depth, Depth::restore);
  EXPECT_EQ(rotation.cron.text(), "7 * * * *");
  const auto one = load_rotation("name: f, cron: \"@daily\", depth: inspect, targets: \"disk-?\"");
  ASSERT_TRUE(one.ok()) << to_text(one.errors, "error");
  EXPECT_EQ(one.config.rotations[0].members, (std::vector<std::string>{"disk-9"}));
  // disk-10 is tested by hand only, disk-9 is never restored.
  EXPECT_EQ(one.warnings.size(), 2U) << to_text(one.warnings, "warning");
}

TEST(Rotations, MistakesAreTold) {
  const std::string rest = ", cron: \"@daily\", depth: inspect";
  EXPECT_EQ(first_error(load_rotation("name: f, targets: [disk-9, dsk-9]" + rest)),
            "rotations[0].targets[1]: 'dsk-9' matches no target");
  EXPECT_EQ(first_error(load_rotation("name: f, targets: []" + rest)),
            "rotations[0].targets: found an empty list, expected at least one name");
  EXPECT_EQ(first_error(load_rotation("name: f, targets: [Disk*]" + rest)),
            "rotations[0].targets[0]: found 'Disk*', expected a name of a-z, 0-9, - and _, or a "
            "pattern of it with * and ?");
  EXPECT_EQ(first_error(load_rotation("name: f, targets: [{a: b}]" + rest)),
            "rotations[0].targets[0]: found a mapping, expected a name");
  EXPECT_EQ(first_error(load_rotation("name: db, targets: [disk-9]" + rest)),
            "rotations[0].name: 'db' is also the name of a target");
  EXPECT_EQ(first_error(load_rotation("name: daily, targets: [d*]" + rest)),
            "rotations[0].name: 'daily' is also the name of a schedule of its member 'db'");
  EXPECT_EQ(first_error(load_rotation("name: daily, targets: [disk-9]" + rest)), "");
  EXPECT_EQ(first_error(load_rotation("name: manual, targets: [disk-9]" + rest)),
            "rotations[0].name: found 'manual', which stands for runs by hand");
}

TEST(Matches, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches("*", "a"));
  EXPECT_TRUE(matches("a*b*c", "a-b-b-c"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_TRUE(matches("abc**", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("a*b", "abc"));
  EXPECT_FALSE(matches("abc", "ab"));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("*a*a*a*a*a*a*a*a*b", std::string(63, 'a')));
}

}  // namespace
}  // namespace rad
