// The plugin over the protocol on the genuine stores: what is whole passes, at each depth.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "tests/unit/wal_e/plugin_process.h"
#include "tests/unit/wal_e/wal_e_support.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;
using test_support::PluginProcess;

std::vector<protocol::CheckSpec> all_checks() {
  std::vector<protocol::CheckSpec> checks;
  for (const char* type : {"backup_age", "wal_age", "wal_continuity", "backup_complete",
                           "stream_page_checksums", "wal_records"}) {
    boost::json::object options;
    if (std::string_view(type).ends_with("_age")) options["max"] = "5200w";
    checks.push_back({.name = type, .check = type, .options = std::move(options)});
  }
  return checks;
}

boost::json::object plain_options() {
  return {{"storage", "file://" + test_support::plain_store().string()}};
}

/// With a keyring made for the test.
class Encrypted : public testing::Test {
 protected:
  Encrypted() { test_support::make_key_home(keys_ / "home"); }
  boost::json::object options() const {
    return {{"storage", "file://" + test_support::encrypted_store().string()},
            {"gpg_home", (keys_ / "home").string()}};
  }
  test::TempDir keys_;
};

void expect_all_pass(const std::vector<CheckOutcome>& outcomes, Depth depth) {
  EXPECT_EQ(outcomes.size(), 6U);
  Proof most = Proof::none;
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome.outcome == Outcome::pass || outcome.outcome == Outcome::not_applicable)
        << outcome.check << ": " << outcome.message;
    if (outcome.outcome == Outcome::pass) most = std::max(most, outcome.proof);
  }
  EXPECT_EQ(most, depth == Depth::inspect ? Proof::metadata : Proof::bytes);
}

TEST(WalEPlugin, DescribesItselfWithoutARun) {
  PluginProcess plugin(Depth::verify, {});
  const auto info = plugin.call<protocol::PluginInfo>(
      "initialize", protocol::to_json(protocol::InitializeParams{}));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->name, "wal_e");
  EXPECT_THAT(info->roles, testing::ElementsAre(Role::restore, Role::check));
  EXPECT_EQ(info->checks.size(), 6U);
}

TEST(WalEPlugin, InspectsAPlainStore) {
  PluginProcess plugin(Depth::inspect, plain_options(), all_checks());
  ASSERT_TRUE(plugin.initialize());
  const auto preflight = plugin.call<protocol::PreflightResult>("preflight");
  ASSERT_TRUE(preflight) << preflight.error().message;
  EXPECT_EQ(preflight->backup.name, test_support::kPlainBackup);
  EXPECT_EQ(preflight->backup.archive_end, "000000010000000000000007");
  EXPECT_EQ(preflight->backup.version, "15");
  EXPECT_EQ(preflight->backup.expanded_bytes, 51457433U);
  EXPECT_EQ(preflight->scratch_bytes_needed, 0U);
  EXPECT_TRUE(plugin.call<protocol::ReadResult>("inspect"));
  expect_all_pass(plugin.check(), Depth::inspect);
}

TEST(WalEPlugin, VerifiesAPlainStoreThroughAnEnvdir) {
  const test::TempDir dir;
  dir.write("env/WALE_FILE_PREFIX",
            "file://localhost" + test_support::plain_store().string() + "\n");
  PluginProcess plugin(Depth::verify, {{"envdir", (dir / "env").string()}}, all_checks());
  ASSERT_TRUE(plugin.initialize());
  ASSERT_TRUE(plugin.call<protocol::PreflightResult>("preflight"));
  const auto result = plugin.call<protocol::ReadResult>("verify");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GT(result->bytes_read, 9'000'000U);
  EXPECT_TRUE(result->findings.empty());
  expect_all_pass(plugin.check(), Depth::verify);
}

TEST_F(Encrypted, StoreIsVerified) {
  PluginProcess plugin(Depth::verify, options(), all_checks());
  ASSERT_TRUE(plugin.initialize());
  const auto preflight = plugin.call<protocol::PreflightResult>("preflight");
  ASSERT_TRUE(preflight) << preflight.error().message << preflight.error().detail;
  EXPECT_TRUE(preflight->findings.empty());
  const auto result = plugin.call<protocol::ReadResult>("verify");
  ASSERT_TRUE(result) << result.error().message;
  expect_all_pass(plugin.check(), Depth::verify);
}

TEST_F(Encrypted, StoreIsRestoredAndItsWalServed) {
  PluginProcess plugin(Depth::restore, options(), all_checks());
  ASSERT_TRUE(plugin.initialize());
  const auto preflight = plugin.call<protocol::PreflightResult>("preflight");
  ASSERT_TRUE(preflight) << preflight.error().message;
  EXPECT_GT(preflight->scratch_bytes_needed, preflight->backup.expanded_bytes);
  const auto result = plugin.call<protocol::RestoreResult>("restore");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->bytes_restored, 51391897U);
  const fs::path data = result->artifact.path;
  EXPECT_EQ(read_file(data / "PG_VERSION").value(), "15\n");
  EXPECT_FALSE(fs::exists(data / "postgresql.auto.conf"));
  EXPECT_TRUE(fs::is_directory(data / "pg_wal"));
  const auto& properties = result->artifact.properties;
  EXPECT_EQ(properties.at("major"), 15);
  EXPECT_EQ(properties.at("system_identifier").as_string(),
            std::to_string(test_support::kSystemIdentifier));
  EXPECT_EQ(properties.at("backup_start_lsn"), "0/3000028");
  EXPECT_EQ(properties.at("backup_stop_lsn"), "0/300B1E0");
  const auto& end = properties.at("archive_end").as_object();
  EXPECT_EQ(end.at("last_record_lsn"), "0/737D9D0");
  EXPECT_EQ(end.at("clean"), true);

  const auto& command = properties.at("restore_command").as_array();
  ASSERT_EQ(command.size(), 2U);
  for (int segment = 3; segment <= 7; ++segment) {
    ChildSpec spec;
    spec.program = std::string(command[0].as_string());
    const auto target = plugin.scratch() / ("got" + std::to_string(segment));
    spec.args = {std::string(command[1].as_string()),
                 "00000001000000000000000" + std::to_string(segment), target.string()};
    const auto fetched = run_tool(spec, {}, std::chrono::minutes(1));
    ASSERT_TRUE(fetched);
    EXPECT_EQ(fetched->status.code, 0) << fetched->err;
    EXPECT_EQ(fs::file_size(target), std::uint64_t{16} << 20U);
    fs::remove(target);
  }
  const auto diagnosis = plugin.call<protocol::DiagnoseResult>(
      "diagnose", protocol::to_json(protocol::DiagnoseParams{
                      Stage::recover, fail(Reason::host_unfit, "shared memory")}));
  ASSERT_TRUE(diagnosis);
  EXPECT_FALSE(diagnosis->cause);
  expect_all_pass(plugin.check(), Depth::restore);
}

TEST_F(Encrypted, KeyringIsCopiedForTheAccountAlone) {
  PluginProcess plugin(Depth::verify, options());
  ASSERT_TRUE(plugin.initialize());
  struct stat info {};
  ASSERT_EQ(::stat((plugin.runtime() / "gnupg").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
}

TEST(WalEPlugin, CleansUpAfterARestore) {
  PluginProcess plugin(Depth::restore, plain_options());
  ASSERT_TRUE(plugin.initialize());
  ASSERT_TRUE(plugin.call<protocol::PreflightResult>("preflight"));
  ASSERT_TRUE(plugin.call<protocol::RestoreResult>("restore"));
  EXPECT_FALSE(fs::is_empty(plugin.scratch()));
}

}  // namespace
}  // namespace rad::wal_e
