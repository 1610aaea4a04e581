#include "agent/run/forgotten_logs.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

TEST(ForgottenLogs, GoWithTheRecordOfTheirRun) {
  const test::TempDir dir;
  Store store = Store::open(dir / "rad.db").value();
  RunReport report;
  report.id = "known";
  report.target = "db";
  ASSERT_TRUE(store.begin_run(report));
  for (const char* id : {"known", "gone", "young"}) {
    const auto file = dir.write(std::filesystem::path("runs") / id / "wal_e.log", "text");
    const bool is_old = std::string_view(id) != "young";
    std::filesystem::last_write_time(
        file.parent_path(), std::filesystem::file_time_type::clock::now() - (is_old ? 48h : 1h));
  }
  AgentOptions options;
  options.state_dir = dir.path();
  EXPECT_THAT(remove_forgotten_logs(options, store),
              testing::ElementsAre((dir / "runs" / "gone").string()));
  EXPECT_TRUE(std::filesystem::exists(dir / "runs" / "known" / "wal_e.log"));
  EXPECT_TRUE(std::filesystem::exists(dir / "runs" / "young"));
  EXPECT_FALSE(std::filesystem::exists(dir / "runs" / "gone"));
}

TEST(ForgottenLogs, StayOfARunThatLeftSomethingAndBesideADamagedStore) {
  const test::TempDir dir;
  Store store = Store::open(dir / "rad.db").value();
  ASSERT_TRUE(store.put_hold({.run_id = "held", .target = "db"}));
  LedgerEntry entry;
  entry.run_id = "left";
  entry.path = "/scratch/left";
  ASSERT_TRUE(store.ledger_add(entry));
  dir.write("runs/ordered/hold.json", "{}");
  for (const char* id : {"held", "left", "ordered", "gone"}) {
    const auto file = dir.write(std::filesystem::path("runs") / id / "wal_e.log", "text");
    std::filesystem::last_write_time(file.parent_path(),
                                     std::filesystem::file_time_type::clock::now() - 48h);
  }
  AgentOptions options;
  options.state_dir = dir.path();
  const auto damaged = dir.write("rad.db.damaged-20260101T000000Z", "");
  EXPECT_THAT(remove_forgotten_logs(options, store), testing::IsEmpty());
  std::filesystem::remove(damaged);
  EXPECT_THAT(remove_forgotten_logs(options, store),
              testing::ElementsAre((dir / "runs" / "gone").string()));
}

}  // namespace
}  // namespace rad
