// Slots end once: windows, catch-up, pauses, causes, clocks that jump.
#include "agent/schedule/standing.h"

#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

TimePoint at(std::string_view text) {
  return parse_time(text).value();
}

PlannedSchedule planned(std::string_view cron, std::string_view zone = "UTC") {
  return {.target = "db",
          .name = "s",
          .depth = Depth::verify,
          .cron = CronSchedule::make(CronExpression::parse(cron).value(), zone).value()};
}

PastRun run(TimePoint begun, std::optional<Verdict> verdict, std::string schedule = "s") {
  PastRun past{.schedule = std::move(schedule), .depth = Depth::verify, .begun_at = begun};
  if (verdict) past.ended_at = begun + 5min;
  past.verdict = verdict;
  past.id = "r1";
  return past;
}

/// What evaluate() is told, with everything quiet.
struct Case {
  PlannedSchedule schedule = planned("30 3 * * *");
  std::vector<PastRun> runs{};
  std::vector<SeenBackup> backups{};
  std::vector<std::pair<TimePoint, TimePoint>> missed{};
  ScheduleMemory memory{at("2026-01-01T00:00:00Z"), at("2026-02-02T03:30:00Z")};
  std::optional<Pause> pause{};
  std::optional<Hindrance> hindrance{};
  TimePoint running_since = at("2026-01-01T00:00:00Z");
  bool after_jump = false;

  Evaluation look(std::string_view now) const {
    const ScheduleFacts facts{runs,
                              backups,
                              missed,
                              memory,
                              pause ? &*pause : nullptr,
                              hindrance ? &*hindrance : nullptr};
    return evaluate(schedule, facts, {at(now), running_since, after_jump});
  }
};

std::vector<std::string> told(const Evaluation& evaluation) {
  std::vector<std::string> texts;
  for (const auto& end : evaluation.ended) {
    texts.push_back(format_rfc3339(end.slot).substr(0, 16) + " " +
                    std::string(end.answered ? "answered" : to_string(end.cause)));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Evaluate, AnAnswerEndsTheSlotOnce) {
  Case c;
  c.runs = {run(at("2026-02-03T03:30:00Z"), Verdict::fail)};
  const auto first = c.look("2026-02-03T04:00:00Z");
  EXPECT_EQ(told(first), Texts{"2026-02-03T03:30 answered"});
  EXPECT_EQ(first.ended[0].run, "r1");
  c.memory = first.memory;
  EXPECT_TRUE(c.look("2026-02-03T04:00:01Z").ended.empty());
  c.runs.clear();
  EXPECT_TRUE(c.look("2026-02-03T05:00:00Z").ended.empty()) << "the memory is enough";
}

TEST(Evaluate, WhatNobodyBeganIsMissedAtTheEndOfItsWindow) {
  Case c;
  c.hindrance = Hindrance{MissCause::concurrency, "1 of 1 runs go on"};
  const auto waits = c.look("2026-02-03T09:29:59Z");
  EXPECT_EQ(waits.standing.state, SlotState::due);
  EXPECT_EQ(waits.wake, at("2026-02-03T09:30:00Z"));
  const auto over = c.look("2026-02-03T09:30:00Z");
  EXPECT_EQ(told(over), Texts{"2026-02-03T03:30 concurrency"});
  EXPECT_EQ(over.ended[0].detail, "1 of 1 runs go on");
  EXPECT_EQ(over.standing.state, SlotState::missed);
  EXPECT_EQ(over.standing.start_at, at("2026-02-04T03:30:00Z"));
  c.schedule.timing.window = std::chrono::milliseconds(10h);
  EXPECT_EQ(c.look("2026-02-03T09:30:00Z").standing.state, SlotState::due);
}

TEST(Evaluate, DowntimeIsNotTakenFromTheWindowAndEarlierSlotsAreMissed) {
  Case c;
  c.running_since = at("2026-02-06T20:00:00Z");
  const auto back = c.look("2026-02-06T20:00:05Z");
  EXPECT_EQ(told(back), (Texts{"2026-02-03T03:30 agent_down", "2026-02-04T03:30 agent_down",
                               "2026-02-05T03:30 agent_down"}));
  EXPECT_EQ(back.standing.state, SlotState::due);
  EXPECT_EQ(back.memory.settled, at("2026-02-05T03:30:00Z"));
  c.memory = back.memory;
  EXPECT_EQ(told(c.look("2026-02-07T02:00:00Z")), Texts{"2026-02-06T03:30 agent_down"});
}

TEST(Evaluate, SkipMakesNothingUp) {
  Case c;
  c.schedule.timing.catch_up = CatchUp::skip;
  c.running_since = at("2026-02-03T03:45:00Z");
  EXPECT_EQ(told(c.look("2026-02-03T03:45:01Z")), Texts{"2026-02-03T03:30 agent_down"});
  c.after_jump = true;
  EXPECT_EQ(told(c.look("2026-02-03T03:45:01Z")), Texts{"2026-02-03T03:30 clock_jump"});
  // A short restart loses nothing.
  c.running_since = at("2026-02-03T03:39:00Z");
  EXPECT_EQ(c.look("2026-02-03T03:45:01Z").standing.state, SlotState::due);
}

TEST(Evaluate, PausedIsMadeUpForIfResumedInTheWindow) {
  Case c;
  c.pause =
      Pause{"db", "*", "anna", "upgrade", at("2026-02-03T01:00:00Z"), at("2026-02-03T08:00:00Z")};
  const auto paused = c.look("2026-02-03T07:59:00Z");
  EXPECT_EQ(paused.standing.state, SlotState::paused);
  EXPECT_EQ(paused.standing.start_at, at("2026-02-03T08:00:00Z"));
  EXPECT_EQ(paused.wake, at("2026-02-03T08:00:00Z"));
  auto resumed = c;
  resumed.pause.reset();
  EXPECT_EQ(resumed.look("2026-02-03T08:00:00Z").standing.state, SlotState::due);
  c.pause->until.reset();
  const auto over = c.look("2026-02-03T09:30:00Z");
  EXPECT_EQ(told(over), Texts{"2026-02-03T03:30 paused"});
  EXPECT_EQ(over.ended[0].detail, "paused by anna with no end: upgrade");
  c.schedule.timing.catch_up = CatchUp::skip;
  EXPECT_EQ(told(c.look("2026-02-03T03:30:00Z")), Texts{"2026-02-03T03:30 paused"});
}

TEST(Evaluate, CausesFromTheRuns) {
  Case c;
  auto inconclusive = run(at("2026-02-03T03:30:00Z"), Verdict::inconclusive);
  inconclusive.reason = Reason::storage_unreachable;
  c.runs = {inconclusive};
  c.runs[0].ended_at = at("2026-02-03T09:20:00Z");
  const auto given_up = c.look("2026-02-03T09:20:00Z");
  EXPECT_EQ(told(given_up), Texts{"2026-02-03T03:30 inconclusive_to_the_end"});
  EXPECT_EQ(given_up.ended[0].detail,
            "1 attempt, the last one was run r1 of s: storage_unreachable");
  c.runs = {run(at("2026-02-03T03:30:00Z"), Verdict::cancelled)};
  EXPECT_EQ(told(c.look("2026-02-03T04:00:00Z")), Texts{"2026-02-03T03:30 cancelled"});
  c.runs[0].interrupted = true;
  EXPECT_EQ(c.look("2026-02-03T04:00:00Z").standing.state, SlotState::due)
      << "stopped with the agent, not by somebody";
  c.runs = {run(at("2026-02-03T02:00:00Z"), std::nullopt, "manual")};
  c.runs[0].depth = Depth::inspect;
  const auto busy = c.look("2026-02-03T09:30:00Z");
  EXPECT_EQ(told(busy), Texts{"2026-02-03T03:30 target_busy"});
  EXPECT_EQ(busy.ended[0].detail, "run r1 by hand held the target, begun 2026-02-03T02:00:00.000Z");
}

TEST(Evaluate, ARunThatOutlivesItsSlotStillAnswersIt) {
  Case c;
  c.schedule = planned("0 * * * *");
  c.memory.settled = at("2026-02-03T02:00:00Z");
  c.runs = {run(at("2026-02-03T03:00:00Z"), std::nullopt)};
  const auto going = c.look("2026-02-03T05:10:00Z");
  EXPECT_TRUE(going.ended.empty()) << told(going).front();
  EXPECT_EQ(going.standing.slot, at("2026-02-03T05:00:00Z"));
  EXPECT_EQ(going.standing.state, SlotState::due);
  c.runs[0].verdict = Verdict::pass;
  c.runs[0].ended_at = at("2026-02-03T05:10:00Z");
  EXPECT_EQ(told(c.look("2026-02-03T05:11:00Z")),
            (Texts{"2026-02-03T03:00 answered", "2026-02-03T04:00 target_busy"}));
}

TEST(Evaluate, AClockSetBackBringsNothingBack) {
  Case c;
  c.memory.settled = at("2026-02-03T03:30:00Z");
  EXPECT_EQ(c.look("2026-02-03T03:00:00Z").standing.state, SlotState::missed);
  const auto again = c.look("2026-02-03T03:30:00Z");
  EXPECT_TRUE(again.ended.empty());
  EXPECT_NE(again.standing.state, SlotState::due);
}

TEST(Evaluate, AClockThatHadRunAheadSilencesNothing) {
  Case c;
  c.memory.settled = at("2029-05-03T03:30:00Z");
  c.runs = {run(at("2029-05-03T03:30:00Z"), Verdict::pass)};
  c.missed = {{at("2026-02-03T03:30:00Z"), at("2029-05-03T03:00:00Z")}};
  const auto back = c.look("2026-02-03T04:00:00Z");
  EXPECT_EQ(back.standing.state, SlotState::due);
  EXPECT_EQ(back.memory.settled, at("2026-02-02T03:30:00Z"));
  c.missed[0].second = at("2026-02-03T03:59:00Z");
  EXPECT_EQ(c.look("2026-02-03T04:00:00Z").standing.state, SlotState::missed);
  // First seen under the wrong time.
  c = Case{};
  c.memory = {at("2029-05-03T03:30:00Z"), std::nullopt};
  c.memory = c.look("2026-02-02T20:00:00Z").memory;
  EXPECT_EQ(c.memory.known_since, at("2026-02-02T20:00:00Z"));
  EXPECT_EQ(c.look("2026-02-03T04:00:00Z").standing.state, SlotState::due);
}

TEST(Evaluate, ManyMissedSlotsAreToldAsOne) {
  Case c;
  c.schedule = planned("* * * * *");
  c.running_since = at("2027-02-02T03:30:30Z");
  const auto back = c.look("2027-02-02T03:30:30Z");
  ASSERT_EQ(back.ended.size(), 201U);
  EXPECT_EQ(back.ended[0].slot, at("2026-02-02T03:31:00Z"));
  EXPECT_EQ(back.ended[0].last_slot + 1min, back.ended[1].slot);
  EXPECT_EQ(back.ended.back().slot, at("2027-02-02T03:29:00Z"));
  EXPECT_EQ(back.memory.settled, at("2027-02-02T03:29:00Z"));
}

TEST(Evaluate, TheVeryFirstSlotIsToldEvenIfNobodyWatchedItEnd) {
  Case c;
  c.memory = {at("2026-02-02T00:00:00Z"), std::nullopt};
  c.runs = {run(at("2026-02-02T03:30:00Z"), Verdict::pass)};
  c.running_since = at("2026-02-04T03:00:00Z");
  const auto back = c.look("2026-02-04T03:00:00Z");
  EXPECT_EQ(told(back), (Texts{"2026-02-02T03:30 answered"}));
  EXPECT_EQ(back.memory.settled, at("2026-02-02T03:30:00Z"));
}

TEST(Backups, AfterANewOne) {
  Case c;
  c.schedule = {.target = "db",
                .name = "s",
                .depth = Depth::verify,
                .trigger = ScheduleTrigger::after_backup,
                .after_backup = 30min};
  c.memory.settled.reset();
  EXPECT_EQ(c.look("2026-02-03T01:00:00Z").standing.state, SlotState::waiting);
  const auto first = at("2026-02-03T01:00:00Z");
  c.backups = {{"a", first, first + 1min}};
  EXPECT_EQ(c.look("2026-02-03T01:29:59Z").standing.start_at, first + 30min);
  const auto due = c.look("2026-02-03T01:30:00Z");
  EXPECT_EQ(due.standing.state, SlotState::due);
  EXPECT_EQ(due.standing.slot, first);
  // One by hand has tested this very backup already.
  c.runs = {run(first + 10min, Verdict::pass, "manual")};
  c.runs[0].backup = "a";
  EXPECT_EQ(told(c.look("2026-02-03T01:30:00Z")), Texts{"2026-02-03T01:00 answered"});
  c.runs[0].backup = "older";
  EXPECT_EQ(c.look("2026-02-03T01:30:00Z").standing.state, SlotState::due);
  // The next one has come before anybody could test this one.
  c.runs.clear();
  c.backups.push_back({"b", first + 24h, first + 24h});
  c.running_since = first + 25h;
  const auto later = c.look("2026-02-04T02:00:00Z");
  EXPECT_EQ(told(later), Texts{"2026-02-03T01:00 agent_down"});
  EXPECT_EQ(later.standing.state, SlotState::due);
  EXPECT_EQ(later.standing.next_slot, first + 48h + 30min);
}

TEST(Backups, BeforeTheNextOne) {
  Case c;
  c.schedule = {.target = "db",
                .name = "s",
                .depth = Depth::verify,
                .trigger = ScheduleTrigger::before_next_backup};
  c.memory.settled.reset();
  const auto first = at("2026-02-01T01:00:00Z");
  c.backups = {{"a", first, first}};
  EXPECT_EQ(c.look("2026-02-01T20:00:00Z").standing.state, SlotState::waiting);
  EXPECT_EQ(c.look("2026-02-01T20:00:00Z").standing.start_at, TimePoint::max());
  c.backups.push_back({"b", first + 24h, first + 24h});
  EXPECT_EQ(c.look("2026-02-02T12:00:00Z").standing.start_at, first + 48h - 2h) << "none is known";
  auto earlier = run(first - 24h, Verdict::pass);
  earlier.ended_at = earlier.begun_at + 2h;
  c.runs = {earlier};
  EXPECT_EQ(c.look("2026-02-02T12:00:00Z").standing.start_at, first + 48h - 3h - 15min);
  c.schedule.lead = std::chrono::milliseconds(1h);
  EXPECT_EQ(c.look("2026-02-03T00:00:00Z").standing.state, SlotState::due);
  c.backups.push_back({"c", first + 46h, first + 46h});
  EXPECT_EQ(told(c.look("2026-02-02T23:30:00Z")), Texts{"2026-02-02T01:00 backup_early"});
}

TEST(Jitter, IsTheSameEverywhereAndKeepsTheOrder) {
  EXPECT_EQ(jitter_of("db", "rad", at("2026-02-02T06:00:00Z"), 1h),
            jitter_of("db", "rad", at("2026-02-02T06:00:00Z"), 1h));
  EXPECT_EQ(jitter_of("db", "rad", at("2026-02-02T06:00:00Z"), 0ms), 0ms);
  auto schedule = planned("*/10 * * * *");
  schedule.timing.jitter = 30min;
  const Slots slots(schedule, {}, std::nullopt);
  auto slot = slots.current(at("2026-02-02T06:00:00Z")).value();
  std::chrono::milliseconds sum{0};
  for (int i = 0; i < 1000; ++i) {
    const auto next = slots.after(slot).value();
    ASSERT_LT(slot.due, next.at);
    ASSERT_GE(slot.due, slot.at);
    ASSERT_EQ(slots.current(slot.due), slot);
    ASSERT_NE(slots.current(slot.due - 1ms), slot);
    ASSERT_EQ(slots.before(next), slot);
    sum += slot.due - slot.at;
    slot = next;
  }
  EXPECT_GT(sum / 1000, 4min);
  EXPECT_LT(sum / 1000, 6min);
}

}  // namespace
}  // namespace rad
