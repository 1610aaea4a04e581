#include "plugins/wal_e/backup_label.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

constexpr std::string_view kLabel =
    "START WAL LOCATION: 0/5000028 (file 000000010000000000000005)\n"
    "CHECKPOINT LOCATION: 0/5000060\n"
    "BACKUP METHOD: streamed\n"
    "BACKUP FROM: primary\n"
    "START TIME: 2026-11-20 18:44:49 UTC\n"
    "LABEL: freeze_start_2026-11-20T18:44:49.339161+00:00\n"
    "START TIMELINE: 1\n";

TEST(BackupLabel, OfADataDirectory) {
  const auto label = parse_backup_label(kLabel, "backup_label");
  ASSERT_TRUE(label);
  EXPECT_EQ(label->start, 0x5000028U);
  EXPECT_EQ(to_string(label->start_segment), "000000010000000000000005");
  EXPECT_EQ(label->checkpoint, 0x5000060U);
  EXPECT_EQ(label->timeline, 1U);
  EXPECT_FALSE(label->from_standby);
  EXPECT_FALSE(label->stop);
  EXPECT_FALSE(label->stop_time);
}

TEST(BackupLabel, OfTheArchiveHasTheEndToo) {
  const auto label =
      parse_backup_label(std::string(kLabel) +
                             "STOP WAL LOCATION: 0/5011950 (file 000000010000000000000005)\n"
                             "STOP TIME: 2026-11-20 18:44:50 UTC\nSTOP TIMELINE: 1\n",
                         "x.backup");
  ASSERT_TRUE(label);
  EXPECT_EQ(label->stop, 0x5011950U);
  ASSERT_TRUE(label->stop_time);
  EXPECT_EQ(label->stop_time->time_since_epoch(), std::chrono::milliseconds(1795200290000));
}

TEST(BackupLabel, KnowsTimesOnlyInZonesThatAreSure) {
  const auto time_of = [](std::string_view zone) {
    return parse_backup_label(
               std::string(kLabel) + "STOP TIME: 2026-11-20 18:44:50 " + std::string(zone) + "\n",
               "x")
        ->stop_time;
  };
  EXPECT_TRUE(time_of("GMT"));
  ASSERT_TRUE(time_of("+03"));
  EXPECT_EQ(*time_of("UTC") - *time_of("+03"), std::chrono::hours(3));
  EXPECT_FALSE(time_of("CST")) << "China, Cuba or Chicago";
  EXPECT_FALSE(time_of(""));
}

TEST(BackupLabel, WithoutALineItNeedsIsRefused) {
  for (const char* line : {"START WAL LOCATION", "CHECKPOINT LOCATION"}) {
    std::string text(kLabel);
    text.replace(text.find(line), 5, "XXXXX");
    const auto label = parse_backup_label(text, "backup_label");
    ASSERT_FALSE(label) << line;
    EXPECT_EQ(label.error().reason, Reason::metadata_invalid);
    EXPECT_NE(label.error().message.find(line), std::string::npos);
    EXPECT_EQ(label.error().object, "backup_label");
  }
}

TEST(BackupLabel, ThatContradictsItselfIsRefused) {
  std::string timeline(kLabel);
  timeline.replace(timeline.find("TIMELINE: 1"), 11, "TIMELINE: 2");
  EXPECT_FALSE(parse_backup_label(timeline, "x"));
  std::string checkpoint(kLabel);
  checkpoint.replace(checkpoint.find("0/5000060"), 9, "0/4000060");
  EXPECT_FALSE(parse_backup_label(checkpoint, "x"));
  EXPECT_FALSE(parse_backup_label(std::string(kLabel) + "STOP WAL LOCATION: 0/4 (file x)\n", "x"));
}

TEST(BackupLabel, OfGarbageIsRefused) {
  EXPECT_FALSE(parse_backup_label("", "x"));
  EXPECT_FALSE(parse_backup_label(std::string(1000, '\n'), "x"));
  EXPECT_FALSE(parse_backup_label("START WAL LOCATION: ", "x"));
  EXPECT_FALSE(parse_backup_label("START WAL LOCATION: 0/5 (file ", "x"));
}

}  // namespace
}  // namespace rad::wal_e
