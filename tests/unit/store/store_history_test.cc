// Lists of runs: the same by summaries and by reports, page by page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(StoreSummaries, SayTheSameAsTheReports) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport report = begun("r1");
  report.backup.name = "base_1";
  must(store.begin_run(report));
  report.bytes_read = 77;
  report.bytes_restored = 88;
  auto running = must(store.list_summaries({}));
  ASSERT_EQ(running.size(), 1U);
  EXPECT_FALSE(running[0].verdict);
  EXPECT_FALSE(running[0].ended_at);
  EXPECT_EQ(running[0].cleanup, CleanupResult::pending);
  must(store.end_run(ended(report, Verdict::fail)));
  const auto run = must(store.list_summaries({}))[0];
  EXPECT_EQ(run.id, "r1");
  EXPECT_EQ(run.target, "customers-db");
  EXPECT_EQ(run.schedule, "daily");
  EXPECT_EQ(run.depth, Depth::verify);
  EXPECT_EQ(run.requested_by, "schedule");
  EXPECT_EQ(run.backup, "base_1");
  EXPECT_EQ(run.created_at, at(1000));
  EXPECT_EQ(run.ended_at, at(1060));
  EXPECT_EQ(run.verdict, Verdict::fail);
  EXPECT_EQ(run.reason, Reason::wal_gap);
  EXPECT_EQ(run.cleanup, CleanupResult::clean);
  EXPECT_EQ(run.bytes_read, 77U);
  EXPECT_EQ(run.bytes_restored, 88U);
  EXPECT_TRUE(run.as_configured);
  RunReport other = begun("r2", 2000);
  other.requested_backup = "base_0";
  must(store.begin_run(other));
  EXPECT_FALSE(must(store.list_summaries({}))[0].as_configured);
}

/// Runs of the same instant among them, so that a page can end between two of those.
Store filled(const TempDir& dir) {
  Store store = open_store(dir);
  for (int i = 0; i < 25; ++i) {
    RunReport report = begun("r" + std::to_string(100 + i), 1000 + i / 4);
    report.target = i % 2 == 0 ? "a" : "b";
    must(store.end_run(ended(report, i % 3 == 0 ? Verdict::fail : Verdict::pass)));
  }
  return store;
}

std::vector<std::string> paged(Store& store, RunFilter filter) {
  std::vector<std::string> ids;
  while (true) {
    const auto page = must(store.list_summaries(filter));
    for (const auto& run : page) ids.push_back(run.id);
    if (page.size() < filter.limit) return ids;
    filter.before = page.back().id;
  }
}

TEST(StoreSummaries, PageByPageIsTheWholeList) {
  const TempDir dir;
  Store store = filled(dir);
  for (const RunFilter& filter :
       {RunFilter{}, RunFilter{.target = "a"}, RunFilter{.verdict = Verdict::fail},
        RunFilter{.target = "b", .schedule = "daily", .verdict = Verdict::pass}}) {
    RunFilter whole = filter;
    whole.limit = 1000;
    std::vector<std::string> wanted;
    for (const auto& run : must(store.list_runs(whole))) wanted.push_back(run.id);
    EXPECT_FALSE(wanted.empty());
    for (const std::size_t size : {1U, 3U, 4U, 7U}) {
      RunFilter pages = filter;
      pages.limit = size;
      EXPECT_EQ(paged(store, pages), wanted);
    }
  }
}

TEST(StoreSummaries, APageAfterAnUnknownRunIsAnError) {
  const TempDir dir;
  Store store = filled(dir);
  const auto page = store.list_summaries({.before = "gone"});
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().reason, Reason::config_invalid);
  EXPECT_THAT(page.error().message, HasSubstr("gone"));
}

TEST(StoreSummaries, SinceAnInstantOldestFirst) {
  const TempDir dir;
  Store store = filled(dir);
  std::vector<std::string> ids;
  for (const auto& run : must(store.runs_since(at(1005)))) ids.push_back(run.id);
  EXPECT_THAT(ids, ElementsAre("r120", "r121", "r122", "r123", "r124"));
}

TEST(StoreSummaries, NewestRestoreOfEachTargetThatPassedInATime) {
  const TempDir dir;
  Store store = open_store(dir);
  const auto add = [&store](const std::string& id, const std::string& target, int at_second,
                            Depth depth, Verdict verdict, int rto_seconds) {
    RunReport report = begun(id, at_second);
    report.target = target;
    report.depth = depth;
    report.measured_rto = std::chrono::milliseconds(rto_seconds * 1000 + 250);
    report.rto_target = std::chrono::hours(4);
    must(store.end_run(ended(report, verdict)));
  };
  add("a1", "a", 1000, Depth::restore, Verdict::pass, 1);
  add("a2", "a", 1010, Depth::restore, Verdict::pass, 2);
  add("a3", "a", 1020, Depth::restore, Verdict::fail, 3);
  add("a4", "a", 1030, Depth::verify, Verdict::pass, 4);
  add("a5", "a", 1100, Depth::restore, Verdict::pass, 5);
  add("b1", "b", 1005, Depth::restore, Verdict::pass, 6);
  add("c1", "c", 1005, Depth::restore, Verdict::fail, 7);
  const auto restores = must(store.measured_restores(at(1000), at(1100)));
  ASSERT_EQ(restores.size(), 2U);
  EXPECT_EQ(restores[0].run_id, "a2");
  EXPECT_EQ(restores[0].target, "a");
  EXPECT_EQ(restores[0].measured_rto, std::chrono::milliseconds(2250));
  EXPECT_EQ(restores[0].rto_target, std::chrono::hours(4));
  EXPECT_EQ(restores[0].rpo_target, std::nullopt);
  EXPECT_EQ(restores[1].run_id, "b1");
  EXPECT_TRUE(must(store.measured_restores(at(1101), at(1200))).empty());
}

}  // namespace
}  // namespace rad::test
