// A long history of many targets: what the daemon asks for at each tick, scrape and listing. Prints
// how long it takes; lane soak, in memory (TMPDIR), since making the history is all fsyncs.
#include <cstdio>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

constexpr int kTargets = 1000;
constexpr int kRuns = 10'000;

/// A report as a passed verify writes it: about 5 KiB.
RunReport usual(int number) {
  RunReport report = begun(fmt::format("20261101T{:06}-00000000", number), 1000 + number * 60);
  report.target = fmt::format("target-{:04}", number % kTargets);
  report.depth = number / kTargets % 3 == 2 ? Depth::restore : Depth::verify;
  report.schedule = report.depth == Depth::restore ? "rad" : "daily";
  for (const Stage stage : {Stage::preflight, Stage::fetch, Stage::cleanup}) {
    report.stages.push_back({.stage = stage, .started_at = report.created_at});
  }
  for (int i = 0; i < 10; ++i) {
    report.checks.push_back({.name = fmt::format("check_{}", i),
                             .check = "row_counts",
                             .plugin = "postgresql",
                             .outcome = Outcome::pass,
                             .proof = Proof::data,
                             .message = "98 tables have the expected number of rows",
                             .measured = "98 tables",
                             .expected = "98 tables"});
  }
  return ended(report, number % 17 == 0 ? Verdict::fail : Verdict::pass);
}

template <class Call>
void timed(const char* what, Call call) {
  const auto begin = std::chrono::steady_clock::now();
  const std::size_t rows = call();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  std::printf("%-44s %8.2f ms %6zu rows\n", what, took.count(), rows);
}

TEST(StoreScale, TenThousandRunsOfAThousandTargets) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    for (int i = 0; i < kRuns; ++i) must(store.end_run(usual(i)));
    must(store.begin_run(begun("running", 9'000'000)));
  }
  std::printf("file: %.1f MiB\n",
              static_cast<double>(std::filesystem::file_size(dir / "rad.db")) / (1 << 20));
  std::optional<Store> store;
  timed("open", [&] {
    store.emplace(open_store(dir));
    return std::size_t{1};
  });
  store.reset();
  timed("open, every page checked", [&] {
    store.emplace(must(Store::open(dir / "rad.db", {.check_whole = true})));
    return std::size_t{1};
  });
  std::string last;
  timed("list_summaries, first page of 100", [&] {
    const auto page = must(store->list_summaries({}));
    last = page.back().id;
    EXPECT_EQ(page.size(), 100U);
    return page.size();
  });
  timed("list_summaries, next page", [&] {
    const auto page = must(store->list_summaries({.before = last}));
    EXPECT_EQ(page.size(), 100U);
    return page.size();
  });
  timed("list_summaries of a target",
        [&] { return must(store->list_summaries({.target = "target-0500"})).size(); });
  timed("list_summaries of failures",
        [&] { return must(store->list_summaries({.verdict = Verdict::fail})).size(); });
  timed("list_summaries of everything", [&] {
    const auto all = must(store->list_summaries({.limit = 100'000}));
    EXPECT_EQ(all.size(), kRuns + 1U);
    return all.size();
  });
  timed("runs_since, everything", [&] { return must(store->runs_since(at(0))).size(); });
  timed("runs_since, the last day's 1440",
        [&] { return must(store->runs_since(at(1000 + (kRuns - 1440) * 60))).size(); });
  timed("unfinished_runs", [&] { return must(store->unfinished_runs()).size(); });
  timed("list_runs of a target (whole reports)",
        [&] { return must(store->list_runs({.target = "target-0500"})).size(); });
  timed("latest_runs (whole reports)", [&] {
    const auto latest = must(store->latest_runs());
    EXPECT_EQ(latest.size(), 2U * kTargets);
    return latest.size();
  });
  timed("latest_runs, again", [&] { return must(store->latest_runs()).size(); });
  timed("counters", [&] { return must(store->counters()).runs.size(); });
  timed("begin_run, update_run, end_run", [&] {
    RunReport report = usual(kRuns + 1);
    must(store->begin_run(report));
    must(store->update_run(report));
    must(store->end_run(report));
    return std::size_t{3};
  });
  timed("prune, nothing to do",
        [&] { return static_cast<std::size_t>(must(store->prune(at(2000))).runs); });
  timed("prune, half of them", [&] {
    return static_cast<std::size_t>(
        must(store->prune(at(1'000'000'000), {.least_per_target = 5}, kLong)).runs);
  });
}

}  // namespace
}  // namespace rad::test
