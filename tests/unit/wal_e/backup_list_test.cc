#include "plugins/wal_e/backup_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

using object_store::ObjectInfo;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TimePoint kBegun = parse_time("2026-11-20T01:00:00Z").value();
const TimePoint kEnded = parse_time("2026-11-20T02:00:00Z").value();

std::vector<ObjectInfo> objects_of(const std::string& name, bool sentinel = true) {
  const std::string folder = "basebackups_005/" + name;
  std::vector<ObjectInfo> objects{
      {folder + "/extended_version.txt", 20, kBegun},
      {folder + "/tar_partitions/part_00000000.tar.lzo", 1000, kBegun + std::chrono::minutes(30)}};
  if (sentinel) objects.push_back({sentinel_key(name), 100, kEnded});
  return objects;
}

std::vector<protocol::ListedBackup> listed(std::vector<std::vector<ObjectInfo>> stores) {
  std::vector<ObjectInfo> all;
  for (const auto& objects : stores) all.insert(all.end(), objects.begin(), objects.end());
  std::ranges::sort(all, {}, &ObjectInfo::key);
  return list_backups(arrange(all, {}));
}

TEST(BackupList, SaysWhatTheListingTells) {
  const auto backups = listed({objects_of("base_000000020000000100000003_00000040")});
  ASSERT_EQ(backups.size(), 1U);
  const auto& backup = backups.front();
  EXPECT_EQ(backup.name, "base_000000020000000100000003_00000040");
  EXPECT_EQ(backup.started_at, kBegun);
  EXPECT_EQ(backup.finished_at, kEnded);
  EXPECT_EQ(backup.timeline, 2U);
  EXPECT_EQ(backup.start_lsn, "1/3000028");
  EXPECT_GE(backup.stored_bytes, 1000U);
  EXPECT_TRUE(backup.complete);
  EXPECT_THAT(backup.note, HasSubstr("time of the sentinel"));
}

TEST(BackupList, NewestFirstByTimelineAndLsn) {
  const auto backups = listed({objects_of("base_000000010000000000000009_00000040"),
                               objects_of("base_000000020000000000000003_00000040"),
                               objects_of("base_000000010000000000000009_00000080")});
  ASSERT_EQ(backups.size(), 3U);
  EXPECT_EQ(backups[0].name, "base_000000020000000000000003_00000040");
  EXPECT_EQ(backups[1].name, "base_000000010000000000000009_00000080");
}

TEST(BackupList, TellsWhatIsNotComplete) {
  const auto unfinished = listed({objects_of("base_000000010000000000000003_00000040", false)});
  EXPECT_FALSE(unfinished.at(0).complete);
  EXPECT_EQ(unfinished.at(0).finished_at, kBegun + std::chrono::minutes(30));
  EXPECT_THAT(unfinished.at(0).note, HasSubstr("no sentinel"));
  auto gap = objects_of("base_000000010000000000000003_00000040");
  gap.push_back(
      {"basebackups_005/base_000000010000000000000003_00000040/tar_partitions/"
       "part_00000002.tar.lzo",
       10, kBegun});
  const auto missing = listed({gap});
  EXPECT_FALSE(missing.at(0).complete);
  EXPECT_THAT(missing.at(0).note, HasSubstr("part_00000001"));
}

TEST(BackupList, SaysNoPositionThatTheNameDoesNotTell) {
  const auto large = listed({objects_of("base_000000010000000000000FFF_00000040")});
  EXPECT_THAT(large.at(0).start_lsn, IsEmpty());
  const auto hex = listed({objects_of("base_000000010000000000000003_000000FF")});
  ASSERT_EQ(hex.size(), 1U);
  EXPECT_THAT(hex.at(0).start_lsn, IsEmpty());
}

TEST(BackupList, IsCutToTheNewest) {
  std::vector<std::vector<ObjectInfo>> stores;
  for (unsigned number = 1; number <= protocol::kMaxBackups + 5; ++number) {
    const SegmentName start = segment_name(1, number, kDefaultSegmentBytes);
    stores.push_back(objects_of("base_" + to_string(start) + "_00000040"));
  }
  const auto backups = listed(stores);
  ASSERT_EQ(backups.size(), protocol::kMaxBackups);
  EXPECT_EQ(backups.front().name, stores.back().front().key.substr(16, 38));
}

}  // namespace
}  // namespace rad::wal_e
