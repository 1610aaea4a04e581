// A scheduler between a real store and a clock of the test's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/base/text.h"
#include "agent/run/coordinator.h"
#include "agent/run/scheduler.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace rad {

using namespace std::chrono_literals;

inline TimePoint at(std::string_view text) {
  return parse_time(text).value();
}

class SchedulerTest : public ::testing::Test {
 protected:
  SchedulerTest() { config_.agent.max_concurrent_runs = 2; }

  TargetConfig& add(const std::string& name) {
    config_.targets.push_back({.name = name});
    return config_.targets.back();
  }
  static ScheduleConfig cron(const std::string& name, std::string_view expression, Depth depth) {
    ScheduleConfig schedule;
    schedule.name = name;
    schedule.cron = CronExpression::parse(expression).value();
    schedule.time_zone = "UTC";
    schedule.depth = depth;
    return schedule;
  }
  /// As after a restart of the agent.
  void restart() {
    scheduler_ = std::make_unique<Scheduler>(store_, clock_);
    ASSERT_TRUE(scheduler_->configure(config_));
  }
  std::vector<PlannedStart> tick() {
    config_.agent.state_dir = dir_.path();
    auto plan = scheduler_->tick({config_, requests_, {}, 1ULL << 40U, barriers_});
    EXPECT_TRUE(plan) << plan.error().message;
    return plan ? *plan : std::vector<PlannedStart>{};
  }
  /// What is to be started, by target.
  std::vector<std::string> starts() {
    std::vector<std::string> names;
    for (const PlannedStart& start : tick()) names.push_back(start.target);
    return names;
  }
  void carry_out(const PlannedStart& start, Verdict verdict) {
    RunReport report;
    report.id = make_run_id(clock_.now());
    report.target = start.target;
    report.schedule = start.schedule;
    report.depth = start.depth;
    report.created_at = clock_.now();
    ASSERT_TRUE(store_.begin_run(report, start.slot));
    clock_.advance(1s);
    report.verdict = verdict;
    if (verdict != Verdict::pass) report.cause = fail(Reason::storage_unreachable, "away");
    report.ended_at = clock_.now();
    ASSERT_TRUE(store_.end_run(report));
  }

  test::TempDir dir_;
  test::FakeClock clock_{at("2026-03-01T00:00:30Z")};
  Store store_ = Store::open(dir_ / "rad.db").value();
  Config config_;
  std::vector<QueuedRequest> requests_;
  Barriers barriers_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace rad
