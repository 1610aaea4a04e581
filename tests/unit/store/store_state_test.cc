#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::IsEmpty;

TEST(StoreLedger, KeepsEntriesInOrderUntilRemoved) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.ledger_add(
      {.run_id = "r1", .kind = LedgerKind::scratch_dir, .path = "/s/r1", .marker = "m1"}));
  must(store.ledger_add(
      {.run_id = "r1", .kind = LedgerKind::runtime_dir, .path = "/run/x", .marker = "m2"}));
  must(store.ledger_add(
      {.run_id = "r2", .kind = LedgerKind::scratch_dir, .path = "/s/r2", .marker = "m3"}));
  auto all = must(store.ledger());
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].path, "/s/r1");
  EXPECT_EQ(all[1].kind, LedgerKind::runtime_dir);
  EXPECT_EQ(must(store.ledger("r2")).size(), 1U);
  must(store.ledger_remove("r1", "/s/r1"));
  must(store.ledger_remove("r1", "/s/r1"));
  EXPECT_EQ(must(store.ledger("r1")).size(), 1U);
}

TEST(StoreLedger, AddingAgainTurnsScratchIntoKept) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.ledger_add({.run_id = "r1", .kind = LedgerKind::scratch_dir, .path = "/s/r1"}));
  must(store.ledger_add({.run_id = "r1",
                         .kind = LedgerKind::kept,
                         .path = "/s/r1",
                         .marker = "m",
                         .keep_until = at(9000)}));
  const auto entries = must(store.ledger("r1"));
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].kind, LedgerKind::kept);
  EXPECT_EQ(entries[0].marker, "m");
  EXPECT_EQ(entries[0].keep_until, at(9000));
}

TEST(StoreIssues, ComeBackAsTheyWerePut) {
  const TempDir dir;
  Store store = open_store(dir);
  EXPECT_FALSE(must(store.get_issue("issue_directory", "t", Depth::restore)));
  must(store.put_issue({.reporter = "issue_directory",
                        .target = "t",
                        .depth = Depth::restore,
                        .reference = "/i/x.md",
                        .open = true,
                        .opened_at = at(5),
                        .count = 1,
                        .last_reason = "wal_gap",
                        .last_run_id = "r1"}));
  must(store.put_issue({.reporter = "issue_directory",
                        .target = "t",
                        .depth = Depth::restore,
                        .reference = "/i/x.md",
                        .open = false,
                        .opened_at = at(5),
                        .count = 2,
                        .last_reason = "timeout",
                        .last_run_id = "r2"}));
  const auto issue = must(store.get_issue("issue_directory", "t", Depth::restore));
  ASSERT_TRUE(issue);
  EXPECT_FALSE(issue->open);
  EXPECT_EQ(issue->count, 2U);
  EXPECT_EQ(issue->opened_at, at(5));
  EXPECT_EQ(issue->last_reason, "timeout");
  EXPECT_EQ(issue->last_run_id, "r2");
  EXPECT_FALSE(must(store.get_issue("issue_directory", "t", Depth::verify)));
  EXPECT_EQ(must(store.list_issues()).size(), 1U);
}

TEST(StoreSchedules, ComeBackAsTheyWerePut) {
  const TempDir dir;
  Store store = open_store(dir);
  EXPECT_THAT(must(store.list_schedules()), IsEmpty());
  must(put_schedule(store, {.target = "t", .schedule = "rad", .first_seen = at(1)}));
  must(put_schedule(store, {.target = "t", .schedule = "daily", .slot_done = at(3)}));
  const auto states = must(store.list_schedules());
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].schedule, "daily");
  EXPECT_EQ(states[0].slot_done, at(3));
  EXPECT_FALSE(states[1].slot_done);
  EXPECT_EQ(states[1].first_seen, at(1));
}

}  // namespace
}  // namespace rad::test
