// The power goes at every write of a run's life in the store. RAD_POWER_CUT_TORN and RAD_SEED (see
// the lane soak) make it look at more disks.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/unit/store/power_cut_witness.h"
#include "tests/unit/store/store_builders.h"
#include "tests/unit/store/version_1.h"

namespace rad::test {
namespace {

using testing::IsEmpty;
using testing::Not;

unsigned setting(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

unsigned torn() {
  return setting("RAD_POWER_CUT_TORN", 1);
}

PowerCutWitness witness(const DiskImage& image) {
  const unsigned seed = setting("RAD_SEED", 1);
  testing::Test::RecordProperty("seed", static_cast<int>(seed));
  return {image, torn(), torn() > 1 ? 1U : 40U, seed};
}

/// Everything the store is told about a run, and about what goes on around it.
void live(PowerCutWitness& watch, std::optional<Store>& store, const std::string& id) {
  RunReport report = begun(id);
  const auto step = [&](const char* what, auto call) {
    watch.step(what, [&]() -> Status { return call(); });
  };
  step("put_request", [&] { return store->put_request({.id = id, .target = report.target}); });
  step("begin_run", [&] { return store->begin_run(report); });
  step("remove_request", [&] { return store->remove_request(id); });
  step("append_audit",
       [&] { return store->append_audit({.user = "anna", .action = "run.start", .subject = id}); });
  step("ledger_add",
       [&] { return store->ledger_add({.run_id = id, .path = "/scratch/" + id, .marker = id}); });
  report.stages.push_back({.stage = Stage::preflight, .started_at = at(1001)});
  step("update_run", [&] { return store->update_run(report); });
  step("append_log", [&] {
    return store->append_log(id, {{.at = at(1001), .level = "info", .text = "preflight"},
                                  {.at = at(1002), .text = std::string(9000, 'x')}});
  });
  // A record of several pages.
  report.findings.assign(40, {.code = "links_left_out", .message = std::string(300, 'm')});
  step("update_run", [&] { return store->update_run(report); });
  step("put_hold", [&] { return store->put_hold({.run_id = id, .owner = "anna"}); });
  step("ledger_add", [&] {
    return store->ledger_add(
        {.run_id = id, .kind = LedgerKind::kept, .path = "/scratch/" + id, .marker = id});
  });
  step("end_run", [&] { return store->end_run(ended(report, Verdict::fail)); });
  step("put_issue", [&] {
    return store->put_issue({.reporter = "gitlab", .target = report.target, .count = 1});
  });
  step("count_report_error", [&] { return store->count_report_error("gitlab"); });
  step("put_schedule", [&] {
    return put_schedule(*store, {.target = "t", .schedule = "rad", .slot_done = at(5)});
  });
  step("record_missed", [&] {
    return record_missed(*store, {.target = "t", .schedule = id, .slot = at(5)}).has_value()
               ? Status()
               : fail(Reason::internal_error, "not recorded");
  });
  step("put_pause", [&] { return store->put_pause({.target = "*", .schedule = id}); });
  step("put_rotation", [&] { return put_rotation(*store, {.rotation = "r", .done = {"a", "b"}}); });
  step("record_backup", [&] {
    return store->record_backup({.target = "t", .name = id}).has_value()
               ? Status()
               : fail(Reason::internal_error, "not recorded");
  });
  step("remove_hold", [&] { return store->remove_hold(id); });
  step("ledger_remove", [&] { return store->ledger_remove(id, "/scratch/" + id); });
  step("remove_pause", [&] { return store->remove_pause("*", id); });
  step("end_run", [&] { return store->end_run(ended(report, Verdict::fail, 90)); });
}

Status opened(std::optional<Store>& store, const PowerCutWitness& watch) {
  auto result = Store::open(kPowerCutFile, watch.options());
  if (!result) return result.error();
  store.emplace(*std::move(result));
  return {};
}

void whole_life(PowerCutWitness& watch) {
  std::optional<Store> store;
  watch.step("open", [&] { return opened(store, watch); });
  live(watch, store, "r1");
  live(watch, store, "r2");
  watch.step(
      "prune",
      [&]() -> Status {
        const auto done =
            store->prune(at(1000) + std::chrono::days(1000), {.least_per_target = 1}, kLong);
        return done ? Status() : Status(done.error());
      },
      20);
  live(watch, store, "r3");
  watch.step("close", [&]() -> Status {
    store.reset();
    return {};
  });
  watch.step("open", [&] { return opened(store, watch); });
  live(watch, store, "r4");
  store.reset();
}

TEST(StorePowerCut, LosesNothingThatWasAcknowledgedAndLeavesNothingHalf) {
  PowerCutWitness watch = witness({});
  whole_life(watch);
  EXPECT_THAT(watch.problems(), IsEmpty());
  EXPECT_GT(watch.states().size(), 80U);
  RecordProperty("changes", std::to_string(watch.disk().changes()));
  RecordProperty("disks", std::to_string(watch.images()));
  std::printf("%llu changes of the disk, %llu cut disks opened\n",
              static_cast<unsigned long long>(watch.disk().changes()),
              static_cast<unsigned long long>(watch.images()));
}

TEST(StorePowerCut, IsNoticedWhenSyncsDoNothing) {
  PowerCutWitness watch({}, 1, 0, 1);
  watch.disk().ignore_syncs();
  std::optional<Store> store;
  watch.step("open", [&] { return opened(store, watch); });
  live(watch, store, "r1");
  EXPECT_THAT(watch.problems(), Not(IsEmpty()));
}

/// The disk with the file of an agent of version 1.
DiskImage version_1_disk() {
  const PowerCutDisk disk;
  sqlite3* connection = nullptr;
  EXPECT_EQ(sqlite3_open_v2(kPowerCutFile, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                            disk.name().c_str()),
            SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(connection, version_1_sql().c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
  std::mt19937_64 unused;
  return disk.cut(Survival::all, unused);
}

TEST(StorePowerCut, AMigrationIsDoneOrNotBegun) {
  PowerCutWitness watch = witness(version_1_disk());
  std::optional<Store> store;
  watch.step("open", [&] { return opened(store, watch); });
  watch.step("close", [&]() -> Status {
    store.reset();
    return {};
  });
  EXPECT_THAT(watch.problems(), IsEmpty());
  ASSERT_EQ(watch.states().size(), 2U);
  EXPECT_EQ(watch.states()[0].rfind("version 1\n", 0), 0U);
  EXPECT_EQ(watch.states()[1].rfind("version 2\n", 0), 0U);
}

}  // namespace
}  // namespace rad::test
