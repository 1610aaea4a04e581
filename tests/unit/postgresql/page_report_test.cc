#include "plugins/postgresql/page_report.h"

#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

TEST(PageReport, CountsBadPages) {
  PageReport report;
  const char* data = "/scratch/data";
  report.take(
      "pg_checksums: error: checksum verification failed in file "
      "\"/scratch/data/base/13/2601.1\", block 7: calculated checksum 2AC3 but block "
      "contains 0",
      data);
  report.take("Checksum operation completed", data);
  report.take("Files scanned:   950", data);
  report.take("Blocks scanned:  3496", data);
  report.take("Bad checksums:  1", data);
  EXPECT_EQ(report.bad_pages, 1U);
  EXPECT_EQ(report.files, 950U);
  EXPECT_EQ(report.blocks, 3496U);
  EXPECT_EQ(report.first_file, "base/13/2601.1");
  ASSERT_EQ(report.lines.size(), 1U);
  EXPECT_EQ(report.lines[0],
            "base/13/2601.1, block 7: calculated checksum 2AC3 but block contains 0");
}

TEST(PageReport, ReadsProgress) {
  PageReport report;
  const auto progress = report.take("  12/345 MB (3%) computed", "");
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->first, 12U);
  EXPECT_EQ(progress->second, 345U);
  EXPECT_FALSE(report.take("12/x MB", ""));
}

TEST(PageReport, KeepsTheLastError) {
  PageReport report;
  report.take("pg_checksums: error: cluster must be shut down", "");
  EXPECT_EQ(report.last_error, "pg_checksums: error: cluster must be shut down");
  EXPECT_EQ(report.bad_pages, 0U);
}

}  // namespace
}  // namespace rad::postgresql
