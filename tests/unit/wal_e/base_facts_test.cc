#include "plugins/wal_e/base_facts.h"

#include <gtest/gtest.h>

#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

constexpr std::uint64_t kGibibyte = std::uint64_t{1} << 30U;

/// The plain fixture, pinned and read, for tests to alter.
class Facts : public testing::Test {
 protected:
  Facts() {
    const auto storage = test_support::storage_of(test_support::plain_store());
    WalEOptions options;
    const DecodeContext context;
    pinned_ = pin_backup({.storage = *storage,
                          .context = context,
                          .options = options,
                          .keyring = nullptr,
                          .now = SystemClock().now()})
                  .value();
    ReadOptions read;
    for (const auto& partition : pinned_.chosen.backup.partitions) {
      read.partitions.push_back(partition.object);
    }
    content_ = read_base_backup(*storage, context, read).value();
  }
  Error error() {
    auto facts = learn_facts(content_, pinned_);
    EXPECT_FALSE(facts);
    return facts ? Error{} : facts.error();
  }

  PinnedBackup pinned_;
  BaseBackupContent content_;
};

TEST_F(Facts, OfAGenuineBackupAgree) {
  const auto facts = learn_facts(content_, pinned_);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->major, 15);
  EXPECT_FALSE(facts->offline);
  EXPECT_TRUE(facts->has_checksums);
  EXPECT_EQ(facts->start, 0x5000028U);
  EXPECT_EQ(facts->stop, 0x5011950U);
  EXPECT_TRUE(check_tablespaces(content_, pinned_));
  const auto size = judge_size(content_, pinned_, 0);
  EXPECT_FALSE(size.error);
  EXPECT_FALSE(size.finding);
}

TEST_F(Facts, NeedPgVersionAndPgControl) {
  content_.pg_version.clear();
  EXPECT_EQ(error().object, "PG_VERSION");
  content_.pg_version = "15";
  content_.pg_control.clear();
  EXPECT_EQ(error().reason, Reason::missing_object);
  content_.pg_control = std::string(8192, 'x');
  EXPECT_EQ(error().reason, Reason::metadata_invalid);
}

TEST_F(Facts, RefuseAVersionThatIsNone) {
  for (const char* text : {"x", "15x", "15 ", "8.4", "99999999999"}) {
    content_.pg_version = text;
    EXPECT_EQ(error().reason, Reason::metadata_invalid) << text;
  }
  content_.pg_version = "14";
  EXPECT_NE(error().message.find("extended_version.txt"), std::string::npos);
}

TEST_F(Facts, RefuseALabelOfAnotherBackup) {
  auto& label = content_.backup_label;
  label.replace(label.find("0/5000028"), 9, "0/5000020");
  EXPECT_EQ(error().object, "backup_label");
}

TEST_F(Facts, WithoutALabelNeedAServerThatWasShutDown) {
  content_.backup_label.clear();
  const Error found = error();
  EXPECT_EQ(found.reason, Reason::missing_object);
  EXPECT_EQ(found.object, "backup_label");
}

TEST_F(Facts, TablespacesOfTheSentinelNeedMembers) {
  pinned_.chosen.sentinel.tablespaces.push_back({"16400", "/mnt/a"});
  const auto status = check_tablespaces(content_, pinned_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::missing_object);
  content_.tablespaces_seen = {"16400"};
  EXPECT_TRUE(check_tablespaces(content_, pinned_));
}

TEST_F(Facts, MoreBytesThanTheSentinelSaysContradictIt) {
  pinned_.chosen.sentinel.expanded_bytes = content_.member_bytes - 1;
  const auto size = judge_size(content_, pinned_, 0);
  ASSERT_TRUE(size.error);
  EXPECT_EQ(size.error->reason, Reason::metadata_invalid);
  EXPECT_EQ(size.error->object, pinned_.chosen.backup.sentinel->key);
}

TEST_F(Facts, FewerBytesAreAFindingWhileTheLastPartitionHadRoom) {
  pinned_.chosen.sentinel.expanded_bytes = content_.member_bytes + 1000;
  const auto size = judge_size(content_, pinned_, 0);
  EXPECT_FALSE(size.error);
  ASSERT_TRUE(size.finding);
  EXPECT_EQ(size.finding->code, "fewer_bytes");
}

TEST_F(Facts, FewerBytesBehindAFullPartitionAreAMissingOne) {
  pinned_.chosen.sentinel.expanded_bytes = content_.member_bytes + 1000;
  content_.members_per_partition.back() = 6144;
  const auto size = judge_size(content_, pinned_, 0);
  ASSERT_TRUE(size.error);
  EXPECT_EQ(size.error->reason, Reason::missing_object);
  EXPECT_TRUE(size.error->object.ends_with("/part_00000001.tar.lzo"));
  EXPECT_FALSE(judge_size(content_, pinned_, 1).error) << "a dropped relation explains it";
}

TEST_F(Facts, AShortfallThatWouldNotHaveFilledThePartitionIsNoMissingOne) {
  content_.bytes_per_partition.back() = kGibibyte;
  pinned_.chosen.sentinel.expanded_bytes = content_.member_bytes + kGibibyte / 4;
  EXPECT_FALSE(judge_size(content_, pinned_, 0).error);
  pinned_.chosen.sentinel.expanded_bytes = content_.member_bytes + kGibibyte;
  EXPECT_TRUE(judge_size(content_, pinned_, 0).error);
}

}  // namespace
}  // namespace rad::wal_e
