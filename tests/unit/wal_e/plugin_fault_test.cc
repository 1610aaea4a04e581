// The plugin over the protocol on stores with a fault: the reason, and the object at fault.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/wal_e/plugin_process.h"
#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;
using test_support::PluginProcess;
using test_support::StoreCopy;
using testing::Contains;

const std::string kBackup(test_support::kPlainBackup);
const std::string kPartition =
    "basebackups_005/" + kBackup + "/tar_partitions/part_00000000.tar.lzo";
const std::string kSentinel = "basebackups_005/" + kBackup + "_backup_stop_sentinel.json";

class Fault : public testing::Test {
 protected:
  boost::json::object options() const { return {{"storage", "file://" + store_.path().string()}}; }

  /// The error of preflight or, if that passes, of verify.
  Error verify(boost::json::object more = {}) {
    auto all = options();
    for (const auto& [key, value] : more) all[key] = value;
    PluginProcess plugin(Depth::verify, std::move(all));
    if (auto started = plugin.initialize(); !started) return started.error();
    auto preflight = plugin.call<protocol::PreflightResult>("preflight");
    if (!preflight) return preflight.error();
    findings_ = test_support::codes(preflight->findings);
    auto result = plugin.call<protocol::ReadResult>("verify");
    if (!result) return result.error();
    for (const auto& code : test_support::codes(result->findings)) findings_.push_back(code);
    return fail(Reason::internal_error, "it passed");
  }

  StoreCopy store_{test_support::plain_store()};
  std::vector<std::string> findings_;
};

TEST_F(Fault, OfAFlippedByteIsTheObjects) {
  auto bytes = store_.read(kPartition);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x20);
  store_.write(kPartition, bytes);
  const auto error = verify();
  EXPECT_THAT(error.reason, testing::AnyOf(Reason::checksum_mismatch, Reason::decompress_failed));
  EXPECT_EQ(error.object, kPartition);
}

TEST_F(Fault, OfACutPartitionIsTruncation) {
  auto bytes = store_.read(kPartition);
  bytes.resize(bytes.size() - 30);
  store_.write(kPartition, bytes);
  EXPECT_EQ(verify().reason, Reason::truncated);
}

TEST_F(Fault, OfAMissingPartitionIsFoundAtPreflight) {
  store_.remove(kPartition);
  const auto error = verify();
  EXPECT_EQ(error.reason, Reason::missing_object);
  EXPECT_EQ(error.object, kPartition);
}

TEST_F(Fault, OfTheSentinelIsNamed) {
  store_.write(kSentinel, "<Error/>");
  EXPECT_EQ(verify().object, kSentinel);
  store_.remove(kSentinel);
  EXPECT_EQ(verify().reason, Reason::no_backup);
}

TEST_F(Fault, OfWalBetweenAndAfterIsAGap) {
  store_.remove("wal_005/000000010000000000000006.lzo");
  auto error = verify();
  EXPECT_EQ(error.reason, Reason::wal_gap);
  EXPECT_EQ(error.object, "wal_005/000000010000000000000006.lzo");
  store_.remove("wal_005/000000010000000000000005.lzo");
  error = verify();
  EXPECT_EQ(error.object, "wal_005/000000010000000000000005.lzo");
}

TEST_F(Fault, OfWalAfterTheBackupDoesNotMatterToAnImmediateTarget) {
  store_.remove("wal_005/000000010000000000000006.lzo");
  EXPECT_EQ(verify({{"recover_to", "immediate"}}).reason, Reason::internal_error);
}

TEST_F(Fault, OfAMountThatIsNotThereIsNotTheBackups) {
  fs::remove_all(store_.path());
  EXPECT_EQ(verify().reason, Reason::storage_unreachable);
}

TEST_F(Fault, OfAnEmptyStoreIsNoBackup) {
  fs::remove_all(store_.path() / "basebackups_005");
  EXPECT_EQ(verify().reason, Reason::no_backup);
}

TEST_F(Fault, OfRightsIsTheHosts) {
  ::chmod((store_.path() / kPartition).c_str(), 0);
  const auto error = verify();
  EXPECT_EQ(error.reason, Reason::access_denied);
  EXPECT_EQ(error.object, kPartition);
}

TEST_F(Fault, OfMoreBytesThanPlannedIsTheSentinels) {
  auto text = store_.read(kSentinel);
  text.replace(text.find("51457433"), 8, "51457432");
  store_.write(kSentinel, text);
  const auto error = verify();
  EXPECT_EQ(error.reason, Reason::metadata_invalid);
  EXPECT_EQ(error.object, kSentinel);
}

TEST_F(Fault, OfFewerBytesIsAFinding) {
  auto text = store_.read(kSentinel);
  text.replace(text.find("51457433"), 8, "51457434");
  store_.write(kSentinel, text);
  EXPECT_EQ(verify().reason, Reason::internal_error);
  EXPECT_THAT(findings_, Contains("fewer_bytes"));
}

TEST_F(Fault, OfAnotherMajorLeavesRecordsUnproved) {
  PluginProcess plugin(
      Depth::verify,
      {{"storage", "file://" + store_.path().string()}, {"postgresql_bin", "/nowhere/{major}"}},
      {{.name = "wal_records", .check = "wal_records", .options = {}},
       {.name = "backup_complete", .check = "backup_complete", .options = {}}});
  ASSERT_TRUE(plugin.initialize());
  ASSERT_TRUE(plugin.call<protocol::PreflightResult>("preflight"));
  ASSERT_TRUE(plugin.call<protocol::ReadResult>("verify"));
  const auto outcomes = plugin.check();
  ASSERT_EQ(outcomes.size(), 2U);
  EXPECT_EQ(outcomes[0].outcome, Outcome::inconclusive);
  EXPECT_EQ(outcomes[0].reason, Reason::version_unsupported);
  EXPECT_EQ(outcomes[1].outcome, Outcome::pass);
}

TEST_F(Fault, OfAnotherMajorStopsARestoreAtPreflight) {
  PluginProcess plugin(Depth::restore, {{"storage", "file://" + store_.path().string()},
                                        {"postgresql_bin", "/nowhere/{major}"}});
  ASSERT_TRUE(plugin.initialize());
  const auto preflight = plugin.call<protocol::PreflightResult>("preflight");
  ASSERT_FALSE(preflight);
  EXPECT_EQ(preflight.error().reason, Reason::version_unsupported);
}

TEST_F(Fault, OfAnObjectThatVanishesWithItsBackupIsRetentions) {
  PluginProcess plugin(Depth::verify, options());
  ASSERT_TRUE(plugin.initialize());
  ASSERT_TRUE(plugin.call<protocol::PreflightResult>("preflight"));
  store_.remove(kPartition);
  store_.remove(kSentinel);
  const auto result = plugin.call<protocol::ReadResult>("verify");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::backup_removed);
}

TEST_F(Fault, OfAnObjectThatVanishesAloneIsTheStores) {
  PluginProcess plugin(Depth::verify, options());
  ASSERT_TRUE(plugin.initialize());
  ASSERT_TRUE(plugin.call<protocol::PreflightResult>("preflight"));
  store_.remove(kPartition);
  const auto result = plugin.call<protocol::ReadResult>("verify");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::missing_object);
  EXPECT_EQ(result.error().object, kPartition);
}

TEST_F(Fault, OfATargetBeforeTheBackupsEndIsTheConfigurations) {
  EXPECT_EQ(verify({{"recover_to", "lsn=0/5000030"}}).reason, Reason::config_invalid);
  EXPECT_EQ(verify({{"recover_to", "time=2026-11-20T18:44:40Z"}}).reason, Reason::config_invalid);
  EXPECT_EQ(verify({{"recover_to", "lsn=0/5011950"}}).reason, Reason::internal_error);
}

TEST_F(Fault, OfASentinelWithAnotherEndIsTheSentinels) {
  auto text = store_.read(kSentinel);
  text.replace(text.find("000000010000000000000005"), 24, "000000010000000000000006");
  store_.write(kSentinel, text);
  const auto error = verify();
  EXPECT_EQ(error.reason, Reason::metadata_invalid);
  EXPECT_EQ(error.object, kSentinel);
}

TEST_F(Fault, OfTheNewestSegmentWhileItIsWrittenIsNone) {
  PluginProcess plugin(Depth::verify, options());
  ASSERT_TRUE(plugin.initialize());
  ASSERT_TRUE(plugin.call<protocol::PreflightResult>("preflight"));
  const std::string last = "wal_005/000000010000000000000007.lzo";
  store_.write(last, store_.read(last).substr(0, 5000));
  const auto result = plugin.call<protocol::ReadResult>("verify");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(test_support::codes(result->findings), Contains("archive_end_moving"));
}

TEST_F(Fault, OfARetiredKeyInOlderWalDoesNotMatter) {
  store_.write("wal_005/000000010000000000000001.lzo", std::string(1000, '\x85'));
  store_.write("wal_005/000000010000000000000002.lzo", std::string(1000, '\x85'));
  EXPECT_EQ(verify().reason, Reason::internal_error);
}

TEST_F(Fault, OfConfigurationIsSaidAtOnce) {
  EXPECT_EQ(verify({{"recover_to", "sometime"}}).reason, Reason::config_invalid);
  EXPECT_EQ(verify({{"envdir", "/nowhere"}}).reason, Reason::config_invalid);
  EXPECT_EQ(verify({{"gpg_home", "/nowhere"}}).reason, Reason::config_invalid);
}

TEST(EncryptedFault, WithoutAKeyIsTheHosts) {
  const test::TempDir keys;
  test_support::make_key_home(keys / "empty", false);
  for (const bool with_home : {false, true}) {
    boost::json::object options{{"storage", "file://" + test_support::encrypted_store().string()}};
    if (with_home) options["gpg_home"] = (keys / "empty").string();
    PluginProcess plugin(Depth::verify, options);
    ASSERT_TRUE(plugin.initialize());
    const auto preflight = plugin.call<protocol::PreflightResult>("preflight");
    ASSERT_FALSE(preflight);
    EXPECT_EQ(preflight.error().reason, Reason::key_unavailable);
  }
}

}  // namespace
}  // namespace rad::wal_e
