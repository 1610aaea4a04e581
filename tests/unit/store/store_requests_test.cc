// What people asked for outlives the process that heard it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"
#include "tests/unit/store/raw_sql.h"
#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::IsEmpty;

TEST(StorePauses, ComeBackUntilRemoved) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(store.put_pause({.target = "*", .schedule = "*", .owner = "a", .reason = "x"}));
    must(store.put_pause({.target = "t",
                          .schedule = "rad",
                          .owner = "anna",
                          .reason = "storage is being moved",
                          .since = at(5),
                          .until = at(9)}));
    must(store.put_pause({.target = "*", .schedule = "*", .owner = "b", .reason = "y"}));
  }
  Store store = open_store(dir);
  auto pauses = must(store.list_pauses());
  ASSERT_EQ(pauses.size(), 2U);
  EXPECT_EQ(pauses[0].owner, "b");
  EXPECT_FALSE(pauses[0].until);
  EXPECT_EQ(pauses[1].target, "t");
  EXPECT_EQ(pauses[1].schedule, "rad");
  EXPECT_EQ(pauses[1].reason, "storage is being moved");
  EXPECT_EQ(pauses[1].since, at(5));
  EXPECT_EQ(pauses[1].until, at(9));
  must(store.remove_pause("t", "rad"));
  must(store.remove_pause("t", "rad"));
  EXPECT_EQ(must(store.list_pauses()).size(), 1U);
}

TEST(StoreRequests, WaitInOrderAcrossARestart) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(store.put_request({.id = "r2",
                            .target = "t",
                            .depth = Depth::verify,
                            .schedule = "manual",
                            .backup = "base_1",
                            .recover_to = "2026-11-20T00:00:00Z",
                            .hold = std::chrono::hours(4),
                            .priority = -3,
                            .requested_by = "anna",
                            .note = "before the release",
                            .requested_at = at(7)}));
    must(store.put_request({.id = "r1", .target = "u"}));
    must(store.put_request({.id = "r2",
                            .target = "t",
                            .depth = Depth::verify,
                            .schedule = "manual",
                            .backup = "base_1",
                            .recover_to = "2026-11-20T00:00:00Z",
                            .hold = std::chrono::hours(4),
                            .priority = 7,
                            .requested_by = "anna",
                            .note = "before the release",
                            .requested_at = at(7)}));
  }
  Store store = open_store(dir);
  const auto requests = must(store.list_requests());
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].id, "r2") << "changing a request must not cost it its place";
  EXPECT_EQ(requests[0].depth, Depth::verify);
  EXPECT_EQ(requests[0].schedule, "manual");
  EXPECT_EQ(requests[0].backup, "base_1");
  EXPECT_EQ(requests[0].recover_to, "2026-11-20T00:00:00Z");
  EXPECT_EQ(requests[0].hold, std::chrono::hours(4));
  EXPECT_EQ(requests[0].priority, 7);
  EXPECT_EQ(requests[0].requested_by, "anna");
  EXPECT_EQ(requests[0].note, "before the release");
  EXPECT_EQ(requests[0].requested_at, at(7));
  EXPECT_FALSE(requests[1].hold);
  must(store.remove_request("r2"));
  must(store.remove_request("none"));
  EXPECT_EQ(must(store.list_requests()).size(), 1U);
}

TEST(StoreHolds, ComeBackAsTheyWerePut) {
  const TempDir dir;
  Hold hold{.run_id = "r1",
            .target = "t",
            .owner = "anna",
            .note = "looking at orders",
            .since = at(3),
            .until = at(9),
            .state = HoldState::held,
            .socket_dir = "/run/rad-agent/12345678",
            .port = 54321,
            .database = "customers",
            .user = "rad_reader"};
  {
    Store store = open_store(dir);
    must(store.put_hold(hold));
  }
  Store store = open_store(dir);
  hold.state = HoldState::releasing;
  must(store.put_hold(hold));
  const auto holds = must(store.list_holds());
  ASSERT_EQ(holds.size(), 1U);
  EXPECT_EQ(holds[0].owner, "anna");
  EXPECT_EQ(holds[0].note, "looking at orders");
  EXPECT_EQ(holds[0].since, at(3));
  EXPECT_EQ(holds[0].until, at(9));
  EXPECT_EQ(holds[0].state, HoldState::releasing);
  EXPECT_EQ(holds[0].socket_dir, "/run/rad-agent/12345678");
  EXPECT_EQ(holds[0].port, 54321);
  EXPECT_EQ(holds[0].database, "customers");
  EXPECT_EQ(holds[0].user, "rad_reader");
  must(store.remove_hold("r1"));
  EXPECT_THAT(must(store.list_holds()), IsEmpty());
}

TEST(StoreAudit, IsListedNewestFirstByFilterAndPage) {
  const TempDir dir;
  Store store = open_store(dir);
  for (int i = 0; i < 6; ++i) {
    must(store.append_audit({.at = at(i),
                             .uid = 4'000'000'000U,
                             .user = i % 2 == 0 ? "anna" : "ben",
                             .role = "viewer",
                             .action = "run.start",
                             .subject = "t" + std::to_string(i % 3),
                             .note = "why",
                             .allowed = i == 5,
                             .outcome = "refused"}));
  }
  const auto all = must(store.list_audit({}));
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all[0].at, at(5));
  EXPECT_TRUE(all[0].allowed);
  EXPECT_FALSE(all[1].allowed);
  EXPECT_EQ(all[0].uid, 4'000'000'000U);
  EXPECT_EQ(all[0].role, "viewer");
  EXPECT_EQ(all[0].action, "run.start");
  EXPECT_EQ(all[0].note, "why");
  EXPECT_EQ(all[0].outcome, "refused");
  EXPECT_EQ(must(store.list_audit({.user = "anna"})).size(), 3U);
  EXPECT_EQ(must(store.list_audit({.subject = "t1"})).size(), 2U);
  EXPECT_THAT(must(store.list_audit({.action = "run.cancel"})), IsEmpty());
  const auto first = must(store.list_audit({.limit = 4}));
  const auto second = must(store.list_audit({.limit = 4, .before = first.back().id}));
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0].at, at(1));
}

TEST(StoreRotations, RememberWhoseTurnItWas) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(put_rotation(store, {.rotation = "disks", .round = 1, .done = {"a"}}));
    must(put_rotation(
        store,
        {.rotation = "disks", .round = 2, .done = {"b \"quoted\"", "a"}, .last_slot = at(60)}));
  }
  Store store = open_store(dir);
  const auto cursors = must(store.list_rotations());
  ASSERT_EQ(cursors.size(), 1U);
  EXPECT_EQ(cursors[0].round, 2U);
  EXPECT_THAT(cursors[0].done, testing::ElementsAre("b \"quoted\"", "a"));
  EXPECT_EQ(cursors[0].last_slot, at(60));
}

TEST(StoreMissed, IsRecordedAndCountedOnce) {
  const TempDir dir;
  Store store = open_store(dir);
  const MissedSlot slot{.target = "t",
                        .schedule = "rad",
                        .slot = at(100),
                        .cause = "agent_down",
                        .detail = "from 1 to 2",
                        .recorded_at = at(900)};
  EXPECT_TRUE(must(record_missed(store, slot)));
  MissedSlot again = slot;
  again.cause = "paused";
  EXPECT_FALSE(must(record_missed(store, again)));
  again.slot = at(200);
  EXPECT_TRUE(must(record_missed(store, again)));
  const auto all = must(store.list_missed("t", at(0), 10));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].slot, at(200));
  EXPECT_EQ(all[1].cause, "agent_down");
  EXPECT_EQ(all[1].detail, "from 1 to 2");
  EXPECT_EQ(all[1].recorded_at, at(900));
  EXPECT_EQ(must(store.list_missed("", at(150), 10)).size(), 1U);
  EXPECT_THAT(must(store.list_missed("other", at(0), 10)), IsEmpty());
  const auto counts = must(store.missed_counts());
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].count, 1U);
}

TEST(StoreMissed, ArePagedThroughATimeWithoutOneLostOrTwice) {
  const TempDir dir;
  Store store = open_store(dir);
  for (const char* target : {"a", "b"}) {
    for (const char* schedule : {"x", "y"}) {
      for (const int slot : {100, 200, 300, 400}) {
        must(record_missed(store, {.target = target,
                                   .schedule = schedule,
                                   .slot = at(slot),
                                   .cause = "paused",
                                   .detail = "",
                                   .recorded_at = at(900)}));
      }
    }
  }
  std::vector<std::string> found;
  MissedFilter filter{.from = at(200), .to = at(400), .limit = 3, .after = std::nullopt};
  for (;;) {
    const auto page = must(store.list_missed(filter));
    if (page.empty()) break;
    for (const MissedSlot& slot : page) {
      found.push_back(format_rfc3339(slot.slot) + slot.target + slot.schedule);
    }
    filter.after = MissedKey{page.back().slot, page.back().target, page.back().schedule};
  }
  std::vector<std::string> expected;
  for (const int slot : {300, 200}) {
    for (const char* who : {"ax", "ay", "bx", "by"}) {
      expected.push_back(format_rfc3339(at(slot)) + who);
    }
  }
  EXPECT_EQ(found, expected);
}

TEST(StoreBackups, KeepTheTimeWhenTheyWereFirstSeen) {
  const TempDir dir;
  Store store = open_store(dir);
  EXPECT_TRUE(must(store.record_backup({.target = "t", .name = "b1", .first_seen = at(10)})));
  EXPECT_FALSE(must(store.record_backup(
      {.target = "t", .name = "b1", .finished_at = at(8), .first_seen = at(99)})));
  EXPECT_TRUE(must(store.record_backup(
      {.target = "t", .name = "b2", .finished_at = at(50), .first_seen = at(60)})));
  EXPECT_TRUE(must(store.record_backup({.target = "u", .name = "b2", .first_seen = at(70)})));
  const auto backups = must(store.list_backups("t"));
  ASSERT_EQ(backups.size(), 2U);
  EXPECT_EQ(backups[0].name, "b2");
  EXPECT_EQ(backups[1].finished_at, at(8));
  EXPECT_EQ(backups[1].first_seen, at(10));
  EXPECT_EQ(must(store.list_backups()).size(), 3U);
}

TEST(StoreSchedules, WhatALookHasComeToIsWrittenWholeOrNotAtAll) {
  const TempDir dir;
  Store store = open_store(dir);
  must(put_schedule(store, {.target = "old", .schedule = "rad"}));
  ASSERT_TRUE(must(record_missed(store, {.target = "t", .schedule = "rad", .slot = at(900)})));
  ScheduleChanges changes;
  changes.missed = {{.target = "t", .schedule = "rad", .slot = at(100), .cause = "paused"},
                    {.target = "t", .schedule = "rad", .slot = at(900)},
                    {.target = "t", .schedule = "rad", .slot = at(200), .cause = "paused"}};
  changes.rotations = {{.rotation = "disks", .round = 3}};
  changes.schedules = {{.target = "t", .schedule = "rad", .slot_done = at(200)}};
  changes.rewound = {{{"t", "rad"}, at(500)}};
  changes.forgotten = {{"old", "rad"}};
  {
    // Whatever is refused in the middle, nothing of it stays.
    sql(dir / "rad.db",
        "CREATE TRIGGER no BEFORE INSERT ON rotations BEGIN SELECT raise(ABORT, 'no'); END");
    EXPECT_FALSE(store.write_schedules(changes));
    EXPECT_EQ(must(store.list_missed("t", at(0), 10)).size(), 1U);
    sql(dir / "rad.db", "DROP TRIGGER no");
  }
  const auto added = must(store.write_schedules(changes));
  ASSERT_EQ(added.size(), 2U);
  EXPECT_EQ(added[1].slot, at(200));
  EXPECT_EQ(must(store.list_missed("t", at(0), 10)).size(), 2U);
  EXPECT_EQ(must(store.list_rotations())[0].round, 3U);
  const auto states = must(store.list_schedules());
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].slot_done, at(200));
  EXPECT_EQ(must(store.missed_counts()).size(), 2U);
}

}  // namespace
}  // namespace rad::test
