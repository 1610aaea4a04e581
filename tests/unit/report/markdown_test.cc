#include "agent/report/markdown.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/child_process.h"
#include "tests/support/golden.h"
#include "tests/unit/report/example_reports.h"

namespace rad::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(MarkdownReport, OfAPass) {
  expect_golden("report/markdown_pass.md", render_markdown(passed_restore()));
}
TEST(MarkdownReport, OfAFailure) {
  expect_golden("report/markdown_fail.md", render_markdown(failed_verify()));
}
TEST(MarkdownReport, OfARunThatCouldNotTell) {
  expect_golden("report/markdown_inconclusive.md",
                render_markdown(inconclusive_restore(),
                                {.heading_level = 2, .runbook_base = "https://wiki.example/rad"}));
}
TEST(MarkdownReport, OfHostileText) {
  expect_golden("report/markdown_hostile.md", render_markdown(hostile_report()));
}

/// Lines outside of fenced blocks.
std::vector<std::string> lines_outside_blocks(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  std::string fence;
  for (std::string line; std::getline(in, line);) {
    const std::string run = line.substr(0, line.find_first_not_of('`'));
    if (fence.empty() && run.size() >= 3) {
      fence = run;
    } else if (!fence.empty() && line == fence) {
      fence.clear();
    } else if (fence.empty()) {
      lines.push_back(line);
    }
  }
  EXPECT_EQ(fence, "") << "a block is left open";
  return lines;
}

TEST(MarkdownReport, HostileTextStartsNoLineAndLeavesNoTable) {
  std::size_t cells = 0;
  for (const auto& line : lines_outside_blocks(render_markdown(hostile_report()))) {
    EXPECT_THAT(line, Not(StartsWith("/")));
    if (!line.starts_with("|")) {
      cells = 0;
      continue;
    }
    std::size_t bars = 0;
    bool escaped = false;
    for (const char c : line) {
      if (c == '|' && !escaped) ++bars;
      escaped = c == '\\' && !escaped;
    }
    if (cells == 0) cells = bars;
    EXPECT_EQ(bars, cells) << line;
  }
}

TEST(MarkdownReport, AConverterFindsNothingHostileInIt) {
  const auto converter = find_program("cmark-gfm");
  if (!converter) GTEST_SKIP() << "cmark-gfm is not installed";
  ChildSpec spec;
  spec.program = *converter;
  spec.args = {"--unsafe",      "-e", "table",   "-e", "autolink", "-e",
               "strikethrough", "-e", "tasklist"};
  const auto output = run_tool(spec, render_markdown(hostile_report()));
  ASSERT_TRUE(output) << output.error().message;
  ASSERT_TRUE(output->status.ok()) << output->err;
  for (const char* tag : {"<script", "<a ", "<img", "<del", "<input", "<strong>bold"}) {
    EXPECT_THAT(output->out, Not(HasSubstr(tag)));
  }
  std::size_t headings = 0;
  for (auto at = output->out.find("<h1"); at != std::string::npos;
       at = output->out.find("<h1", at + 1)) {
    ++headings;
  }
  EXPECT_EQ(headings, 1U);
}

TEST(MarkdownReport, StaysSmallWhateverTheReport) {
  RunReport report = failed_verify();
  const CheckOutcome check = report.checks[1];
  for (int i = 0; i < 1000; ++i) {
    report.checks.push_back(check);
    report.checks.back().details.assign(100, std::string(2000, '`'));
    report.faults.push_back(*report.cause);
  }
  EXPECT_LT(render_markdown(report).size(), 400'000U);
}

TEST(MarkdownEscape, LeavesOrdinaryTextReadable) {
  EXPECT_EQ(escape_markdown("row_counts: 41230 of 41231 rows (0.1% less)"),
            "row_counts: 41230 of 41231 rows (0.1% less)");
  EXPECT_EQ(escape_markdown("restore1-a.example"), "restore1-a.example");
}

TEST(MarkdownEscape, BreaksReferences) {
  EXPECT_EQ(escape_markdown("@all"), "\\@\u200ball");
  EXPECT_EQ(escape_markdown("see #12"), "see \\#\u200b12");
  EXPECT_EQ(escape_markdown("http://x"), "http:\u200b//x");
  EXPECT_EQ(escape_markdown("www.x"), "www\u200b.x");
  EXPECT_EQ(escape_markdown("a@b.example"), "a\\@\u200bb.example");
}

TEST(MarkdownEscape, IsSafeAtTheStartOfALine) {
  for (const char* text : {"/close", "- item", "+ item", "=== x", "1. item", "12) item", "> quote",
                           "# heading", "* item", "| cell", "    code"}) {
    const std::string escaped = escape_markdown(text);
    EXPECT_FALSE(escaped.starts_with(text)) << escaped;
    EXPECT_FALSE(escaped.starts_with(" ")) << escaped;
  }
}

TEST(MarkdownEscape, CutsAndKeepsOneLine) {
  EXPECT_LT(escape_markdown(std::string(100'000, 'x'), 100).size(), 110U);
  EXPECT_EQ(escape_markdown("a\nb\r\nc").find('\n'), std::string::npos);
}

TEST(MarkdownCode, CannotBeLeft) {
  EXPECT_EQ(markdown_code("a"), "`a`");
  EXPECT_EQ(markdown_code(""), "");
  EXPECT_EQ(markdown_code("a`b"), "``a`b``");
  EXPECT_EQ(markdown_code("`a"), "`` `a ``");
  EXPECT_EQ(markdown_code("a|b\nc"), "`a¦b c`");
}

TEST(MarkdownBlock, CannotBeLeft) {
  EXPECT_EQ(markdown_block("a\n```\nb"), "````text\na\n```\nb\n````\n");
  EXPECT_EQ(markdown_block(""), "```text\n```\n");
  EXPECT_LT(markdown_block(std::string(100'000, '`') + "\nx", 100).size(), 400U);
}

TEST(ReportTitle, SaysWhatHappened) {
  EXPECT_EQ(report_title(passed_restore()), "customers-db: restore passed");
  EXPECT_EQ(report_title(failed_verify()), "customers-db: verify failed: decrypt_failed");
  EXPECT_EQ(report_title(inconclusive_restore()),
            "customers-db: restore could not be tested: scratch_full");
  EXPECT_EQ(report_title(running_report()), "customers-db: restore is running");
}

}  // namespace
}  // namespace rad::test
