// What the scheduler keeps of the runs.
#include "agent/run/run_history.h"

#include <chrono>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

class RunHistoryTest : public ::testing::Test {
 protected:
  RunReport add(TimePoint at, bool ended) {
    RunReport report;
    report.id = fmt::format("r{:05}", ++count_);
    report.target = "db";
    report.schedule = "hourly";
    report.depth = Depth::verify;
    report.created_at = at;
    EXPECT_TRUE(store_.begin_run(report));
    if (ended) end(report);
    return report;
  }
  void end(RunReport report) {
    report.verdict = Verdict::pass;
    report.ended_at = report.created_at + 1min;
    EXPECT_TRUE(store_.end_run(report));
  }
  bool refresh() { return history_.refresh(now_).value(); }

  test::TempDir dir_;
  Store store_ = Store::open(dir_ / "rad.db").value();
  RunHistory history_{store_};
  TimePoint now_{1'700'000'000s};
  int count_ = 0;
};

TEST_F(RunHistoryTest, StaysBoundedForYears) {
  ASSERT_TRUE(history_.load(now_, now_));
  std::size_t most = 0;
  for (int hour = 0; hour < 500; ++hour) {
    now_ += 1h;
    add(now_, true);
    EXPECT_TRUE(refresh());
    history_.forget({{{"db", Depth::verify}, now_ - 8h}});
    EXPECT_FALSE(refresh()) << "what was forgotten comes back";
    most = std::max(most, history_.runs().at("db").size());
  }
  EXPECT_LE(most, 10U);
  EXPECT_GE(most, 8U);
  history_.forget({});
  EXPECT_LE(history_.runs().size(), 1U);
}

TEST_F(RunHistoryTest, WhatALongRunKeepsInSightIsNotNewAtEachLook) {
  ASSERT_TRUE(history_.load(now_, now_));
  const RunReport running = add(now_, false);
  for (int hour = 0; hour < 30; ++hour) {
    now_ += 1h;
    add(now_, true);
    EXPECT_TRUE(refresh());
    history_.forget({{{"db", Depth::verify}, now_ - 8h}});
    EXPECT_FALSE(refresh());
  }
  end(running);
  EXPECT_TRUE(refresh());
  EXPECT_TRUE(history_.unfinished().empty());
}

TEST_F(RunHistoryTest, ARunThatAnswersNoScheduleIsNewsTwice) {
  ASSERT_TRUE(history_.load(now_, now_));
  RunReport report;
  report.id = "by-hand";
  report.target = "db";
  report.created_at = now_;
  report.requested_backup = "base_7";
  ASSERT_TRUE(store_.begin_run(report));
  EXPECT_TRUE(refresh());
  EXPECT_FALSE(refresh());
  end(report);
  EXPECT_TRUE(refresh());
  EXPECT_FALSE(refresh());
  EXPECT_FALSE(refresh());
}

}  // namespace
}  // namespace rad
