#include "plugins/sdk/check_answer.h"

#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "plugins/protocol/codec.h"
#include "tests/support/temp_dir.h"

namespace rad::sdk {
namespace {

protocol::PluginInfo info() {
  protocol::PluginInfo made;
  made.checks.resize(2);
  made.checks[0].type = "shallow";
  made.checks[0].depths = {Depth::inspect, Depth::verify, Depth::restore};
  made.checks[1].type = "deep";
  made.checks[1].depths = {Depth::restore};
  return made;
}

CheckOutcome pass(std::string name) {
  CheckOutcome outcome;
  outcome.name = std::move(name);
  outcome.check = "shallow";
  outcome.outcome = Outcome::pass;
  return outcome;
}

TEST(Applicable, LeavesOutWhatTheDepthDoesNotReach) {
  const std::vector<protocol::CheckSpec> asked{{"a", "shallow", {}}, {"b", "deep", {}}};
  std::vector<CheckOutcome> outcomes;
  const auto able = applicable(asked, info(), Depth::verify, outcomes);
  ASSERT_EQ(able.size(), 1U);
  EXPECT_EQ(able.front().name, "a");
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes.front().name, "b");
  EXPECT_EQ(outcomes.front().outcome, Outcome::not_applicable);
}

TEST(Complete, AnswersForACheckThatWasForgotten) {
  std::vector<CheckOutcome> outcomes{pass("a")};
  complete({{"a", "shallow", {}}, {"b", "deep", {}}}, outcomes);
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[1].name, "b");
  EXPECT_EQ(outcomes[1].check, "deep");
  EXPECT_EQ(outcomes[1].outcome, Outcome::inconclusive);
  EXPECT_EQ(outcomes[1].reason, Reason::check_error);
}

TEST(Complete, FillsInReasonsThatWereLeftOut) {
  std::vector<CheckOutcome> outcomes{pass("a"), pass("b"), pass("c"), pass("d")};
  outcomes[1].outcome = Outcome::fail;
  outcomes[2].outcome = Outcome::skipped;
  outcomes[3].outcome = Outcome::fail;
  outcomes[3].reason = Reason::stale_data;
  complete({}, outcomes);
  EXPECT_FALSE(outcomes[0].reason);
  EXPECT_EQ(outcomes[1].reason, Reason::check_failed);
  EXPECT_EQ(outcomes[2].reason, Reason::check_error);
  EXPECT_EQ(outcomes[3].reason, Reason::stale_data);
}

TEST(Spill, KeepsAShortListInTheMessage) {
  const test::TempDir dir;
  protocol::CheckResult result{std::vector<CheckOutcome>(protocol::kMaxOutcomes, pass("a")), ""};
  EXPECT_FALSE(spill(result, dir / "outcomes.json").value());
  EXPECT_EQ(result.outcomes.size(), protocol::kMaxOutcomes);
}

TEST(Spill, MovesALongListToAFile) {
  const test::TempDir dir;
  protocol::CheckResult result{std::vector<CheckOutcome>(protocol::kMaxOutcomes + 1, pass("a")),
                               ""};
  EXPECT_TRUE(spill(result, dir / "outcomes.json").value());
  EXPECT_TRUE(result.outcomes.empty());
  EXPECT_EQ(result.outcomes_file, dir / "outcomes.json");
  const auto again = protocol::decode_outcomes(read_file(result.outcomes_file).value());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->size(), protocol::kMaxOutcomes + 1);
}

TEST(Spill, MovesAListThatIsTooLargeForALine) {
  const test::TempDir dir;
  CheckOutcome large = pass("a");
  large.details.assign(100, std::string(3900, 'x'));
  protocol::CheckResult result{std::vector<CheckOutcome>(5, large), ""};
  EXPECT_TRUE(spill(result, dir / "outcomes.json").value());
}

TEST(Spill, SaysWhenItCannot) {
  protocol::CheckResult result{std::vector<CheckOutcome>(protocol::kMaxOutcomes + 1, pass("a")),
                               ""};
  EXPECT_FALSE(spill(result, "/nonexistent/outcomes.json"));
}

}  // namespace
}  // namespace rad::sdk
