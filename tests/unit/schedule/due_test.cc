#include "agent/schedule/due.h"

#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

CronSchedule make(std::string_view text, std::string_view zone = "UTC") {
  return CronSchedule::make(CronExpression::parse(text).value(), zone).value();
}

TimePoint at(std::string_view text) {
  return parse_time(text).value();
}

PastRun run(TimePoint begun, std::optional<Verdict> verdict, std::string schedule = "rad",
            Depth depth = Depth::restore) {
  PastRun result;
  result.schedule = std::move(schedule);
  result.depth = depth;
  result.begun_at = begun;
  if (verdict) result.ended_at = begun + 5min;
  result.verdict = verdict;
  return result;
}

const TimePoint kKnown = at("2026-01-01T00:00:00Z");
const TimePoint kSlot = at("2026-02-02T06:00:00Z");

ScheduleStanding rad_state(const std::vector<PastRun>& runs, TimePoint now) {
  return state_of(make("0 6 2 * *"), "rad", Depth::restore, kKnown, runs, now);
}

TEST(StateOf, DueFromItsInstantUntilAnswered) {
  EXPECT_EQ(rad_state({}, at("2026-01-01T12:00:00Z")).state, SlotState::waiting);
  EXPECT_EQ(rad_state({}, at("2026-01-01T12:00:00Z")).start_at, at("2026-01-02T06:00:00Z"));
  const auto answered = run(at("2026-01-02T06:00:00Z"), Verdict::pass);
  EXPECT_EQ(rad_state({answered}, kSlot - 1ms).state, SlotState::answered);
  const auto due = rad_state({answered}, kSlot);
  EXPECT_EQ(due.state, SlotState::due);
  EXPECT_EQ(due.start_at, kSlot);
  EXPECT_EQ(due.late, 0ms);
  EXPECT_EQ(rad_state({answered, run(kSlot, std::nullopt)}, kSlot + 1h).state, SlotState::running);
  for (const auto verdict : {Verdict::pass, Verdict::fail}) {
    const auto state = rad_state({answered, run(kSlot, verdict)}, kSlot + 1h);
    EXPECT_EQ(state.state, SlotState::answered);
    EXPECT_EQ(state.start_at, at("2026-03-02T06:00:00Z"));
  }
}

TEST(StateOf, AMissedSlotIsCaughtUpOnce) {
  // The agent was down for three slots.
  const auto now = at("2026-04-20T00:00:00Z");
  const auto state = rad_state({run(at("2026-01-02T06:00:00Z"), Verdict::pass)}, now);
  EXPECT_EQ(state.state, SlotState::due);
  EXPECT_EQ(state.slot, at("2026-04-02T06:00:00Z"));
  EXPECT_EQ(state.late, now - at("2026-04-02T06:00:00Z"));
  EXPECT_EQ(rad_state({run(now, Verdict::pass)}, now + 1h).state, SlotState::answered);
}

TEST(StateOf, ANewScheduleDoesNotCatchUp) {
  const auto now = at("2026-04-20T00:00:00Z");
  const auto state = state_of(make("0 6 2 * *"), "rad", Depth::restore, now, {}, now);
  EXPECT_EQ(state.state, SlotState::waiting);
  EXPECT_FALSE(state.slot);
}

TEST(StateOf, InconclusiveIsTriedAgainOnALadderToTheEndOfItsWindow) {
  std::vector<PastRun> runs;
  auto now = kSlot;
  std::vector<std::chrono::milliseconds> starts;
  while (true) {
    const auto state = rad_state(runs, now);
    if (state.state == SlotState::due) {
      starts.push_back(now - kSlot);
      runs.push_back(run(now, Verdict::inconclusive));
      now += 5min;
    } else if (state.state == SlotState::retrying) {
      ASSERT_GT(state.start_at, now);
      now = state.start_at;
    } else {
      EXPECT_EQ(state.state, SlotState::given_up);
      EXPECT_EQ(state.start_at, at("2026-03-02T06:00:00Z"));
      break;
    }
    ASSERT_LT(starts.size(), 50U);
  }
  ASSERT_GE(starts.size(), 5U);
  EXPECT_EQ(starts[0], 0ms);
  EXPECT_EQ(starts[1], 20min);
  EXPECT_EQ(starts[2], 20min + 65min);
  EXPECT_EQ(starts[3], 20min + 65min + 245min);
  EXPECT_EQ(starts[4], 20min + 65min + 245min + 725min);
  EXPECT_LE(starts.back(), 7 * 24h);
  EXPECT_GT(starts.back(), 6 * 24h);
}

TEST(StateOf, ADailyOneGivesUpAfterSixHours) {
  const auto cron = make("30 3 * * *");
  const auto slot = at("2026-02-03T03:30:00Z");
  std::vector<PastRun> runs{run(slot, Verdict::inconclusive, "daily", Depth::verify),
                            run(slot + 20min, Verdict::inconclusive, "daily", Depth::verify),
                            run(slot + 85min, Verdict::inconclusive, "daily", Depth::verify)};
  auto state = state_of(cron, "daily", Depth::verify, kKnown, runs, slot + 2h);
  EXPECT_EQ(state.state, SlotState::retrying);
  EXPECT_EQ(state.start_at, slot + 85min + 5min + 4h);
  runs.push_back(run(slot + 330min, Verdict::inconclusive, "daily", Depth::verify));
  state = state_of(cron, "daily", Depth::verify, kKnown, runs, slot + 6h);
  EXPECT_EQ(state.state, SlotState::given_up);
  EXPECT_EQ(state.attempts, 4U);
}

TEST(StateOf, NoAttemptCrossesTheNextSlot) {
  const auto cron = make("0 * * * *");
  const auto slot = at("2026-02-03T03:00:00Z");
  const std::vector<PastRun> runs{run(slot, Verdict::inconclusive, "h", Depth::inspect),
                                  run(slot + 20min, Verdict::inconclusive, "h", Depth::inspect)};
  EXPECT_EQ(state_of(cron, "h", Depth::inspect, kKnown, runs, slot + 30min).state,
            SlotState::given_up);
  EXPECT_EQ(state_of(cron, "h", Depth::inspect, kKnown, runs, slot + 1h).state, SlotState::due);
}

TEST(StateOf, AnInterruptedRunIsTriedAgainAtOnceButNotForEver) {
  auto interrupted = run(kSlot, Verdict::inconclusive);
  interrupted.interrupted = true;
  EXPECT_EQ(rad_state({interrupted}, kSlot + 6min).state, SlotState::due);
  auto again = run(kSlot + 6min, Verdict::inconclusive);
  again.interrupted = true;
  const auto state = rad_state({interrupted, again}, kSlot + 12min);
  EXPECT_EQ(state.state, SlotState::retrying);
  EXPECT_EQ(state.start_at, kSlot + 11min + 1h);
}

TEST(StateOf, CancelledIsLeftAlone) {
  const auto state = rad_state({run(kSlot, Verdict::cancelled)}, kSlot + 2h);
  EXPECT_EQ(state.state, SlotState::cancelled);
  EXPECT_EQ(state.start_at, at("2026-03-02T06:00:00Z"));
  EXPECT_EQ(rad_state({run(kSlot, Verdict::cancelled, "manual")}, kSlot + 2h).state,
            SlotState::due);
}

TEST(StateOf, DeeperRunsAnswerShallowerOnesAndNotTheOtherWayRound) {
  const auto cron = make("30 3 * * *");
  const auto slot = at("2026-02-03T03:30:00Z");
  const auto state = [&](Depth depth, const PastRun& past) {
    return state_of(cron, "daily", depth, kKnown, {past}, slot + 4h).state;
  };
  const auto deep = run(slot + 1h, Verdict::pass, "manual", Depth::restore);
  const auto shallow = run(slot + 1h, Verdict::pass, "manual", Depth::inspect);
  const auto early = run(slot - 1h, Verdict::pass, "rad", Depth::restore);
  EXPECT_EQ(state(Depth::verify, deep), SlotState::answered);
  EXPECT_EQ(state(Depth::verify, shallow), SlotState::due);
  EXPECT_EQ(state(Depth::verify, early), SlotState::due);
}

TEST(StateOf, ATwelvemonthOfAnAgentThatTicksEveryMinuteStartsEachSlotOnce) {
  // Across both changes of daylight saving and a leap day.
  const auto cron = make("30 2 * * *", "Europe/Berlin");
  std::vector<PastRun> runs;
  int started = 0;
  const auto known = at("2028-01-01T00:00:00Z");
  for (auto now = known; now < at("2029-01-01T00:00:00Z"); now += 10min) {
    const auto state = state_of(cron, "daily", Depth::verify, known, runs, now);
    if (state.state != SlotState::due) continue;
    ++started;
    ASSERT_LT(state.late, 10min);
    runs = {run(now, Verdict::pass, "daily", Depth::verify)};
  }
  EXPECT_EQ(started, 366);
}

DueSchedule due(std::string target, std::string schedule, Depth depth, TimePoint start,
                SlotState slot_state = SlotState::due) {
  DueSchedule result{std::move(target), std::move(schedule), depth, {}};
  result.state.state = slot_state;
  result.state.start_at = start;
  result.state.next_slot = start + 24h;
  return result;
}

TEST(ChooseDue, TheDeepestOfATargetAndTheLongestOverdueFirst) {
  const auto chosen = choose_due({due("a", "daily", Depth::verify, kSlot),
                                  due("a", "rad", Depth::restore, kSlot + 1h),
                                  due("b", "daily", Depth::verify, kSlot + 30min),
                                  due("c", "daily", Depth::verify, kSlot, SlotState::running)});
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(chosen[0].target, "b");
  EXPECT_EQ(chosen[1].target, "a");
  EXPECT_EQ(chosen[1].schedule, "rad");
  const auto same_depth =
      choose_due({due("a", "x", Depth::verify, kSlot + 1h), due("a", "y", Depth::verify, kSlot)});
  ASSERT_EQ(same_depth.size(), 1U);
  EXPECT_EQ(same_depth[0].schedule, "y");
}

TEST(NextWake, IsTheNextThingThatBecomesDue) {
  EXPECT_EQ(next_wake({}), TimePoint::max());
  EXPECT_EQ(next_wake({due("a", "x", Depth::verify, kSlot)}), kSlot + 24h);
  EXPECT_EQ(next_wake({due("a", "x", Depth::verify, kSlot),
                       due("b", "x", Depth::verify, kSlot + 2h, SlotState::retrying)}),
            kSlot + 2h);
}

}  // namespace
}  // namespace rad
