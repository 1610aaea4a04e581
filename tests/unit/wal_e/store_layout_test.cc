#include "plugins/wal_e/store_layout.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

using object_store::ObjectInfo;

constexpr std::string_view kName = "base_000000010000000000000003_00000040";

ObjectInfo object(std::string key, std::uint64_t size = 10) {
  return {.key = std::move(key), .size = size, .modified = {}};
}

ObjectInfo part(std::string_view file, std::uint64_t size = 10) {
  return object("basebackups_005/" + std::string(kName) + "/tar_partitions/" + std::string(file),
                size);
}

StoredBackup backup_of(const std::vector<ObjectInfo>& parts) {
  auto listing = arrange(parts, {});
  return listing.backups[std::string(kName)];
}

TEST(Arrange, SortsBackupsAndWal) {
  const auto listing = arrange(
      {object(sentinel_key(kName)), part("part_00000001.tar.lzo"), part("part_00000000.tar.lzo"),
       object("basebackups_005/" + std::string(kName) + "/extended_version.txt"),
       object("basebackups_005/base_000000010000000000000009_00000040/extended_version.txt"),
       part("part_x.tar.lzo"), part("notes.txt"), object("basebackups_005/readme")},
      {object("wal_005/000000020000000000000004.lzo"),
       object("wal_005/000000010000000000000003.lzo"),
       object("wal_005/000000010000000000000004.partial.lzo"),
       object("wal_005/00000002.history.lzo"),
       object("wal_005/000000010000000000000003.00000028.backup.lzo"), object("wal_005/junk.lzo"),
       object("wal_005/000000010000000000000005")});
  ASSERT_EQ(listing.backups.size(), 2U);
  const auto& backup = listing.backups.at(std::string(kName));
  EXPECT_TRUE(backup.sentinel);
  EXPECT_TRUE(backup.extended_version);
  ASSERT_EQ(backup.partitions.size(), 2U);
  EXPECT_EQ(backup.partitions[1].number, 1U);
  EXPECT_EQ(backup.stored_bytes(), 20U);
  EXPECT_FALSE(listing.backups.rbegin()->second.sentinel);
  ASSERT_EQ(listing.wal.segments.size(), 2U);
  EXPECT_EQ(listing.wal.segments[0].name.timeline, 1U);
  EXPECT_EQ(listing.wal.partials.size(), 1U);
  EXPECT_TRUE(listing.wal.histories.contains(2));
  EXPECT_EQ(listing.wal.backup_histories.size(), 1U);
  EXPECT_NE(listing.wal.find(*parse_segment_name("000000020000000000000004")), nullptr);
  EXPECT_EQ(listing.wal.find(*parse_segment_name("000000010000000000000004")), nullptr);
}

TEST(Partitions, RunFromZeroWithoutAGap) {
  EXPECT_TRUE(
      check_partitions(backup_of({part("part_00000000.tar.lzo"), part("part_00000001.tar.lzo")})));
}

TEST(Partitions, OfOldVersionsAreNotPadded) {
  std::vector<ObjectInfo> parts;
  for (int i = 0; i < 12; ++i) parts.push_back(part("part_" + std::to_string(i) + ".tar.lzo"));
  EXPECT_TRUE(check_partitions(backup_of(parts)));
  parts.erase(parts.begin() + 10);
  const auto status = check_partitions(backup_of(parts));
  ASSERT_FALSE(status);
  EXPECT_TRUE(status.error().object.ends_with("/part_10.tar.lzo"));
}

TEST(Partitions, ThatAreMissingAreNamed) {
  const auto first = check_partitions(backup_of({part("part_00000001.tar.lzo")}));
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().reason, Reason::missing_object);
  EXPECT_TRUE(first.error().object.ends_with("/part_00000000.tar.lzo"));
  const auto middle =
      check_partitions(backup_of({part("part_00000000.tar.lzo"), part("part_00000002.tar.lzo")}));
  ASSERT_FALSE(middle);
  EXPECT_TRUE(middle.error().object.ends_with("/part_00000001.tar.lzo"));
  StoredBackup none;
  none.name = *parse_backup_name(kName);
  ASSERT_FALSE(check_partitions(none));
  EXPECT_EQ(check_partitions(none).error().reason, Reason::missing_object);
}

TEST(Partitions, OfTwoSpellingsContradictEachOther) {
  for (const char* second : {"part_0.tar.lzo", "part_1.tar.lzo"}) {
    const auto status = check_partitions(backup_of({part("part_00000000.tar.lzo"), part(second)}));
    ASSERT_FALSE(status) << second;
    EXPECT_EQ(status.error().reason, Reason::metadata_invalid);
  }
}

TEST(Partitions, WithoutBytesAreTruncated) {
  const auto status = check_partitions(
      backup_of({part("part_00000000.tar.lzo"), part("part_00000001.tar.lzo", 0)}));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::truncated);
  EXPECT_TRUE(status.error().object.ends_with("/part_00000001.tar.lzo"));
}

TEST(Partitions, WithAHugeNumberDoNotHang) {
  const auto status = check_partitions(
      backup_of({part("part_00000000.tar.lzo"), part("part_18446744073709551615.tar.lzo")}));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::missing_object);
}

}  // namespace
}  // namespace rad::wal_e
