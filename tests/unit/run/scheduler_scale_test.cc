// A thousand targets after a week without the agent.
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/unit/run/scheduler_under_test.h"
#include "tests/unit/store/raw_sql.h"

namespace rad {
namespace {

using ::testing::IsEmpty;

std::uint32_t number_at(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8U | static_cast<std::uint8_t>(bytes[at + i]);
  return value;
}

/// Transactions in a write-ahead log since it was begun anew:
/// https://www.sqlite.org/fileformat2.html section 4.1, frames that say how large the file is after
/// them.
std::size_t transactions(const std::filesystem::path& log) {
  std::ifstream file(log, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.size() < 32) return 0;
  const std::size_t page = number_at(bytes, 8);
  std::size_t count = 0;
  for (std::size_t at = 32; at + 24 + page <= bytes.size(); at += 24 + page) {
    const bool current = number_at(bytes, at + 8) == number_at(bytes, 16) &&
                         number_at(bytes, at + 12) == number_at(bytes, 20);
    if (current && number_at(bytes, at + 4) != 0) ++count;
  }
  return count;
}

TEST_F(SchedulerTest, AThousandTargetsAfterAWeekAreOneTransactionAndOneLine) {
  for (int i = 0; i < 1000; ++i) {
    add(fmt::format("t{:03}", i)).schedules = {cron("hourly", "0 * * * *", Depth::verify)};
  }
  const std::filesystem::path log = dir_ / "rad.db-wal";
  const auto empty_log = [&] { test::sql(dir_ / "rad.db", "PRAGMA wal_checkpoint(TRUNCATE)"); };
  restart();
  empty_log();
  EXPECT_THAT(starts(), IsEmpty());
  EXPECT_EQ(transactions(log), 1U);
  clock_.advance(7 * 24h);
  restart();
  empty_log();
  const SystemClock real;
  const auto began = real.steady_now();
  ::testing::internal::CaptureStderr();
  const auto due = tick();
  const std::string said = ::testing::internal::GetCapturedStderr();
  const auto took = real.steady_now() - began;
  std::size_t missed = 0;
  for (const MissedCount& row : store_.missed_counts().value()) missed += row.count;
  std::cout << missed << " missed slots in "
            << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms\n";
  EXPECT_EQ(due.size(), 2U);
  EXPECT_GE(missed, 160'000U);
  EXPECT_EQ(transactions(log), 1U);
  EXPECT_LE(std::count(said.begin(), said.end(), '\n'), 2) << said.substr(0, 2000);
  EXPECT_NE(said.find("times of 1000 schedules were missed"), std::string::npos);
}

}  // namespace
}  // namespace rad
