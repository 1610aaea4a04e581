#include "agent/report/terminal.h"

#include <algorithm>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/base/unique_fd.h"
#include "agent/model/json.h"
#include "agent/report/layout.h"
#include "tests/support/golden.h"
#include "tests/unit/report/example_reports.h"

namespace rad::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(TerminalReport, OfAPass) {
  expect_golden("report/terminal_pass.txt", render_terminal(passed_restore(), {}));
}
TEST(TerminalReport, OfAFailure) {
  expect_golden("report/terminal_fail.txt", render_terminal(failed_verify(), {}));
}
TEST(TerminalReport, OfARunThatCouldNotTell) {
  expect_golden("report/terminal_inconclusive.txt", render_terminal(inconclusive_restore(), {}));
}
TEST(TerminalReport, OfARunUnderWay) {
  expect_golden("report/terminal_running.txt", render_terminal(running_report(), {}));
}
TEST(TerminalReport, InColour) {
  expect_golden("report/terminal_fail_colour.txt",
                render_terminal(failed_verify(), {.colour = true, .width = 80}));
}

TEST(TerminalReport, HoldsNoControlCharacterOfTheBackup) {
  const std::string text = render_terminal(hostile_report(), {});
  EXPECT_TRUE(std::none_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
  }));
}

TEST(TerminalReport, IsWholeForAnEmptyReport) {
  EXPECT_THAT(render_terminal({}, {}), StartsWith("RUNNING"));
}

TEST(TerminalStyle, NoTerminalNoColour) {
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  EXPECT_FALSE(terminal_style(null.get(), true).colour);
}

TEST(TerminalStyle, ATerminalHasColourUnlessForbidden) {
  const UniqueFd primary(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(primary);
  ASSERT_EQ(::grantpt(primary.get()), 0);
  ASSERT_EQ(::unlockpt(primary.get()), 0);
  const UniqueFd terminal(::open(::ptsname(primary.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal);
  EXPECT_TRUE(terminal_style(terminal.get(), true).colour);
  EXPECT_FALSE(terminal_style(terminal.get(), false).colour);
}

TEST(JsonReport, ReadsBackAsTheSameReport) {
  const std::string text = render_json(failed_verify());
  auto value = json::parse(text, "report");
  ASSERT_TRUE(value) << value.error().message;
  auto report = run_report_from_json(value->as_object());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(render_json(*report), text);
}

TEST(Layout, CutsAtCodePoints) {
  EXPECT_EQ(cut_columns("häuser", 3), "hä…");
  EXPECT_EQ(cut_columns("häuser", 6), "häuser");
  EXPECT_EQ(cut_columns("abc", 0), "");
}

TEST(Layout, TheWidestColumnGivesWay) {
  const auto lines = layout_table({{"a", std::string(50, 'x'), "end"}, {"b", "y", "z"}}, 30);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(columns(lines[0]), 30U);
  EXPECT_THAT(lines[0], HasSubstr("…  end"));
}

TEST(Layout, RowsMayBeOfDifferentLength) {
  EXPECT_EQ(layout_table({{"a"}, {"b", "c"}}, 20).size(), 2U);
  EXPECT_TRUE(layout_table({}, 20).empty());
}

TEST(Layout, LongWordsAreNotBroken) {
  const std::string path(80, 'p');
  EXPECT_EQ(labelled("object", "see " + path, 6, 40), "  object  see\n          " + path + "\n");
}

}  // namespace
}  // namespace rad::test
