#include "plugins/postgresql/lsn.h"

#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

constexpr std::uint64_t k16MiB = 16U << 20U;

TEST(Lsn, ReadsAndWritesWhatPostgresqlPrints) {
  for (const char* text : {"0/0", "0/721B598", "16/B374D848", "FFFFFFFF/FFFFFFFF"}) {
    const auto lsn = parse_lsn(text);
    ASSERT_TRUE(lsn) << text;
    EXPECT_EQ(format_lsn(*lsn), text);
  }
  EXPECT_EQ(parse_lsn("0/05007C08"), parse_lsn("0/5007C08"));
}

TEST(Lsn, RefusesWhatIsNone) {
  for (const char* text :
       {"", "/", "0/", "/1", "0-1", "0/G", "0/123456789", "123456789/0", "0/1 "}) {
    EXPECT_FALSE(parse_lsn(text)) << text;
  }
}

TEST(Segment, NamesGoUpWithTheirNumbers) {
  const auto segment = parse_segment("0000000200000001000000FF", k16MiB);
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->timeline, 2U);
  EXPECT_EQ(segment->number, 0x1FFU);
  EXPECT_EQ(format_segment({2, segment->number + 1}, k16MiB), "000000020000000200000000");
}

TEST(Segment, DependsOnTheSegmentSize) {
  EXPECT_EQ(segment_at(1, *parse_lsn("1/40000000"), std::uint64_t{1} << 30U),
            "000000010000000100000001");
  EXPECT_EQ(segment_at(1, *parse_lsn("1/40000000"), k16MiB), "000000010000000100000040");
  EXPECT_FALSE(parse_segment("000000010000000000000100", k16MiB));
  EXPECT_TRUE(parse_segment("000000010000000000000100", 1U << 20U));
}

TEST(Segment, RefusesOtherNames) {
  for (const char* name : {"", "00000001000000000000000a", "00000000000000000000000A",
                           "00000002.history", "0000000100000000000000012"}) {
    EXPECT_FALSE(parse_segment(name, k16MiB)) << name;
  }
  EXPECT_FALSE(parse_segment("000000010000000000000001", 12345));
  EXPECT_FALSE(parse_segment("000000010000000000000001", 0));
}

}  // namespace
}  // namespace rad::postgresql
