// What `rad-agent selftest` prints, and when its exit status says that a host may be trusted.
#include "agent/cli/selftest_text.h"

#include <gtest/gtest.h>

#include "agent/base/json.h"
#include "tests/support/golden.h"

namespace rad::cli {
namespace {

const SelftestStep kOkStep{.step = "scratch",
                           .message = "/srv/scratch: written, owner 998, mode 0711, 1.2 TiB free"};
const SelftestStep kFailedStep{
    .step = "sample",
    .subject = "altered_byte",
    .outcome = StepOutcome::failed,
    .message =
        "one byte of the base backup is altered: the verdict is pass, and must be fail "
        "(decrypt_failed)\x1b[31m",
    .hint = "do not trust verdicts of this host before this is understood",
    .reason = Reason::internal_error};
const SelftestStep kNeededStep{.step = "sample",
                               .subject = "restored",
                               .outcome = StepOutcome::not_tried,
                               .message = "the backup is of PostgreSQL 15, which this host lacks",
                               .hint = "install postgresql-15"};
const SelftestStep kAbsentStep{.step = "control",
                               .outcome = StepOutcome::not_tried,
                               .needed = false,
                               .message = "no daemon runs here"};

TEST(SelftestText, Lines) {
  std::string text;
  for (const auto& steps :
       {std::vector{kOkStep, kAbsentStep}, std::vector{kOkStep, kNeededStep, kAbsentStep},
        std::vector{kOkStep, kFailedStep, kNeededStep}}) {
    for (const SelftestStep& step : steps) text += selftest_line(step, 100);
    text += selftest_sum("customers-db", steps);
  }
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  test::expect_golden("radctl/selftest.txt", text);
  test::expect_golden("radctl/selftest.json",
                      json::pretty(selftest_json("customers-db", {kFailedStep, kAbsentStep})));
}

TEST(SelftestText, StatusNeverSaysYesForWhatWasNotTried) {
  SelftestStep configuration = kFailedStep;
  configuration.step = kConfigurationStep;
  EXPECT_EQ(selftest_status({kOkStep, kAbsentStep}), 0);
  EXPECT_EQ(selftest_status({kOkStep, kNeededStep}), 3);
  EXPECT_EQ(selftest_status({kNeededStep, kFailedStep}), 1);
  EXPECT_EQ(selftest_status({configuration, kNeededStep, kFailedStep}), 2);
}

}  // namespace
}  // namespace rad::cli
