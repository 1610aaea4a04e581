// What goes after its time, and what stays whatever its age.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/raw_sql.h"
#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;

constexpr std::int64_t kDay = 86'400;
constexpr Retention kNothingStays{.run_age = std::chrono::days(0), .least_per_target = 0};

std::vector<std::string> all_ids(Store& store) {
  std::vector<std::string> ids;
  for (const auto& run : must(store.list_summaries({.limit = 100'000}))) ids.push_back(run.id);
  return ids;
}

RunReport on_day(const std::string& id, int day, Verdict verdict) {
  return ended(begun(id, day * kDay), verdict);
}

TimePoint day(int number) {
  return at(number * kDay);
}

TEST(StorePrune, RemovesOldRunsButTheNewestOfEachTarget) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 50; ++i) {
    must(store.end_run(on_day("r" + std::to_string(100 + i), i, Verdict::pass)));
  }
  RunReport rare = on_day("rare", 1, Verdict::pass);
  rare.target = "other-db";
  must(store.end_run(rare));
  const auto result =
      must(store.prune(day(50), {.run_age = std::chrono::days(30), .least_per_target = 10}, kLong));
  EXPECT_EQ(result.runs, 20U);
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(all_ids(store).size(), 31U);
  EXPECT_THAT(all_ids(store), Contains("rare"));
  must(store.prune(day(500), {.run_age = std::chrono::days(30), .least_per_target = 10}, kLong));
  EXPECT_EQ(all_ids(store).size(), 11U);
}

TEST(StorePrune, NoTargetHasMoreThanItsShare) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 50; ++i) {
    must(store.end_run(on_day("r" + std::to_string(100 + i), i, Verdict::pass)));
  }
  must(store.prune(day(50), {.least_per_target = 5, .most_per_target = 12}, kLong));
  EXPECT_EQ(all_ids(store).size(), 12U);
}

TEST(StorePrune, NeverRemovesTheLastRunAndTheLastPass) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(on_day("old-pass", 1, Verdict::pass)));
  must(store.end_run(on_day("last-pass", 2, Verdict::pass)));
  must(store.end_run(on_day("fail", 3, Verdict::fail)));
  must(store.end_run(on_day("last", 4, Verdict::fail)));
  must(store.prune(day(900), kNothingStays, kLong));
  EXPECT_THAT(all_ids(store), testing::UnorderedElementsAre("last", "last-pass"));
  ASSERT_EQ(must(store.latest_runs()).size(), 1U);
  EXPECT_EQ(must(store.latest_runs())[0].report.id, "last");
  EXPECT_EQ(must(store.last_pass("customers-db", Depth::verify)), day(2) + std::chrono::minutes(1));
}

TEST(StorePrune, NeverRemovesWhatSomethingStillNeeds) {
  const TempDir dir;
  Store store = open_store(dir);
  for (const char* id : {"ledger", "held", "issue", "issue-2", "nothing"}) {
    must(store.end_run(on_day(id, 10, Verdict::fail)));
  }
  must(store.end_run(on_day("before-issue", 5, Verdict::fail)));
  must(store.begin_run(begun("going-on", 1)));
  must(store.end_run(on_day("last", 20, Verdict::pass)));
  must(store.ledger_add({.run_id = "ledger", .path = "/s/ledger"}));
  must(store.put_hold({.run_id = "held"}));
  must(store.put_issue({.reporter = "gitlab",
                        .target = "customers-db",
                        .open = true,
                        .opened_at = day(10) + std::chrono::minutes(5),
                        .last_run_id = "issue"}));
  must(store.prune(day(900), kNothingStays, kLong));
  // The issue's runs are those since it was opened: all failed ones of that day.
  EXPECT_THAT(all_ids(store), testing::UnorderedElementsAre("last", "ledger", "held", "issue",
                                                            "issue-2", "nothing", "going-on"));
  must(store.put_issue({.reporter = "gitlab", .target = "customers-db", .open = false}));
  must(store.prune(day(900), kNothingStays, kLong));
  EXPECT_THAT(all_ids(store), testing::UnorderedElementsAre("last", "ledger", "held", "going-on"));
}

TEST(StorePrune, CountersStay) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 5; ++i) {
    must(store.end_run(on_day("r" + std::to_string(i), i, Verdict::fail)));
  }
  must(record_missed(store, {.target = "t", .schedule = "rad", .slot = day(1)}));
  const auto before = must(store.counters());
  const auto result = must(store.prune(day(900), kNothingStays, kLong));
  EXPECT_EQ(result.runs, 4U);
  EXPECT_EQ(result.entries, 1U);
  const auto after = must(store.counters());
  ASSERT_EQ(after.runs.size(), 1U);
  EXPECT_EQ(after.runs[0].count, before.runs[0].count);
  EXPECT_EQ(after.failures[0].count, 5U);
  EXPECT_EQ(must(store.missed_counts())[0].count, 1U);
}

TEST(StorePrune, LogsGoByAgeAndBySizeTheOldestFirst) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 10; ++i) {
    const std::string id = "r" + std::to_string(i);
    must(store.end_run(on_day(id, i, Verdict::pass)));
    must(store.append_log(id, {{.at = day(i), .text = std::string(10'000, 'x')}}));
  }
  must(store.begin_run(begun("going-on", 1)));
  must(store.append_log("going-on", {{.at = day(0), .text = "first"}}));
  must(store.prune(day(10), {.log_age = std::chrono::days(7), .log_bytes = 60'000}, kLong));
  EXPECT_THAT(must(store.read_log("r0", 0, 9)), IsEmpty());
  EXPECT_THAT(must(store.read_log("r2", 0, 9)), IsEmpty());
  EXPECT_THAT(must(store.read_log("r4", 0, 9)), IsEmpty()) << "young, but too much together";
  EXPECT_THAT(must(store.read_log("r5", 0, 9)), Not(IsEmpty()));
  EXPECT_THAT(must(store.read_log("r9", 0, 9)), Not(IsEmpty()));
  EXPECT_THAT(must(store.read_log("going-on", 0, 9)), Not(IsEmpty()));
  EXPECT_EQ(all_ids(store).size(), 11U) << "runs outlive their logs";
}

TEST(StorePrune, KeepsTheNewestBackupsOfEachTarget) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 10; ++i) {
    must(
        store.record_backup({.target = "t", .name = "b" + std::to_string(i), .first_seen = at(i)}));
  }
  must(store.record_backup({.target = "u", .name = "b", .first_seen = at(0)}));
  must(store.prune(day(1), {.backups_per_target = 3}, kLong));
  const auto backups = must(store.list_backups());
  ASSERT_EQ(backups.size(), 4U);
  EXPECT_EQ(backups[0].name, "b9");
}

TEST(StorePrune, TheFileShrinks) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport report = begun("r", 0);
  report.findings.assign(100, {.code = "c", .message = std::string(400, 'm')});
  for (int i = 0; i < 200; ++i) {
    report.id = "r" + std::to_string(i);
    report.created_at = at(i);
    must(store.end_run(ended(report, Verdict::pass)));
  }
  must(store.prune(day(1), {}, kLong));
  const auto before = std::filesystem::file_size(dir / "rad.db");
  const auto result = must(store.prune(day(900), kNothingStays, kLong));
  must(store.prune(day(900), kNothingStays, kLong));
  const auto after = std::filesystem::file_size(dir / "rad.db");
  EXPECT_GT(before, 8U << 20U);
  EXPECT_LT(after, 2U << 20U);
  EXPECT_GT(result.freed_bytes, 6U << 20U);
}

TEST(StorePrune, TheWriteAheadLogStaysSmall) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport report = begun("r", 0);
  report.findings.assign(100, {.code = "c", .message = std::string(400, 'm')});
  must(store.begin_run(report));
  std::uintmax_t largest = 0;
  for (int i = 0; i < 400; ++i) {
    must(store.update_run(report));
    largest = std::max(largest, std::filesystem::file_size(dir / "rad.db-wal"));
  }
  EXPECT_LT(largest, 8U << 20U);
}

TEST(StorePrune, EndsWhenItsTimeIsUpAndGoesOnLater) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 30; ++i) {
    must(store.end_run(on_day("r" + std::to_string(i), i, Verdict::pass)));
  }
  const auto first = must(store.prune(day(900), kNothingStays, std::chrono::milliseconds(0)));
  EXPECT_FALSE(first.complete);
  EXPECT_EQ(all_ids(store).size(), 30U);
  EXPECT_TRUE(must(store.prune(day(900), kNothingStays, kLong)).complete);
  EXPECT_EQ(all_ids(store).size(), 1U);
}

}  // namespace
}  // namespace rad::test
