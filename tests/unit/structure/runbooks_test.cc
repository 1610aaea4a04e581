// Every reason has a page that somebody can follow at 3 a.m.
#include <filesystem>

#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/base/reason.h"

namespace rad {
namespace {

namespace fs = std::filesystem;

const fs::path kRunbooks = fs::path(RAD_SOURCE_DIR) / "runbooks";

/// That the page has all parts in their order, and shows commands.
void expect_whole(const std::string& name) {
  const auto page = read_file(kRunbooks / (name + ".md"));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->rfind("# " + name, 0), 0U) << name;
  std::size_t last = 0;
  for (const char* part : {"\n## Meaning\n", "\n## Impact\n", "\n## First three commands\n",
                           "\n## Fix\n", "\n## When to wake somebody\n"}) {
    const std::size_t found = page->find(part);
    ASSERT_NE(found, std::string::npos) << name << " lacks '" << part << "'";
    EXPECT_GT(found, last) << name << ": parts are out of order";
    last = found;
  }
  EXPECT_NE(page->find("```"), std::string::npos) << name << " shows no command";
}

TEST(Runbooks, HaveAPageWithAllPartsForEachReason) {
  for (const ReasonInfo& row : all_reasons()) expect_whole(std::string(row.runbook));
}

TEST(Runbooks, PagesOfMetricsAreWholeKnownAndListed) {
  const auto reference = read_file(fs::path(RAD_SOURCE_DIR) / "docs/reference/metrics.md");
  const auto index = read_file(kRunbooks / "README.md");
  ASSERT_TRUE(reference && index);
  int pages = 0;
  for (const auto& entry : fs::directory_iterator(kRunbooks)) {
    const std::string name = entry.path().stem();
    if (!name.starts_with("rad_")) continue;
    ++pages;
    expect_whole(name);
    EXPECT_NE(reference->find("`" + name + "`"), std::string::npos) << name << " is no metric";
    EXPECT_NE(index->find("(" + name + ".md)"), std::string::npos) << name << " is not listed";
  }
  EXPECT_GE(pages, 4);
}

TEST(Runbooks, SayTheVerdictOfTheirReason) {
  for (const ReasonInfo& row : all_reasons()) {
    const auto page = read_file(kRunbooks / (std::string(row.runbook) + ".md"));
    ASSERT_TRUE(page) << page.error().message;
    const char* verdict = row.blame == Blame::backup    ? "verdict: fail"
                          : row.blame == Blame::unknown ? "verdict: inconclusive"
                                                        : "verdict: cancelled";
    EXPECT_NE(page->find(verdict), std::string::npos) << row.name << " lacks '" << verdict << "'";
  }
}

}  // namespace
}  // namespace rad
