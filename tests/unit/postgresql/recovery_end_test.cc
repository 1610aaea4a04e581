#include "plugins/postgresql/recovery_end.h"

#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

constexpr std::uint64_t kSegmentBytes = 16U << 20U;

TEST(History, IsReadLineByLine) {
  const auto lines = parse_history(
      "1\t0/3000090\tno recovery target specified\n\n2\t0/41D62C0\tat restore point \"rp2\"\n");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].timeline, 2U);
  EXPECT_EQ(lines[1].lsn, *parse_lsn("0/41D62C0"));
  EXPECT_EQ(lines[1].reason, "at restore point \"rp2\"");
}

TEST(History, OfGarbageIsEmpty) {
  EXPECT_TRUE(parse_history("").empty());
  EXPECT_TRUE(parse_history("x\t0/1\ty\n1\tnowhere\ty\n# 1 0/1\n").empty());
  EXPECT_EQ(parse_history("1\t0/1").size(), 1U);
}

std::string replaced(const char* end_lsn, std::uint32_t restored_timeline) {
  RecoveryEnd end;
  end.point.timeline = 3;
  end.lsn = *parse_lsn(end_lsn);
  end.log.restored[(end.lsn - 1) / kSegmentBytes] = restored_timeline;
  return replaced_segment(end, parse_history("1\t0/3005970\ta\n2\t0/7000100\tb\n"), kSegmentBytes);
}

TEST(ReplacedSegment, IsThatOfTheTimelineAtTheEnd) {
  EXPECT_EQ(replaced("0/4000000", 1), "000000020000000000000003");
  EXPECT_EQ(replaced("0/7000200", 1), "000000030000000000000007");
  EXPECT_EQ(replaced("0/7000200", 2), "000000030000000000000007");
}

TEST(ReplacedSegment, IsNoneWhereTheTimelineIsRight) {
  EXPECT_EQ(replaced("0/2000200", 1), "");
  EXPECT_EQ(replaced("0/4000000", 2), "");
  EXPECT_EQ(replaced("0/7000200", 3), "");
}

TEST(ReplacedSegment, IsNoneBeforeTheTimelineWasLeft) {
  // Segment 3 of timeline 2 begins with what timeline 1 wrote.
  EXPECT_EQ(replaced("0/3005970", 1), "");
  EXPECT_EQ(replaced("0/3005970", 2), "");
  EXPECT_EQ(replaced("0/3005971", 1), "000000020000000000000003");
}

TEST(ReplacedSegment, IsNoneWhereNothingIsKnown) {
  RecoveryEnd end;
  EXPECT_EQ(replaced_segment(end, {}, kSegmentBytes), "");
  end.lsn = 5;
  end.point.timeline = 2;
  EXPECT_EQ(replaced_segment(end, {}, kSegmentBytes), "");
}

}  // namespace
}  // namespace rad::postgresql
