// Every reason has a page that somebody can follow at 3 a.m.
#include <filesystem>

#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/base/reason.h"

namespace rad {
namespace {

namespace fs = std::filesystem;

const fs::path kRunbooks = fs::path(RAD_SOURCE_DIR) / "runbooks";

TEST(Runbooks, HaveAPageWithAllPartsForEachReason) {
  for (const ReasonInfo& row : all_reasons()) {
    const auto page = read_file(kRunbooks / (std::string(row.runbook) + ".md"));
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_EQ(page->rfind("# " + std::string(row.runbook), 0), 0U) << row.name;
    std::size_t last = 0;
    for (const char* part : {"\n## Meaning\n", "\n## Impact\n", "\n## First three commands\n",
                             "\n## Fix\n", "\n## When to wake somebody\n"}) {
      const std::size_t found = page->find(part);
      ASSERT_NE(found, std::string::npos) << row.name << " lacks '" << part << "'";
      EXPECT_GT(found, last) << row.name << ": parts are out of order";
      last = found;
    }
    EXPECT_NE(page->find("```"), std::string::npos) << row.name << " shows no command";
  }
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
