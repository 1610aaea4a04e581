#include "plugins/wal_e/backup_catalog.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

using namespace std::chrono_literals;

/// A store of sentinels; the time of each is `hours` after an hour zero.
class Catalog : public testing::Test {
 protected:
  Catalog() { std::filesystem::create_directories(dir_ / "wal_005"); }

  void add(const std::string& name, std::chrono::hours time, bool sentinel = true,
           const std::string& text = R"({"wal_segment_backup_stop": "000000010000000000000009"})") {
    const auto folder = "basebackups_005/" + name;
    touch(dir_.write(folder + "/extended_version.txt", "PostgreSQL 15.20"), time);
    touch(dir_.write(folder + "/tar_partitions/part_00000000.tar.lzo", "x"), time);
    if (sentinel) touch(dir_.write(sentinel_key(name), text), time);
  }

  Result<ChosenBackup> choose(const std::string& wanted, std::chrono::hours now = 100h) {
    const auto storage = test_support::storage_of(dir_.path());
    const auto listing = arrange(storage->list(kBackupsPrefix).value(), {});
    return choose_backup(*storage, listing, wanted, zero_ + now, 24h);
  }

  static bool has(const ChosenBackup& chosen, std::string_view code) {
    return std::any_of(chosen.findings.begin(), chosen.findings.end(),
                       [&](const Finding& finding) { return finding.code == code; });
  }

 private:
  void touch(const std::filesystem::path& path, std::chrono::hours time) const {
    std::filesystem::last_write_time(
        path,
        std::chrono::file_clock::from_sys(std::chrono::sys_seconds(
            std::chrono::duration_cast<std::chrono::seconds>((zero_ + time).time_since_epoch()))));
  }
  test::TempDir dir_;
  TimePoint zero_{std::chrono::sys_days(std::chrono::year(2026) / 11 / 1)};
};

const std::string kOld = "base_000000010000000000000003_00000040";
const std::string kNew = "base_000000010000000000000005_00000040";
const std::string kNewer = "base_000000010000000000000007_00000040";

TEST_F(Catalog, LatestIsTheGreatestByTimelineAndLsn) {
  add(kOld, 1h);
  add(kNew, 2h);
  const auto chosen = choose("latest");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->backup.name.text, kNew);
  EXPECT_TRUE(chosen->findings.empty());
}

TEST_F(Catalog, LatestIsNotFooledByTimesOfCopies) {
  add(kOld, 9h);
  add(kNew, 2h);
  const auto chosen = choose("latest");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->backup.name.text, kNew);
  EXPECT_TRUE(has(*chosen, "latest_differs_by_time"));
}

TEST_F(Catalog, ANewerTimelineWinsOverAGreaterSegment) {
  add(kNewer, 1h);
  add("base_000000020000000000000004_00000040", 2h);
  EXPECT_EQ(choose("latest")->backup.name.start.timeline, 2U);
}

TEST_F(Catalog, AnUnfinishedNewerBackupIsAFindingUntilItIsOld) {
  add(kOld, 1h);
  add(kNew, 90h, false);
  const auto chosen = choose("latest");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->backup.name.text, kOld);
  EXPECT_TRUE(has(*chosen, "unfinished_backup"));
  EXPECT_FALSE(chosen->overdue);
  const auto later = choose("latest", 115h);
  ASSERT_TRUE(later);
  ASSERT_TRUE(later->overdue);
  EXPECT_EQ(later->overdue->reason, Reason::no_backup);
}

TEST_F(Catalog, AnUnfinishedOlderBackupIsNoMatter) {
  add(kOld, 1h, false);
  add(kNew, 2h);
  EXPECT_TRUE(choose("latest")->findings.empty());
}

TEST_F(Catalog, OfNothingOrOnlyUnfinishedHasNoBackup) {
  auto chosen = choose("latest");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().reason, Reason::no_backup);
  add(kOld, 1h, false);
  chosen = choose("latest");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().reason, Reason::no_backup);
  EXPECT_NE(chosen.error().message.find("1 unfinished"), std::string::npos);
}

TEST_F(Catalog, FindsABackupByName) {
  add(kOld, 1h);
  add(kNew, 2h);
  add(kNewer, 3h, false);
  EXPECT_EQ(choose(kOld)->backup.name.text, kOld);
  EXPECT_TRUE(choose(kOld)->findings.empty());
  for (const auto& wanted : {kNewer, std::string("base_000000010000000000000009_00000040")}) {
    const auto chosen = choose(wanted);
    ASSERT_FALSE(chosen);
    EXPECT_EQ(chosen.error().reason, Reason::no_backup);
  }
}

TEST_F(Catalog, TheChosenSentinelMustBeReadable) {
  add(kOld, 1h);
  add(kNew, 2h, true, "not JSON");
  const auto chosen = choose("latest");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().reason, Reason::metadata_invalid);
  EXPECT_EQ(chosen.error().object, sentinel_key(kNew));
}

TEST_F(Catalog, AnotherSentinelThatIsNotIsAFinding) {
  add(kOld, 1h, true, "not JSON");
  add(kNew, 2h);
  const auto chosen = choose("latest");
  ASSERT_TRUE(chosen);
  EXPECT_TRUE(has(*chosen, "sentinel_invalid"));
}

}  // namespace
}  // namespace rad::wal_e
