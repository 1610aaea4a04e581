#include "plugins/postgresql/server_binaries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_dir.h"

namespace rad::postgresql {
namespace {

TEST(ServerBinaries, AreFoundByPattern) {
  const test::TempDir dir;
  for (const char* major : {"12", "16"}) {
    for (const char* program : {"postgres", "pg_controldata"}) {
      ::chmod(dir.write(std::filesystem::path(major) / "bin" / program, "").c_str(), 0755);
    }
  }
  ::chmod(dir.write("14/bin/postgres", "").c_str(), 0755);  // half installed
  const std::vector<std::string> patterns{(dir / "{major}/bin").string()};
  EXPECT_THAT(installed_majors(patterns), ::testing::ElementsAre(12, 16));
  EXPECT_EQ(*find_bin_dir(patterns, 16), dir / "16/bin");
  const auto missing = find_bin_dir(patterns, 14);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().reason, Reason::version_unsupported);
  EXPECT_EQ(missing.error().message, "the backup is of PostgreSQL 14, installed here: 12, 16");
}

}  // namespace
}  // namespace rad::postgresql
