// The scheduler between a real store and a clock of the test's: what it starts, what it writes
// down, and that a new process or another clock changes nothing about either.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/run/scheduler_under_test.h"
#include "tests/unit/store/raw_sql.h"

namespace rad {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(SchedulerTest, TheRestoreAppreciationDayRunsOnceHoweverOftenTheAgentRestarts) {
  add("db").schedules = {cron("rad", "0 6 2 * *", Depth::restore)};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-02T06:00:01Z"));
  restart();
  const auto due = tick();
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due.front().slot, at("2026-03-02T06:00:00Z"));
  carry_out(due.front(), Verdict::fail);
  for (int i = 0; i < 5; ++i) {
    restart();
    EXPECT_THAT(starts(), IsEmpty());
    clock_.advance(5 * 24h);
  }
  clock_.set(at("2026-04-02T06:00:01Z"));
  EXPECT_THAT(starts(), ElementsAre("db"));
}

TEST_F(SchedulerTest, AnInconclusiveSlotIsTriedAgainAndAMissedOneIsWrittenDownOnce) {
  add("db").schedules = {cron("daily", "0 3 * * *", Depth::verify)};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-01T03:00:00Z"));
  restart();
  carry_out(tick().front(), Verdict::inconclusive);
  EXPECT_THAT(starts(), IsEmpty());
  clock_.advance(15min);
  EXPECT_THAT(starts(), ElementsAre("db"));
  // Nobody carries it out; the agent is away for the rest of the day and the two after it.
  clock_.set(at("2026-03-04T02:00:00Z"));
  restart();
  (void)tick();
  const auto missed = store_.list_missed("db", TimePoint{}, 10).value();
  EXPECT_THAT(missed, SizeIs(testing::Ge(1U)));
  restart();
  (void)tick();
  EXPECT_THAT(store_.list_missed("db", TimePoint{}, 10).value(), SizeIs(missed.size()));
}

TEST_F(SchedulerTest, ARotationGivesEachMemberItsTurn) {
  for (const char* name : {"a", "b", "c"}) add(name);
  RotationConfig rotation;
  rotation.name = "fleet";
  rotation.cron = CronExpression::parse("0 * * * *").value();
  rotation.time_zone = "UTC";
  rotation.depth = Depth::verify;
  rotation.members = {"a", "b", "c"};
  config_.rotations = {rotation};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  std::vector<std::string> turns;
  for (int hour = 1; hour <= 6; ++hour) {
    clock_.set(at("2026-03-01T00:00:00Z") + hour * 1h);
    restart();
    const auto due = tick();
    ASSERT_THAT(due, SizeIs(1)) << hour;
    turns.push_back(due.front().target);
    carry_out(due.front(), Verdict::pass);
    EXPECT_THAT(starts(), IsEmpty());
  }
  EXPECT_THAT(turns, ElementsAre("a", "b", "c", "a", "b", "c"));
  EXPECT_EQ(scheduler_->coverage().at("b"), 1.0);
}

TEST_F(SchedulerTest, AClockThatIsSetForwardIsTheCauseOfWhatItJumpedOver) {
  auto schedule = cron("daily", "0 3 * * *", Depth::verify);
  schedule.timing.catch_up = CatchUp::skip;
  add("db").schedules = {schedule};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-03T12:00:00Z"));
  EXPECT_THAT(starts(), IsEmpty());
  const auto missed = store_.list_missed("db", TimePoint{}, 10).value();
  ASSERT_THAT(missed, SizeIs(testing::Ge(1U)));
  for (const MissedSlot& slot : missed) EXPECT_EQ(slot.cause, "clock_jump") << slot.detail;
  // And back: what was answered or told does not come again.
  clock_.set(at("2026-03-03T11:00:00Z"));
  EXPECT_THAT(starts(), IsEmpty());
  EXPECT_THAT(store_.list_missed("db", TimePoint{}, 10).value(), SizeIs(missed.size()));
}

TEST_F(SchedulerTest, RunsOfAClockThatWasAheadHideNoLaterOnes) {
  add("db").schedules = {cron("hourly", "0 * * * *", Depth::verify)};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2027-03-01T01:00:01Z"));
  auto due = tick();
  ASSERT_THAT(due, SizeIs(1));
  carry_out(due.front(), Verdict::pass);
  clock_.set(at("2026-03-01T02:00:01Z"));
  for (const bool by_restart : {false, true}) {
    if (by_restart) restart();
    due = tick();
    ASSERT_THAT(due, SizeIs(1)) << by_restart;
    carry_out(due.front(), Verdict::pass);
    for (int i = 0; i < 5; ++i) {
      EXPECT_THAT(starts(), IsEmpty()) << "the same slot runs again and again";
      clock_.advance(2s);
    }
    clock_.advance(1h);
  }
}

TEST_F(SchedulerTest, ANewBackupMakesItsScheduleDue) {
  ScheduleConfig schedule;
  schedule.name = "fresh";
  schedule.trigger = ScheduleTrigger::after_backup;
  schedule.after_backup = 30min;
  schedule.time_zone = "UTC";
  schedule.depth = Depth::restore;
  add("db").schedules = {schedule};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-01T01:10:00Z"));
  ASSERT_TRUE(store_.record_backup({"db", "base_1", at("2026-03-01T01:00:00Z"), clock_.now()}));
  scheduler_->look_again();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.advance(31min);
  const auto due = tick();
  ASSERT_THAT(due, SizeIs(1));
  carry_out(due.front(), Verdict::pass);
  clock_.advance(24h);
  EXPECT_THAT(starts(), IsEmpty());
}

TEST_F(SchedulerTest, RequestsComeFirstAndAreToldWhatTheyWaitFor) {
  for (const char* name : {"a", "b", "c"}) {
    add(name).schedules = {cron("daily", "0 3 * * *", Depth::verify)};
  }
  restart();
  (void)tick();
  clock_.set(at("2026-03-01T03:00:00Z"));
  restart();
  QueuedRequest request;
  request.id = "by-hand";
  request.target = "c";
  request.schedule = "manual";
  request.requested_at = clock_.now();
  requests_ = {request};
  const auto due = tick();
  ASSERT_THAT(due, SizeIs(2));
  EXPECT_EQ(due.front().request, "by-hand");
  requests_.push_back(request);
  requests_.back().id = "second";
  (void)tick();
  EXPECT_NE(scheduler_->waits_for("second"), "");
}

TEST_F(SchedulerTest, ARunAnswersTheSlotThatItWasBegunForThoughTheNextOneHasComeMeanwhile) {
  add("db").schedules = {cron("hourly", "0 * * * *", Depth::verify)};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-01T03:59:59Z"));
  const auto due = tick();
  ASSERT_THAT(due, SizeIs(1));
  EXPECT_EQ(due.front().slot, at("2026-03-01T03:00:00Z"));
  clock_.advance(2s);
  carry_out(due.front(), Verdict::pass);
  for (const bool by_restart : {false, true}) {
    if (by_restart) restart();
    const auto next = tick();
    ASSERT_THAT(next, SizeIs(1)) << by_restart;
    EXPECT_EQ(next.front().slot, at("2026-03-01T04:00:00Z"));
  }
}

TEST_F(SchedulerTest, AConfigurationThatTheStoreRefusesChangesNothing) {
  add("old").schedules = {cron("hourly", "0 * * * *", Depth::verify)};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-01T01:00:01Z"));
  Config other;
  other.targets.push_back({.name = "new"});
  other.targets.back().schedules = {cron("hourly", "0 * * * *", Depth::verify)};
  test::sql(dir_ / "rad.db", "ALTER TABLE rotations RENAME TO gone");
  EXPECT_FALSE(scheduler_->configure(other));
  test::sql(dir_ / "rad.db", "ALTER TABLE gone RENAME TO rotations");
  EXPECT_THAT(starts(), ElementsAre("old"));
}

TEST_F(SchedulerTest, WhatCannotBeginIsMissedForThatReason) {
  auto schedule = cron("hourly", "0 * * * *", Depth::restore);
  schedule.timing.window = 10min;
  add("db").schedules = {schedule};
  restart();
  EXPECT_THAT(starts(), IsEmpty());
  clock_.set(at("2026-03-01T01:00:01Z"));
  barriers_.restores = "a store that can be written";
  EXPECT_THAT(starts(), IsEmpty());
  EXPECT_EQ(scheduler_->views().front().waits_for, "a store that can be written");
  barriers_.restores.clear();
  barriers_.runs[{"db", "hourly"}] = "a free block";
  EXPECT_THAT(starts(), IsEmpty());
  clock_.advance(11min);
  EXPECT_THAT(starts(), IsEmpty());
  const auto missed = store_.list_missed("db", TimePoint{}, 10).value();
  ASSERT_THAT(missed, SizeIs(1));
  EXPECT_EQ(missed.front().cause, "cannot_begin");
  EXPECT_EQ(missed.front().detail, "a free block");
  barriers_.runs.clear();
  clock_.set(at("2026-03-01T02:00:01Z"));
  EXPECT_THAT(starts(), ElementsAre("db"));
}

}  // namespace
}  // namespace rad
