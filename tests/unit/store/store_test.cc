#include "agent/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> ids(const std::vector<RunReport>& runs) {
  std::vector<std::string> out;
  for (const auto& run : runs) out.push_back(run.id);
  return out;
}

std::uint64_t runs_counted(Store& store) {
  std::uint64_t sum = 0;
  for (const auto& row : must(store.counters()).runs) sum += row.count;
  return sum;
}

TEST(StoreRuns, KeepsAReportAcrossOpenings) {
  const TempDir dir;
  RunReport report = begun("r1");
  report.stages.push_back({.stage = Stage::fetch, .started_at = at(1001), .bytes_done = 77});
  report.checks.push_back({.name = "backup_age", .check = "backup_age", .outcome = Outcome::pass});
  {
    Store store = open_store(dir);
    must(store.begin_run(report));
  }
  Store store = open_store(dir);
  const auto loaded = must(store.load_run("r1"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->target, "customers-db");
  EXPECT_EQ(loaded->created_at, at(1000));
  ASSERT_EQ(loaded->stages.size(), 1U);
  EXPECT_EQ(loaded->stages[0].bytes_done, 77U);
  ASSERT_EQ(loaded->checks.size(), 1U);
  EXPECT_EQ(loaded->checks[0].outcome, Outcome::pass);
}

TEST(StoreRuns, UnknownRunIsNothing) {
  const TempDir dir;
  Store store = open_store(dir);
  EXPECT_FALSE(must(store.load_run("none")));
}

TEST(StoreRuns, RefusesTheSameIdTwice) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.begin_run(begun("r1")));
  const auto again = store.begin_run(begun("r1"));
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("r1"));
}

TEST(StoreRuns, RefusesToUpdateWhatIsUnknownOrEnded) {
  const TempDir dir;
  Store store = open_store(dir);
  EXPECT_FALSE(store.update_run(begun("r1")));
  must(store.begin_run(begun("r1")));
  must(store.update_run(begun("r1")));
  must(store.end_run(ended(begun("r1"), Verdict::pass)));
  EXPECT_FALSE(store.update_run(begun("r1")));
  EXPECT_EQ(must(store.load_run("r1"))->verdict, Verdict::pass);
}

TEST(StoreRuns, RefusesAnEndWithoutVerdict) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport report = ended(begun("r1"), Verdict::pass);
  report.verdict.reset();
  EXPECT_FALSE(store.end_run(report));
  EXPECT_FALSE(must(store.load_run("r1")));
}

TEST(StoreRuns, UnfinishedOnesAreOldestFirst) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.begin_run(begun("b", 2000)));
  must(store.begin_run(begun("a", 1000)));
  must(store.begin_run(begun("c", 3000)));
  must(store.end_run(ended(begun("c", 3000), Verdict::fail)));
  EXPECT_THAT(ids(must(store.unfinished_runs())), ElementsAre("a", "b"));
}

TEST(StoreRuns, AnEndInTheReportAloneEndsNothing) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.begin_run(begun("r1")));
  const RunReport report = ended(begun("r1"), Verdict::pass);
  must(store.update_run(report));
  EXPECT_THAT(ids(must(store.unfinished_runs())), ElementsAre("r1"));
  EXPECT_EQ(runs_counted(store), 0U);
  must(store.end_run(report));
  EXPECT_THAT(must(store.unfinished_runs()), IsEmpty());
  EXPECT_EQ(runs_counted(store), 1U);
}

TEST(StoreRuns, ListsByFilterNewestFirst) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport other = begun("o", 4000);
  other.target = "other-db";
  other.depth = Depth::restore;
  other.schedule = "rad";
  must(store.begin_run(other));
  must(store.end_run(ended(begun("a", 1000), Verdict::pass)));
  must(store.end_run(ended(begun("b", 2000), Verdict::fail)));
  EXPECT_THAT(ids(must(store.list_runs({}))), ElementsAre("o", "b", "a"));
  EXPECT_THAT(ids(must(store.list_runs({.target = "customers-db"}))), ElementsAre("b", "a"));
  EXPECT_THAT(ids(must(store.list_runs({.schedule = "rad"}))), ElementsAre("o"));
  EXPECT_THAT(ids(must(store.list_runs({.depth = Depth::verify}))), ElementsAre("b", "a"));
  EXPECT_THAT(ids(must(store.list_runs({.verdict = Verdict::fail}))), ElementsAre("b"));
  EXPECT_THAT(ids(must(store.list_runs({.ended_only = true, .limit = 1}))), ElementsAre("b"));
}

TEST(StoreRuns, QuotesInNamesAreOnlyText) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport report = ended(begun("x'); DROP TABLE runs; --"), Verdict::pass);
  report.target = "it's";
  must(store.end_run(report));
  EXPECT_THAT(ids(must(store.list_runs({.target = "it's"}))),
              ElementsAre("x'); DROP TABLE runs; --"));
}

TEST(StoreLatest, ALateEndOfAnOlderRunDisplacesNothing) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.begin_run(begun("old", 1000)));
  must(store.end_run(ended(begun("new", 2000), Verdict::pass)));
  must(store.end_run(ended(begun("old", 1000), Verdict::inconclusive, 5000)));
  const auto latest = must(store.latest_runs());
  ASSERT_EQ(latest.size(), 1U);
  EXPECT_EQ(latest[0].report.id, "new");
  EXPECT_EQ(latest[0].last_success, at(2060));
}

TEST(StoreLatest, KeepsTheLastSuccessUnderALaterFailure) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(ended(begun("a", 1000), Verdict::pass)));
  must(store.end_run(ended(begun("b", 2000), Verdict::fail)));
  const auto latest = must(store.latest_runs());
  ASSERT_EQ(latest.size(), 1U);
  EXPECT_EQ(latest[0].report.id, "b");
  EXPECT_EQ(latest[0].report.verdict, Verdict::fail);
  EXPECT_EQ(latest[0].last_success, at(1060));
}

TEST(StoreLatest, ARunOfAClockThatWasAheadDoesNotStandForTheLaterOnes) {
  constexpr int kYear = 365 * 24 * 3600;
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(ended(begun("ahead", kYear), Verdict::pass)));
  must(store.end_run(ended(begun("bad", 1000), Verdict::fail)));
  auto latest = must(store.latest_runs());
  ASSERT_EQ(latest.size(), 1U);
  EXPECT_EQ(latest[0].report.id, "bad");
  EXPECT_EQ(latest[0].last_success, at(kYear + 60)) << "which clock was wrong, nobody knows";
  // But nobody is told of a proof that is yet to come.
  EXPECT_EQ(must(store.latest_runs(at(1100)))[0].last_success, std::nullopt);
  EXPECT_EQ(must(store.latest_runs(at(kYear + 50)))[0].last_success, at(kYear + 60));
  must(store.end_run(ended(begun("good", 2000), Verdict::pass)));
  must(store.end_run(ended(begun("bad again", 3000), Verdict::fail)));
  latest = must(store.latest_runs());
  EXPECT_EQ(latest[0].report.id, "bad again");
  EXPECT_EQ(latest[0].last_success, at(2060));
}

TEST(StoreLatest, AFailureOfAClockThatIsBehindErasesNoProof) {
  constexpr int kYear = 365 * 24 * 3600;
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(ended(begun("true", kYear), Verdict::pass)));
  must(store.end_run(ended(begun("behind", 1000), Verdict::fail)));
  auto latest = must(store.latest_runs());
  ASSERT_EQ(latest.size(), 1U);
  EXPECT_EQ(latest[0].last_success, at(kYear + 60));
  must(store.end_run(ended(begun("later", kYear + 1000), Verdict::fail)));
  latest = must(store.latest_runs());
  EXPECT_EQ(latest[0].report.id, "later");
  EXPECT_EQ(latest[0].last_success, at(kYear + 60));
}

TEST(StoreLatest, ARunThatEndedBeforeItWasMadeDisplacesNoNewerOne) {
  constexpr int kYear = 365 * 24 * 3600;
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(ended(begun("newer", kYear), Verdict::pass)));
  must(store.end_run(ended(begun("swept", kYear - 5000), Verdict::inconclusive, 1000 - kYear)));
  const auto latest = must(store.latest_runs());
  ASSERT_EQ(latest.size(), 1U);
  EXPECT_EQ(latest[0].report.id, "newer");
  EXPECT_EQ(latest[0].last_success, at(kYear + 60));
}

TEST(StoreLatest, FollowsARecordThatIsWrittenAgain) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport report = ended(begun("a"), Verdict::fail);
  must(store.end_run(report));
  EXPECT_EQ(must(store.latest_runs())[0].report.cleanup_message, "");
  EXPECT_EQ(must(store.latest_runs())[0].report.id, "a");
  report.cleanup_message = "removed by the sweep";
  must(open_store(dir).end_run(report));
  EXPECT_EQ(must(store.latest_runs())[0].report.cleanup_message, "removed by the sweep");
  EXPECT_EQ(must(store.latest_runs())[0].report.cleanup_message, "removed by the sweep");
}

TEST(StoreLatest, NeverPassedIsNothing) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(ended(begun("a"), Verdict::fail)));
  EXPECT_FALSE(must(store.latest_runs())[0].last_success);
  EXPECT_FALSE(must(store.last_pass("customers-db", Depth::inspect)));
}

TEST(StoreLatest, ALastPassCountsForItsDepthAndShallowerOnes) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.end_run(ended(begun("a", 1000), Verdict::pass)));
  EXPECT_EQ(must(store.last_pass("customers-db", Depth::inspect)), at(1060));
  EXPECT_EQ(must(store.last_pass("customers-db", Depth::verify)), at(1060));
  EXPECT_FALSE(must(store.last_pass("customers-db", Depth::restore)));
  EXPECT_FALSE(must(store.last_pass("other", Depth::verify)));
}

TEST(StoreCounters, CountsEachRunOnceWhateverItsEnd) {
  const TempDir dir;
  Store store = open_store(dir);
  RunReport failed = ended(begun("a"), Verdict::fail);
  failed.bytes_read = 100;
  failed.bytes_restored = 300;
  must(store.end_run(failed));
  must(store.end_run(failed));
  must(store.end_run(ended(begun("b"), Verdict::cancelled)));
  must(store.end_run(ended(begun("c"), Verdict::pass)));
  const Counters counters = must(store.counters());
  EXPECT_EQ(runs_counted(store), 3U);
  ASSERT_EQ(counters.failures.size(), 1U);
  EXPECT_EQ(counters.failures[0].reason, Reason::wal_gap);
  EXPECT_EQ(counters.failures[0].count, 1U);
  ASSERT_EQ(counters.bytes.size(), 1U);
  EXPECT_EQ(counters.bytes[0].read, 100U);
  EXPECT_EQ(counters.bytes[0].restored, 300U);
}

TEST(StoreCounters, SurviveAReopening) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(store.end_run(ended(begun("a"), Verdict::pass)));
    must(store.count_report_error("issue_directory"));
    must(store.count_report_error("issue_directory"));
  }
  Store store = open_store(dir);
  EXPECT_EQ(runs_counted(store), 1U);
  const Counters counters = must(store.counters());
  ASSERT_EQ(counters.report_errors.size(), 1U);
  EXPECT_EQ(counters.report_errors[0].count, 2U);
}

}  // namespace
}  // namespace rad::test
