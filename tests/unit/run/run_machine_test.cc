#include "agent/run/run_machine.h"

#include <gtest/gtest.h>

namespace rad {
namespace {

std::vector<Stage> walk(Depth depth, bool has_instance, std::optional<Stage> failing = {}) {
  RunMachine machine(depth, has_instance);
  std::vector<Stage> stages;
  while (const auto stage = machine.stage()) {
    stages.push_back(*stage);
    machine.ended(stage != failing);
  }
  return stages;
}

using S = Stage;

TEST(RunMachine, WalksEveryStageOfEachDepth) {
  EXPECT_EQ(walk(Depth::inspect, true),
            (std::vector{S::preflight, S::fetch, S::check, S::cleanup, S::report}));
  EXPECT_EQ(walk(Depth::verify, true),
            (std::vector{S::preflight, S::fetch, S::check, S::cleanup, S::report}));
  EXPECT_EQ(walk(Depth::restore, true),
            (std::vector{S::preflight, S::restore, S::recover, S::check, S::cleanup, S::report}));
  EXPECT_EQ(walk(Depth::restore, false),
            (std::vector{S::preflight, S::restore, S::check, S::cleanup, S::report}));
}

TEST(RunMachine, CleansUpAndReportsWhateverFails) {
  for (const Stage failing :
       {S::preflight, S::fetch, S::restore, S::recover, S::check, S::cleanup, S::report}) {
    for (const Depth depth : {Depth::inspect, Depth::verify, Depth::restore}) {
      const std::vector<Stage> stages = walk(depth, true, failing);
      ASSERT_GE(stages.size(), 3U);
      EXPECT_EQ(stages[stages.size() - 2], S::cleanup);
      EXPECT_EQ(stages.back(), S::report);
    }
  }
}

CheckOutcome outcome(std::string name, Outcome value, Proof proof = Proof::none,
                     std::optional<Reason> reason = {}) {
  CheckOutcome row;
  row.name = name;
  row.check = std::move(name);
  row.outcome = value;
  row.proof = proof;
  row.reason = reason;
  row.message = "said so";
  return row;
}

RunReport report_with(Depth depth, std::vector<CheckOutcome> checks) {
  RunReport report;
  report.depth = depth;
  report.checks = std::move(checks);
  conclude(report);
  return report;
}

TEST(Conclude, PassNeedsAProofThatFitsTheDepth) {
  const struct {
    Depth depth;
    Proof proof;
    Verdict verdict;
  } cases[] = {
      {Depth::inspect, Proof::none, Verdict::inconclusive},
      {Depth::inspect, Proof::metadata, Verdict::pass},
      {Depth::verify, Proof::metadata, Verdict::inconclusive},
      {Depth::verify, Proof::bytes, Verdict::pass},
      {Depth::restore, Proof::bytes, Verdict::inconclusive},
      {Depth::restore, Proof::data, Verdict::pass},
  };
  for (const auto& row : cases) {
    const RunReport report = report_with(row.depth, {outcome("a", Outcome::pass, row.proof)});
    EXPECT_EQ(report.verdict, row.verdict) << to_string(row.depth) << " " << to_string(row.proof);
    if (row.verdict == Verdict::inconclusive) {
      ASSERT_TRUE(report.cause);
      EXPECT_EQ(report.cause->reason, Reason::no_check_ran);
    } else {
      EXPECT_FALSE(report.cause);
    }
  }
}

TEST(Conclude, NothingAskedIsNotAPass) {
  EXPECT_EQ(report_with(Depth::inspect, {}).verdict, Verdict::inconclusive);
}

TEST(Conclude, SkippedAndNotApplicableProveNothing) {
  const RunReport report =
      report_with(Depth::verify, {outcome("a", Outcome::skipped, Proof::data, Reason::check_error),
                                  outcome("b", Outcome::not_applicable, Proof::data)});
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
}

TEST(Conclude, FirstFailedCheckGivesTheReason) {
  const RunReport report = report_with(
      Depth::restore, {outcome("a", Outcome::inconclusive, Proof::none, Reason::check_error),
                       outcome("b", Outcome::fail, Proof::none, Reason::wal_gap),
                       outcome("c", Outcome::fail, Proof::none, Reason::row_count_mismatch)});
  EXPECT_EQ(report.verdict, Verdict::fail);
  EXPECT_EQ(report.cause->reason, Reason::wal_gap);
}

TEST(Conclude, InconclusiveCheckOutweighsPasses) {
  const RunReport report = report_with(
      Depth::restore, {outcome("a", Outcome::pass, Proof::data),
                       outcome("b", Outcome::inconclusive, Proof::none, Reason::tool_missing)});
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.cause->reason, Reason::tool_missing);
}

TEST(Conclude, ReasonAndOutcomeOfACheckCannotContradictEachOther) {
  EXPECT_EQ(report_with(Depth::restore, {outcome("a", Outcome::fail, Proof::none, Reason::timeout)})
                .cause->reason,
            Reason::check_failed);
  EXPECT_EQ(report_with(Depth::restore,
                        {outcome("a", Outcome::inconclusive, Proof::none, Reason::truncated)})
                .cause->reason,
            Reason::check_error);
}

TEST(Conclude, EveryReasonOfAStageLeadsToItsVerdict) {
  for (const ReasonInfo& row : all_reasons()) {
    RunReport report;
    report.cause = fail(row.reason, "because");
    report.checks = {outcome("a", Outcome::pass, Proof::data)};
    conclude(report);
    const Verdict expected = row.blame == Blame::backup    ? Verdict::fail
                             : row.blame == Blame::unknown ? Verdict::inconclusive
                                                           : Verdict::cancelled;
    EXPECT_EQ(report.verdict, expected) << row.name;
  }
}

TEST(FillMissingOutcomes, NothingIsLeftOutAndOrderIsThePlans) {
  RunReport report;
  report.depth = Depth::verify;
  report.cause = fail(Reason::truncated, "cut");
  report.checks = {outcome("second", Outcome::pass, Proof::bytes)};
  fill_missing_outcomes(report, {{"first", "first", "p", true},
                                 {"second", "second", "p", true},
                                 {"third", "third", "p", false}});
  ASSERT_EQ(report.checks.size(), 3U);
  EXPECT_EQ(report.checks[0].outcome, Outcome::skipped);
  EXPECT_EQ(report.checks[0].reason, Reason::truncated);
  EXPECT_EQ(report.checks[1].outcome, Outcome::pass);
  EXPECT_EQ(report.checks[2].outcome, Outcome::not_applicable);
}

TEST(FillMissingOutcomes, APluginThatAnswersNothingIsInconclusive) {
  RunReport report;
  report.depth = Depth::verify;
  fill_missing_outcomes(report, {{"first", "first", "p", true}});
  conclude(report);
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
  EXPECT_EQ(report.cause->reason, Reason::plugin_protocol);
}

TEST(FillMissingOutcomes, AnswersNobodyAskedForProveNothing) {
  RunReport report;
  report.depth = Depth::verify;
  report.checks = {outcome("surprise", Outcome::pass, Proof::data)};
  fill_missing_outcomes(report, {});
  conclude(report);
  EXPECT_EQ(report.verdict, Verdict::inconclusive);
}

}  // namespace
}  // namespace rad
