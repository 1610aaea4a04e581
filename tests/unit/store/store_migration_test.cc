// A file of an older agent becomes one of this agent, with everything that was in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/raw_sql.h"
#include "tests/unit/store/store_builders.h"
#include "tests/unit/store/version_1.h"

namespace rad::test {
namespace {

using testing::HasSubstr;

class StoreMigration : public testing::Test {
 protected:
  StoreMigration() { sql(path_, version_1_sql()); }
  TempDir dir_;
  std::filesystem::path path_ = dir_ / "rad.db";
};

TEST_F(StoreMigration, KeepsEveryRunAsItWas) {
  Store store = must(Store::open(path_));
  EXPECT_EQ(sql(path_, "PRAGMA user_version"), "2\n");
  const auto runs = must(store.list_runs({}));
  ASSERT_EQ(runs.size(), 10U);
  EXPECT_EQ(runs[0].id, "20261101T033000-00000000");
  EXPECT_FALSE(runs[0].ended_at);
  EXPECT_EQ(must(store.unfinished_runs()).size(), 1U);
  const auto run = must(store.load_run("20261101T033002-00000002"));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->cause->reason, Reason::wal_gap);
  EXPECT_EQ(run->bytes_restored, 10'000U);
}

TEST_F(StoreMigration, FillsWhatListsNeedFromTheReports) {
  Store store = must(Store::open(path_));
  const auto runs = must(store.list_summaries({.target = "customers-db"}));
  ASSERT_EQ(runs.size(), 5U);
  EXPECT_EQ(runs[4].backup, "base_000000010000000000000001_00000040");
  EXPECT_EQ(runs[4].requested_by, "schedule");
  EXPECT_EQ(runs[4].bytes_read, 1000U);
  EXPECT_EQ(runs[4].bytes_restored, 5000U);
  EXPECT_EQ(runs[3].reason, Reason::wal_gap);
}

TEST_F(StoreMigration, KeepsLedgerIssuesSchedulesAndCounters) {
  Store store = must(Store::open(path_));
  const auto ledger = must(store.ledger());
  ASSERT_EQ(ledger.size(), 2U);
  EXPECT_EQ(ledger[0].kind, LedgerKind::scratch_dir);
  EXPECT_EQ(ledger[1].keep_until, at(1794500000));
  EXPECT_TRUE(must(store.get_issue("issue_directory", "customers-db", Depth::verify))->open);
  EXPECT_EQ(must(store.list_schedules()).size(), 2U);
  EXPECT_EQ(must(store.list_schedules())[0].slot_done, at(1793600000));
  // What its runs have answered was not written down: it begins anew after them.
  EXPECT_EQ(must(store.list_schedules())[1].first_seen,
            at(1794277800) + std::chrono::milliseconds(1));
  EXPECT_EQ(must(store.counters()).bytes[0].read, 15'000U);
  EXPECT_EQ(must(store.counters()).report_errors[0].count, 1U);
  EXPECT_EQ(must(store.latest_runs()).size(), 4U);
  EXPECT_EQ(must(store.last_pass("customers-db", Depth::verify)), at(1793500200 + 4 * 86400 + 64));
}

TEST_F(StoreMigration, KnowsWhichRunPassedLast) {
  { Store store = must(Store::open(path_)); }
  EXPECT_EQ(sql(path_,
                "SELECT last_pass_id FROM latest_runs WHERE target = 'customers-db' "
                "ORDER BY schedule"),
            "20261101T033001-00000001\n20261101T033004-00000004\n");
}

TEST_F(StoreMigration, KeepsARunWhoseReportCannotBeRead) {
  sql(path_, "UPDATE runs SET report = '{\"id\": 7' WHERE id = '20261101T033001-00000001'");
  Store store = must(Store::open(path_));
  const auto run = must(store.load_run("20261101T033001-00000001"));
  ASSERT_TRUE(run);
  EXPECT_EQ(run->findings[0].code, "record_unreadable");
}

TEST_F(StoreMigration, LetsTheFileShrinkFromThenOn) {
  { Store store = must(Store::open(path_)); }
  EXPECT_EQ(sql(path_, "PRAGMA auto_vacuum"), "2\n");
  EXPECT_EQ(sql(path_, "PRAGMA foreign_key_check"), "");
  EXPECT_EQ(sql(path_, "PRAGMA integrity_check"), "ok\n");
}

TEST_F(StoreMigration, HasTheTablesOfANewFile) {
  { Store store = must(Store::open(path_)); }
  const TempDir other;
  { Store store = open_store(other); }
  const char* schema = "SELECT type || ' ' || name FROM sqlite_schema ORDER BY type, name";
  EXPECT_EQ(sql(path_, schema), sql(other / "rad.db", schema));
}

TEST_F(StoreMigration, RefusesANewerFileAndSaysWhy) {
  { Store store = must(Store::open(path_)); }
  sql(path_, "PRAGMA user_version=3");
  StoreTrouble trouble = StoreTrouble::none;
  const auto store = Store::open(path_, {}, &trouble);
  ASSERT_FALSE(store);
  EXPECT_EQ(trouble, StoreTrouble::newer_version);
  EXPECT_THAT(store.error().message, HasSubstr("schema version 3, this agent knows up to 2"));
  EXPECT_THAT(store.error().hint, HasSubstr("newer agent"));
  EXPECT_EQ(sql(path_, "SELECT count(*) FROM runs"), "10\n");
}

}  // namespace
}  // namespace rad::test
