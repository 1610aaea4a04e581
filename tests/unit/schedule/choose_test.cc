// What starts, what waits and for what; rotations; all of it for a thousand targets.
#include "agent/schedule/choose.h"

#include <chrono>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"
#include "agent/schedule/tick.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow = parse_time("2026-02-03T12:00:00Z").value();

DueRun due(std::string target, std::string schedule, Depth depth, std::chrono::minutes ago,
           int priority = 0, std::uint64_t scratch = 0) {
  return {.target = std::move(target),
          .schedule = std::move(schedule),
          .depth = depth,
          .priority = priority,
          .since = kNow - ago,
          .slot = kNow - ago,
          .scratch = scratch};
}

RunningRun going(std::string target, Depth depth, std::uint64_t used = 0,
                 std::uint64_t to_come = 0) {
  return {"r-" + target, target, "daily", depth, kNow - 1h, used, to_come};
}

std::string started(const Choice& choice) {
  std::string text;
  for (const auto& run : choice.start) text += run.target + "/" + run.schedule + " ";
  return text;
}

std::string waits(const Choice& choice, const std::string& target) {
  for (const auto& held : choice.waiting) {
    if (held.run.target == target) return std::string(to_string(held.cause)) + ": " + held.detail;
  }
  return "";
}

TEST(Choose, PriorityThenByHandThenTheLongestOverdue) {
  auto by_hand = due("d", "manual", Depth::inspect, 1min);
  by_hand.request = "q1";
  const auto choice =
      choose({due("a", "daily", Depth::verify, 10min), due("b", "daily", Depth::verify, 20min),
              by_hand, due("c", "rad", Depth::restore, 5min, 10)},
             {}, {.max_runs = 3});
  EXPECT_EQ(started(choice), "c/rad d/manual b/daily ");
  EXPECT_EQ(waits(choice, "a"), "concurrency: a free place: 3 of 3 runs go on");
}

TEST(Choose, ARunWithoutARecordIsToldOfInTheWordsItCameWith) {
  const RunningRun elsewhere{
      .id = "x", .target = "a", .what = "target 'a' is being tested by run x"};
  const auto choice =
      choose({due("a", "daily", Depth::verify, 10min), due("b", "daily", Depth::verify, 5min)},
             {elsewhere}, {.max_runs = 1});
  EXPECT_EQ(waits(choice, "a"),
            "target_busy: target 'a' is being tested by run x, which holds the target");
  EXPECT_EQ(waits(choice, "b"), "concurrency: a free place: 1 of 1 runs go on");
}

TEST(Choose, NeverTwoRunsOfATargetAndTheDeepestSpeaksForAll) {
  const auto choice =
      choose({due("a", "daily", Depth::verify, 50min, 7), due("a", "rad", Depth::restore, 10min),
              due("b", "daily", Depth::verify, 40min), due("c", "daily", Depth::verify, 90min)},
             {going("c", Depth::verify)}, {.max_runs = 9});
  EXPECT_EQ(started(choice), "a/rad b/daily ");
  EXPECT_EQ(waits(choice, "a"),
            "target_busy: a restore of the same target (rad), which goes first");
  EXPECT_EQ(
      waits(choice, "c"),
      "target_busy: run r-c of c (of daily, verify, since 2026-02-03T11:00:00.000Z), which holds "
      "the target");
}

TEST(Choose, ALargeRunGathersScratch) {
  const Limits limits{.max_runs = 9, .scratch_free = 50, .scratch_reserve = 10};
  const std::vector<RunningRun> running{going("x", Depth::restore, 60, 0)};
  // 40 can be had now, 100 when x has ended.
  const std::vector<DueRun> all{due("large", "rad", Depth::restore, 60min, 0, 90),
                                due("small", "rad", Depth::restore, 50min, 0, 20),
                                due("reads", "daily", Depth::verify, 40min),
                                due("huge", "rad", Depth::restore, 90min, 0, 500)};
  const auto choice = choose(all, running, limits);
  EXPECT_EQ(started(choice), "reads/daily ");
  EXPECT_EQ(waits(choice, "large"), "scratch: scratch space: 90 B are needed, 40 B can be had now");
  EXPECT_EQ(waits(choice, "small"),
            "scratch: scratch space: 20 B are needed, 0 B can be had now, and large comes first");
  EXPECT_EQ(waits(choice, "huge"),
            "scratch: scratch space: 500 B are needed, 40 B can be had now and 100 B "
            "at most");
  EXPECT_EQ(started(choose(all, {}, {.max_runs = 9, .scratch_free = 120, .scratch_reserve = 10})),
            "large/rad small/rad reads/daily ");
}

TEST(Choose, ALargeRunIsNotStarvedBySmallOnes) {
  // Two small ones go on at any time, and new ones come for ever.
  std::vector<RunningRun> running{going("s0", Depth::restore, 30, 0),
                                  going("s1", Depth::restore, 30, 0)};
  const auto large = due("large", "rad", Depth::restore, 10min, 0, 90);
  for (int i = 2; i < 50; ++i) {
    std::uint64_t used = 0;
    for (const auto& run : running) used += run.scratch_used;
    const auto choice =
        choose({large, due(fmt::format("s{}", i), "rad", Depth::restore, 1min, 0, 30)}, running,
               {.max_runs = 9, .scratch_free = 100 - used});
    for (const auto& run : choice.start) {
      if (run.target == "large") return;
      running.push_back(going(run.target, Depth::restore, run.scratch, 0));
    }
    running.erase(running.begin());
  }
  FAIL() << "it never started";
}

TEST(Choose, WhatCannotBeginIsInNobodysWay) {
  auto barred = due("a", "rad", Depth::restore, 60min, 9, 90);
  barred.barred = "a store that can be written";
  const auto choice = choose({barred, due("a", "daily", Depth::verify, 5min),
                              due("b", "rad", Depth::restore, 50min, 0, 20)},
                             {}, {.max_runs = 2, .scratch_free = 100});
  EXPECT_EQ(started(choice), "b/rad a/daily ");
  EXPECT_EQ(waits(choice, "a"), "cannot_begin: a store that can be written");
}

TEST(Choose, WhileItWaitsForItsOwnShallowRunTheScratchIsKept) {
  const auto choice =
      choose({due("large", "rad", Depth::restore, 60min, 0, 90),
              due("small", "rad", Depth::restore, 50min, 0, 20)},
             {going("large", Depth::inspect)}, {.max_runs = 9, .scratch_free = 100});
  EXPECT_EQ(started(choice), "");
}

RotationConfig rotation(int members, RotationOrder order = RotationOrder::rotate) {
  RotationConfig config;
  config.name = "fleet";
  config.order = order;
  for (int i = 0; i < members; ++i) config.members.push_back(fmt::format("disk-{}", i));
  return config;
}

TEST(Rotation, EachOnceARoundWhateverComesAndGoes) {
  for (const auto order : {RotationOrder::rotate, RotationOrder::random}) {
    auto config = rotation(7, order);
    RotationProgress progress;
    std::map<std::string, int> turns_of;
    std::vector<std::string> first_round;
    const auto always = [](const std::string&) { return true; };
    auto slot = kNow;
    for (int i = 0; i < 7 * 30; ++i) {
      if (i == 20) config.members.insert(config.members.begin(), "added");
      if (i == 40) std::erase(config.members, "disk-3");
      const auto round = progress.round;
      const auto member = choose_member(config, progress, always, always).value();
      if (progress.round == 0) first_round.push_back(member);
      EXPECT_TRUE(progress.round == round || progress.done.empty());
      ++turns_of[member];
      slot += 1h;
      note_ended(progress, {{.slot = slot, .last_slot = slot, .answered = true, .target = member}},
                 slot);
      const auto before = progress;
      note_ended(progress, {{.slot = slot, .last_slot = slot, .answered = true, .target = "x"}},
                 slot);
      EXPECT_EQ(progress, before) << "told twice";
    }
    EXPECT_EQ(std::set<std::string>(first_round.begin(), first_round.end()).size(), 7U);
    for (const auto& name : config.members) EXPECT_NEAR(turns_of[name], 28, 3) << name;
    EXPECT_LE(turns_of["disk-3"], 6);
  }
  EXPECT_NE(turns(rotation(7, RotationOrder::random), 1),
            turns(rotation(7, RotationOrder::random), 2));
}

TEST(Rotation, BusyAndPausedMembersLetOthersPass) {
  const auto config = rotation(3);
  RotationProgress progress;
  const auto yes = [](const std::string&) { return true; };
  const auto not_first = [](const std::string& name) { return name != "disk-0"; };
  EXPECT_EQ(choose_member(config, progress, yes, not_first), "disk-1");
  EXPECT_EQ(choose_member(config, progress, not_first, yes), "disk-1");
  EXPECT_EQ(choose_member(config, progress, yes, [](const std::string&) { return false; }),
            "disk-0");
  EXPECT_EQ(choose_member(
                config, progress, [](const std::string&) { return false; }, yes),
            std::nullopt);
  progress.done = {"disk-1", "disk-2"};
  EXPECT_EQ(choose_member(config, progress, not_first, yes), "disk-1");
  EXPECT_EQ(progress.round, 1U);
}

TEST(Rotation, Coverage) {
  auto config = rotation(4);
  const PlannedSchedule planned{
      .target = "fleet",
      .name = "fleet",
      .depth = Depth::verify,
      .cron = CronSchedule::make(CronExpression::parse("0 * * * *").value(), "UTC").value()};
  const auto answer = [](const std::string& name, Depth) -> std::optional<TimePoint> {
    if (name == "disk-0") return kNow - 1h;
    if (name == "disk-1") return kNow - 4h;
    if (name == "disk-2") return kNow - 5h;
    return std::nullopt;
  };
  const auto result = coverage(planned, config, {"fleet", 3, {"disk-0"}, {}}, answer, kNow);
  EXPECT_EQ(result.members, 4U);
  EXPECT_EQ(result.in_round, 1U);
  EXPECT_EQ(result.proved, 2U);
  EXPECT_DOUBLE_EQ(result.ratio, 0.5);
}

TEST(Tick, APauseThatEndsWithTheSlotIsStillItsCause) {
  Config config;
  ScheduleConfig schedule;
  schedule.name = "often";
  schedule.cron = CronExpression::parse("0 */3 * * *").value();
  schedule.time_zone = "UTC";
  schedule.depth = Depth::inspect;
  TargetConfig target;
  target.name = "db";
  target.schedules = {schedule};
  config.targets = {target};
  const auto plan = make_plan(config).value();
  World world;
  world.memories[{"db", "often"}] = {kNow - 24h, kNow - 3h};
  const auto nearly_next = kNow + 3h - 2s;
  world.pauses = {Pause{"db", std::string(kEvery), "anna", "upgrade", kNow - 1h, nearly_next}};
  const auto paused = tick(plan, world, {kNow, kNow - 24h}, {});
  EXPECT_EQ(paused.standings[0].standing.state, SlotState::paused);
  world.hindrances = paused.hindrances;
  const auto next = tick(plan, world, {kNow + 3h + 4s, kNow - 24h}, {.max_runs = 1});
  ASSERT_EQ(next.ended.size(), 1U);
  EXPECT_EQ(next.ended[0].slot.cause, MissCause::paused);
  EXPECT_EQ(next.ended[0].slot.detail, "paused by anna until 2026-02-03T14:59:58.000Z: upgrade");
  EXPECT_EQ(next.start.size(), 1U);
}

TEST(Tick, AThousandTargetsWithThreeSchedules) {
  Config config;
  for (int i = 0; i < 1000; ++i) {
    TargetConfig target;
    target.name = fmt::format("db-{}", i);
    for (const auto& [name, cron, depth] : {std::tuple("rad", "0 6 2 * *", Depth::restore),
                                            {"daily", "30 3 * * *", Depth::verify},
                                            {"often", "17 * * * *", Depth::inspect}}) {
      ScheduleConfig schedule;
      schedule.name = name;
      schedule.cron = CronExpression::parse(cron).value();
      schedule.time_zone = "Europe/Berlin";
      schedule.depth = depth;
      schedule.timing.jitter = 20min;
      target.schedules.push_back(std::move(schedule));
    }
    config.targets.push_back(std::move(target));
  }
  const auto plan = make_plan(config).value();
  World world;
  for (const auto& schedule : plan.schedules) {
    world.memories[{schedule.target, schedule.name}] = {kNow - 24h * 60, kNow - 24h * 40};
    auto& runs = world.runs[schedule.target];
    for (int i = 0; i < 20; ++i) {
      PastRun run{.schedule = schedule.name, .depth = schedule.depth, .begun_at = kNow - i * 1h};
      run.ended_at = run.begun_at + 1min;
      run.verdict = Verdict::pass;
      runs.push_back(std::move(run));
    }
  }
  // The first one after an absence tells what was missed; those after it are the usual ones.
  for (const auto& [key, memory] : tick(plan, world, {kNow, kNow}, {}).memories) {
    world.memories[key] = memory;
  }
  constexpr int kTimes = 20;
  std::size_t standings = 0;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimes; ++i) {
    standings += tick(plan, world, {kNow + i * 10s, kNow}, {.max_runs = 4}).standings.size();
  }
  const auto took = std::chrono::steady_clock::now() - begun;
  fmt::print("a tick of 3000 schedules takes {:.1f} ms\n",
             std::chrono::duration<double, std::milli>(took).count() / kTimes);
  EXPECT_EQ(standings, 3000U * kTimes);
}

}  // namespace
}  // namespace rad
