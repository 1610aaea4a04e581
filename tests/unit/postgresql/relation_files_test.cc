#include "plugins/postgresql/relation_files.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace rad::postgresql {
namespace {

constexpr std::uint64_t kSegment = 64;

class Forks : public ::testing::Test {
 protected:
  void file(const char* path, std::size_t bytes) { dir_.write(path, std::string(bytes, 'x')); }
  std::vector<BrokenFork> broken() { return find_broken_forks(dir_.path(), kSegment); }

  test::TempDir dir_;
};

TEST_F(Forks, ThatFitTogetherAreFine) {
  file("base/5/100", 64);
  file("base/5/100.1", 64);
  file("base/5/100.2", 10);
  file("base/5/101", 10);
  file("base/5/101_vm", 0);
  file("global/1260", 8);
  EXPECT_TRUE(broken().empty());
}

TEST_F(Forks, MayBeFollowedByEmptySegmentsOfATruncation) {
  file("base/5/100", 10);
  file("base/5/100.1", 0);
  file("base/5/100.2", 0);
  EXPECT_TRUE(broken().empty());
}

TEST_F(Forks, WithoutAMiddleSegmentAreBroken) {
  file("base/5/100", 64);
  file("base/5/100.2", 10);
  ASSERT_EQ(broken().size(), 1U);
  EXPECT_EQ(broken()[0].path, "base/5/100.1");
}

TEST_F(Forks, WithoutTheirFirstSegmentAreBroken) {
  file("pg_tblspc/9/PG_15_202209061/5/100_fsm.1", 10);
  ASSERT_EQ(broken().size(), 1U);
  EXPECT_EQ(broken()[0].path, "pg_tblspc/9/PG_15_202209061/5/100_fsm");
}

TEST_F(Forks, WithAShortMiddleSegmentAreBroken) {
  file("base/5/100", 63);
  file("base/5/100.1", 10);
  ASSERT_EQ(broken().size(), 1U);
  EXPECT_EQ(broken()[0].message, "base/5/100 has 63 of 64 bytes, but segment 1 is there");
}

TEST_F(Forks, AreNotTemporaryOrOtherFiles) {
  file("base/5/t3_100.1", 10);
  file("base/5/PG_VERSION", 3);
  file("base/5/pg_internal.init", 3);
  file("base/5/100_odd.1", 3);
  file("base/5/100.x", 3);
  EXPECT_TRUE(broken().empty());
}

}  // namespace
}  // namespace rad::postgresql
