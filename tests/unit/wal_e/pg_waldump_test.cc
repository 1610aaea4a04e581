#include "plugins/wal_e/pg_waldump.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

const SegmentName kMark = segment_name(1, 8, kDefaultSegmentBytes);

TEST(WaldumpError, AtTheEndMarkIsAnEnd) {
  // 15 and older; 16 and newer.
  for (const char* text : {"pg_waldump: error: error in WAL record at 0/737D9D0: invalid magic "
                           "number 0000 in log segment "
                           "000000010000000000000008, offset 0\n",
                           "pg_waldump: error: error in WAL record at 0/737D9D0: invalid magic "
                           "number 0000 in WAL segment "
                           "000000010000000000000008, LSN 0/8000000, offset 0\n"}) {
    const auto end = parse_waldump_error(text);
    ASSERT_TRUE(end) << text;
    EXPECT_EQ(end->last_record, 0x737D9D0U);
    EXPECT_TRUE(stopped_at(*end, kMark)) << text;
    EXPECT_FALSE(stopped_at(*end, segment_name(1, 7, kDefaultSegmentBytes)));
  }
}

TEST(WaldumpError, InsideASegmentIsDamage) {
  struct Case {
    const char* text;
    Lsn at;
    const char* segment;
  };
  for (const Case& one : {
           Case{"pg_waldump: error: error in WAL record at 0/5008418: incorrect resource manager "
                "data "
                "checksum in record at 0/5008460",
                0x5008460, ""},
           Case{"pg_waldump: error: error in WAL record at 0/5008418: invalid record length at "
                "0/5008460: wanted 24, got 0",
                0x5008460, ""},
           Case{"pg_waldump: error: error in WAL record at 0/5008418: record with incorrect "
                "prev-link "
                "0/1 at 0/5008460",
                0x5008460, ""},
           Case{"pg_waldump: error: error in WAL record at 0/5008418: invalid magic number 0000 in "
                "log "
                "segment 000000010000000000000006, offset 8192",
                0, "000000010000000000000006"},
           Case{"pg_waldump: error: error in WAL record at 0/5008418: invalid magic number 0000 in "
                "log "
                "segment 000000010000000000000008, offset 8192",
                0, "000000010000000000000008"},
           Case{"pg_waldump: error: error in WAL record at 0/5008418: unexpected pageaddr "
                "0/4000000 in "
                "log segment 000000010000000000000006, offset 0",
                0, "000000010000000000000006"},
       }) {
    const auto end = parse_waldump_error(one.text);
    ASSERT_TRUE(end) << one.text;
    EXPECT_EQ(end->last_record, 0x5008418U) << one.text;
    EXPECT_EQ(end->at_lsn, one.at) << one.text;
    EXPECT_EQ(end->at_segment, one.segment) << one.text;
    EXPECT_FALSE(stopped_at(*end, kMark)) << one.text;
  }
}

TEST(WaldumpError, WithoutAnyRecordHasNoLast) {
  const auto end =
      parse_waldump_error("pg_waldump: error: could not find a valid record after 0/5000028\n");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->last_record, 0U);
  EXPECT_FALSE(stopped_at(*end, kMark));
}

TEST(WaldumpError, ThatIsNotAboutWalIsNone) {
  for (const char* text : {"", "pg_waldump: error: could not open directory", "Killed",
                           "error in WAL record at nowhere"}) {
    EXPECT_FALSE(parse_waldump_error(text)) << text;
  }
}

}  // namespace
}  // namespace rad::wal_e
