// Recovery of a real base backup by a real server, to each kind of target and into each kind of
// trouble.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/postgresql/run_support.h"

namespace rad::test {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string fact(const char* key) {
  return SourceCluster::instance().fact(key);
}

bj::object count_of_orders(int rows) {
  return {{"database", "app"}, {"query", "select count(*) from shop.orders"}, {"equals", rows}};
}

TEST(Recovery, GoesToTheEndOfTheArchive) {
  RestoredCopy copy;
  TestRun run(copy, {check("recovery_point"), check("sql", count_of_orders(31200))});
  const auto started = run.start();
  EXPECT_EQ(started.endpoint.properties.at("user"), "postgres");
  EXPECT_EQ(started.recovery.lsn, "0/6000000");
  EXPECT_EQ(started.recovery.timeline, 1U);
  EXPECT_TRUE(started.recovery.last_transaction.has_value());
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

TEST(Recovery, FollowsTheNewestTimeline) {
  RestoredCopy copy;
  copy.use_branch();
  TestRun run(copy, {check("recovery_point"), check("sql", count_of_orders(1107))});
  EXPECT_EQ(run.start().recovery.timeline, 2U);
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

TEST(Recovery, SaysThatATimelineHistoryIsMissing) {
  RestoredCopy copy;
  copy.use_branch();
  fs::remove(copy.archive() / "00000002.history");
  TestRun run(copy, {check("recovery_point")});
  EXPECT_EQ(run.start().recovery.timeline, 1U);
  EXPECT_EQ(summary(run.check_one()), "fail wal_gap 00000002.history");
}

TEST(Recovery, NamesTheMissingSegmentOfTheNewestTimeline) {
  RestoredCopy copy;
  copy.use_branch();
  fs::remove(copy.archive() / fact("branch_segment"));
  TestRun run(copy, {check("recovery_point")});
  run.start();
  EXPECT_EQ(summary(run.check_one()), "fail wal_gap " + fact("branch_segment"));
}

TEST(Recovery, ReportsProgressOfReplay) {
  RestoredCopy copy;
  copy.set_fetch("sleep 0.3; exec cp " + copy.archive().string() + "/\"$1\" \"$2\" 2>/dev/null");
  TestRun run(copy, {check("recovery_point")});
  run.start();
  ASSERT_FALSE(run.driver().progress().empty());
  const auto last = run.driver().progress().back();
  EXPECT_EQ(last.bytes_total, 4U * (16U << 20U));
  EXPECT_GT(last.bytes_done, 0U);
  EXPECT_THAT(last.note, HasSubstr("replaying WAL 0000000100000000000000"));
}

TEST(Recovery, UsesNothingOfTheBackupsConfiguration) {
  RestoredCopy copy;
  std::ofstream(copy.data() / "recovery.conf") << "restore_command = 'touch /nowhere'\n";
  std::ofstream(copy.data() / "standby.signal");
  TestRun run(copy, {check("sql", {{"query",
                                    "select current_setting('listen_addresses') = '' and "
                                    "current_setting('archive_mode') = 'off' and "
                                    "current_setting('shared_preload_libraries') = '' and "
                                    "current_setting('max_connections') = '150' and "
                                    "current_setting('max_prepared_transactions') = '7' and "
                                    "current_setting('max_logical_replication_workers') = '0' "
                                    "and current_setting('primary_conninfo') = '' and not "
                                    "exists (select from pg_replication_slots)"}})});
  run.start();
  EXPECT_EQ(summary(run.check_one()), "pass");
  EXPECT_TRUE(fs::exists(copy.data() / "postgresql.auto.conf.from-backup"));
  EXPECT_FALSE(fs::exists(copy.data() / "pg_replslot" / "kept"));
}

TEST(Recovery, HasANetworkOfItsOwn) {
  RestoredCopy copy;
  TestRun run(copy, {});
  const auto preflight = run.driver().call("preflight");
  ASSERT_TRUE(preflight.result.has_value());
  const auto result = protocol::from_json<protocol::PreflightResult>(*preflight.result).value();
  if (!result.isolation.ends_with("network: own namespace")) {
    ASSERT_EQ(result.findings.at(0).code, "network_shared");
    GTEST_SKIP() << result.isolation;
  }
  const auto network_of = [](const std::string& process) {
    return fs::read_symlink("/proc/" + process + "/ns/net");
  };
  const auto pid = run.start().endpoint.properties.at("pid").as_int64();
  EXPECT_NE(network_of(std::to_string(pid)), network_of("self"));
}

TEST(Recovery, StopsAtARestorePoint) {
  RestoredCopy copy;
  TestRun run(copy, {check("recovery_point"), check("sql", count_of_orders(1100))});
  EXPECT_EQ(run.start(recover_to("name", "first")).recovery.lsn, fact("first_lsn"));
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

TEST(Recovery, StopsAtATime) {
  RestoredCopy copy;
  TestRun run(copy, {check("recovery_point"), check("sql", count_of_orders(1100))});
  run.start(recover_to("time", fact("first_time")));
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

TEST(Recovery, StopsAtAnLsn) {
  RestoredCopy copy;
  TestRun run(copy, {check("recovery_point"), check("sql", count_of_orders(31100))});
  run.start(recover_to("lsn", fact("second_lsn")));
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

TEST(Recovery, StopsAsSoonAsItIsConsistent) {
  RestoredCopy copy;
  TestRun run(copy, {check("recovery_point"), check("sql", count_of_orders(1000))});
  EXPECT_EQ(run.start(recover_to("immediate")).recovery.lsn, fact("stop_lsn"));
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

TEST(Recovery, NamesTheMissingSegment) {
  RestoredCopy copy;
  fs::remove(copy.archive() / "000000010000000000000004");
  TestRun run(copy, {check("recovery_point")});
  run.start();
  const CheckOutcome outcome = run.check_one();
  EXPECT_EQ(summary(outcome), "fail wal_gap 000000010000000000000004");
  EXPECT_THAT(outcome.expected, HasSubstr("000000010000000000000005"));
}

TEST(Recovery, NamesTheDamagedSegment) {
  for (const std::uint64_t offset : {0x100005U, 0x8123U, 0x4D0000U, 8192U + 3U}) {
    RestoredCopy copy;
    flip_byte(copy.own_segment("000000010000000000000004"), offset);
    TestRun run(copy, {check("recovery_point")});
    run.start();
    EXPECT_EQ(summary(run.check_one()), "fail wal_damaged 000000010000000000000004") << offset;
  }
}

TEST(Recovery, NamesTheSegmentThatAnOlderOneReplaced) {
  RestoredCopy copy;
  fs::remove(copy.archive() / "000000010000000000000004");
  fs::rename(copy.own_segment("000000010000000000000003"),
             copy.archive() / "000000010000000000000004");
  fs::create_symlink(SourceCluster::instance().path() / "archive" / "000000010000000000000003",
                     copy.archive() / "000000010000000000000003");
  TestRun run(copy, {check("recovery_point")});
  run.start();
  EXPECT_EQ(summary(run.check_one()), "fail wal_damaged 000000010000000000000004");
}

TEST(Recovery, SaysThatTheArchiveEndsInGarbage) {
  RestoredCopy copy;
  TestRun run(copy, {check("recovery_point")});
  run.start({{"archive_end",
              {{"segment", fact("last_segment")},
               {"timeline", 1},
               {"last_record_lsn", fact("last_record")},
               {"clean", false}}}});
  EXPECT_EQ(summary(run.check_one()), "fail wal_damaged " + fact("last_segment"));
}

TEST(Recovery, FailsWhenTheTargetIsNotInTheArchive) {
  RestoredCopy copy;
  TestRun run(copy, {});
  const Error error = run.start_error(recover_to("name", "never made"));
  EXPECT_EQ(error.reason, Reason::recovery_failed);
  EXPECT_THAT(error.message, HasSubstr("recovery target"));
  EXPECT_THAT(error.detail, HasSubstr("FATAL"));
}

TEST(Recovery, CannotTellWhenTheTargetLiesBeforeTheBackup) {
  RestoredCopy copy;
  TestRun run(copy, {});
  EXPECT_EQ(run.start_error(recover_to("lsn", "0/2000030")).reason, Reason::config_invalid);
}

TEST(Recovery, FailsWithoutTheFirstSegment) {
  RestoredCopy copy;
  fs::remove(copy.archive() / "000000010000000000000002");
  TestRun run(copy, {});
  EXPECT_EQ(run.start_error().reason, Reason::recovery_failed);
}

TEST(Recovery, CannotTellWhenTheRestoreCommandFails) {
  RestoredCopy copy;
  copy.set_fetch("exit 255");
  TestRun run(copy, {});
  const Error error = run.start_error();
  EXPECT_EQ(error.reason, Reason::storage_unreachable);
  EXPECT_TRUE(error.retryable);
}

TEST(Recovery, CannotTellWithoutALibrary) {
  RestoredCopy copy;
  TestRun run(copy, {}, {{"preload_libraries", bj::array{"not_installed"}}});
  EXPECT_EQ(run.start_error().reason, Reason::library_missing);
}

TEST(Recovery, CannotTellWithoutTheMajorVersion) {
  RestoredCopy copy;
  std::ofstream(copy.data() / "PG_VERSION") << "14\n";
  TestRun run(copy, {});
  const Error error = run.start_error({{"major", 14}});
  EXPECT_EQ(error.reason, Reason::version_unsupported);
  EXPECT_THAT(error.message, HasSubstr("PostgreSQL 14, installed here: "));
  EXPECT_THAT(error.message, HasSubstr("15"));
}

TEST(Recovery, FailsWhenTheVersionContradictsTheBackup) {
  RestoredCopy copy;
  TestRun run(copy, {});
  EXPECT_EQ(run.start_error({{"major", 14}}).reason, Reason::metadata_invalid);
}

TEST(Recovery, FailsOnADamagedControlFile) {
  RestoredCopy copy;
  flip_byte(copy.data() / "global" / "pg_control", 100);
  TestRun run(copy, {});
  const Error error = run.start_error();
  EXPECT_EQ(error.reason, Reason::metadata_invalid);
  EXPECT_EQ(error.object, "global/pg_control");
}

TEST(Recovery, RefusesATablespaceElsewhere) {
  RestoredCopy copy;
  std::ofstream(copy.data() / "tablespace_map") << fact("tablespace") << " /srv/production\n";
  TestRun run(copy, {});
  EXPECT_EQ(run.start_error().reason, Reason::unsafe_content);
}

TEST(Recovery, RefusesALinkElsewhere) {
  RestoredCopy copy;
  fs::remove(copy.data() / "tablespace_map");
  fs::create_directory_symlink("/srv/production", copy.data() / "pg_tblspc" / "99999");
  TestRun run(copy, {});
  const Error error = run.start_error();
  EXPECT_EQ(error.reason, Reason::unsafe_content);
  EXPECT_EQ(error.object, "pg_tblspc/99999");
}

TEST(Recovery, FindsTheSuperuserWhateverItsName) {
  RestoredCopy copy{RestoredCopy::Odd{}};
  TestRun run(copy, {check("recovery_point"), check("read_all")});
  const auto started = run.start();
  EXPECT_EQ(started.endpoint.properties.at("user"), "odd owner");
  ASSERT_EQ(started.findings.size(), 1U);
  EXPECT_EQ(started.findings[0].code, "superuser_changed");
  for (const CheckOutcome& outcome : run.check_all()) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.message;
  }
}

}  // namespace
}  // namespace rad::test
