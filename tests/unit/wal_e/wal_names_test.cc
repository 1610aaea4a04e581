#include "plugins/wal_e/wal_names.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

TEST(Lsn, GoesThereAndBack) {
  EXPECT_EQ(format_lsn(0x5000028), "0/5000028");
  EXPECT_EQ(format_lsn(0x12A00000000), "12A/0");
  EXPECT_EQ(parse_lsn("12A/FFFFFFFF"), 0x12AFFFFFFFFULL);
  EXPECT_EQ(parse_lsn("0/0500002a"), 0x500002AU);
}

TEST(Lsn, RefusesWhatIsNone) {
  for (const char* text :
       {"", "/", "0/", "/0", "0", "0/123456789", "g/0", "0/ 1", "-1/0", "0/0/0"}) {
    EXPECT_FALSE(parse_lsn(text)) << text;
  }
}

TEST(SegmentSize, IsAPowerOfTwoFromOneMebibyteToOneGibibyte) {
  EXPECT_TRUE(is_segment_size(1U << 20U));
  EXPECT_TRUE(is_segment_size(1U << 30U));
  EXPECT_FALSE(is_segment_size(0));
  EXPECT_FALSE(is_segment_size(3U << 20U));
  EXPECT_FALSE(is_segment_size(1U << 19U));
  EXPECT_FALSE(is_segment_size(std::uint64_t{1} << 31U));
}

TEST(SegmentName, KnowsItsNumberForEachSize) {
  const auto name = parse_segment_name("0000000A00000001000000FF");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->timeline, 10U);
  EXPECT_EQ(segment_number(*name, kDefaultSegmentBytes), 0x1FFU);
  EXPECT_EQ(segment_number(*name, 4U << 20U), 0x4FFU);
  EXPECT_EQ(segment_number(*name, 64U << 20U), std::nullopt) << "only 64 segments a log";
  EXPECT_EQ(to_string(segment_name(10, 0x1FF, kDefaultSegmentBytes)), "0000000A00000001000000FF");
}

TEST(SegmentName, RefusesWhatIsNone) {
  for (const char* text :
       {"", "00000001000000000000000", "0000000100000000000000001", "00000001000000000000000g",
        "0000000a0000000000000001", "000000000000000000000001"}) {
    EXPECT_FALSE(parse_segment_name(text)) << text;
  }
}

TEST(BackupName, HasSegmentAndDecimalOffset) {
  const auto name = parse_backup_name("base_000000010000000000000003_00000040");
  ASSERT_TRUE(name);
  EXPECT_EQ(to_string(name->start), "000000010000000000000003");
  EXPECT_EQ(name->offset, 40U);
}

TEST(BackupName, OfAnOfflineBackupMayHoldHexDigits) {
  const auto name = parse_backup_name("base_00000001000000000000001A_0000001A");
  ASSERT_TRUE(name);
  EXPECT_FALSE(name->offset);
}

TEST(BackupName, RefusesWhatIsNone) {
  for (const char* text :
       {"", "base_", "base_000000010000000000000003", "base_000000010000000000000003_",
        "base_000000010000000000000003_000000400", "base_000000010000000000000003-00000040",
        "BASE_000000010000000000000003_00000040", "base_000000010000000000000003_0000004/"}) {
    EXPECT_FALSE(parse_backup_name(text)) << text;
  }
}

TEST(WalFileName, TellsTheKinds) {
  EXPECT_EQ(parse_wal_file_name("000000010000000000000003")->kind, WalFileKind::segment);
  EXPECT_EQ(parse_wal_file_name("000000010000000000000003.partial")->kind, WalFileKind::partial);
  const auto history = parse_wal_file_name("0000000B.history");
  ASSERT_TRUE(history);
  EXPECT_EQ(history->kind, WalFileKind::history);
  EXPECT_EQ(history->segment.timeline, 11U);
  const auto backup = parse_wal_file_name("000000010000000000000003.00000028.backup");
  ASSERT_TRUE(backup);
  EXPECT_EQ(backup->kind, WalFileKind::backup_history);
  EXPECT_EQ(backup->offset, 40U);
}

TEST(WalFileName, RefusesPathsAndOddNames) {
  for (const char* text :
       {"", "..", "../000000010000000000000003", "000000010000000000000003.lzo",
        "000000010000000000000003.backup", "000000010000000000000003.0000028.backup",
        "00000000.history", "1.history", "000000010000000000000003/x",
        "000000010000000000000003\n"}) {
    EXPECT_FALSE(parse_wal_file_name(text)) << text;
  }
}

TEST(History, NamesTheAncestorsOldestFirst) {
  const auto lines = parse_history(
      "1\t0/7000100\tno recovery target specified\n\n# note\n"
      "2\t0/9000000\tbefore 2000-01-01 00:00:00+00\n",
      3, "wal_005/00000003.history.lzo");
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ((*lines)[0].timeline, 1U);
  EXPECT_EQ((*lines)[0].switch_point, 0x7000100U);
  EXPECT_EQ((*lines)[1].timeline, 2U);
}

TEST(History, RefusesWhatContradictsItself) {
  for (const char* text : {"", "\n", "not a history file\n", "2\t0/1\n1\t0/2\n", "1\t0/9\n2\t0/1\n",
                           "3\t0/1\n", "4\t0/1\n", "1\n", "1\tx\n", "99999999999\t0/1\n"}) {
    const auto lines = parse_history(text, 3, "wal_005/00000003.history.lzo");
    ASSERT_FALSE(lines) << text;
    EXPECT_EQ(lines.error().reason, Reason::metadata_invalid);
    EXPECT_EQ(lines.error().object, "wal_005/00000003.history.lzo");
  }
}

}  // namespace
}  // namespace rad::wal_e
