#include "agent/run/stage_limits.h"

#include <gtest/gtest.h>

namespace rad {
namespace {
using namespace std::chrono_literals;

RunReport run_with(Stage stage, std::chrono::milliseconds duration) {
  RunReport report;
  StageRecord row;
  row.stage = stage;
  row.started_at = TimePoint(1000s);
  row.ended_at = row.started_at + duration;
  report.stages.push_back(row);
  return report;
}

TEST(StageLimits, WithoutHistoryDataStagesHaveDaysAndPreflightMinutes) {
  const StageLimits limits = stage_limits({}, {});
  EXPECT_EQ(limits.at(Stage::restore), 72h);
  EXPECT_EQ(limits.at(Stage::preflight), 5min);
}

TEST(StageLimits, ThreeTimesTheLongestKnownDurationAboveTheFloor) {
  const StageLimits limits = stage_limits(
      {}, {run_with(Stage::restore, 2h), run_with(Stage::restore, 1h), run_with(Stage::fetch, 1s)});
  EXPECT_EQ(limits.at(Stage::restore), 6h);
  EXPECT_EQ(limits.at(Stage::fetch), 1h);
}

TEST(StageLimits, AStageThatFailedSaysNothingAboutItsDuration) {
  RunReport failed = run_with(Stage::restore, 10h);
  failed.stages[0].error = fail(Reason::timeout, "too slow");
  EXPECT_EQ(stage_limits({}, {failed}).at(Stage::restore), 72h);
}

TEST(StageLimits, ConfigurationWins) {
  TargetConfig target;
  target.timeouts[Stage::restore] = 20s;
  EXPECT_EQ(stage_limits(target, {run_with(Stage::restore, 2h)}).at(Stage::restore), 20s);
}

}  // namespace
}  // namespace rad
