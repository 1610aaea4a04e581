#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(StoreLog, NumbersLinesAcrossCallsAndRuns) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(store.append_log("r1", {{.at = at(1), .plugin = "wal_e", .level = "info", .text = "one"},
                                 {.at = at(2), .level = "error", .text = "two"}}));
    must(store.append_log("r2", {{.text = "other"}}));
    must(store.append_log("r1", {}));
  }
  Store store = open_store(dir);
  must(store.append_log("r1", {{.text = "three"}}));
  const auto lines = must(store.read_log("r1", 0, 100));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].seq, 1U);
  EXPECT_EQ(lines[0].plugin, "wal_e");
  EXPECT_EQ(lines[1].level, "error");
  EXPECT_EQ(lines[1].at, at(2));
  EXPECT_EQ(lines[2].seq, 3U);
  EXPECT_EQ(lines[2].text, "three");
  EXPECT_EQ(must(store.read_log("r1", 2, 1))[0].text, "two");
  EXPECT_THAT(must(store.read_log("r1", 4, 100)), IsEmpty());
  EXPECT_THAT(must(store.read_log("none", 0, 100)), IsEmpty());
}

TEST(StoreLog, EndsAtItsBoundAndSaysSo) {
  const TempDir dir;
  Store store = open_store(dir);
  const std::vector<LogLine> flood(100, {.at = at(5), .text = std::string(10'000, 'x')});
  for (int i = 0; i < 10; ++i) must(store.append_log("r1", flood));
  const auto lines = must(store.read_log("r1", 0, 100'000));
  std::uint64_t bytes = 0;
  for (const LogLine& line : lines) bytes += line.text.size();
  EXPECT_LE(bytes, Store::kLogBytes);
  EXPECT_GT(bytes, Store::kLogBytes * 9 / 10);
  EXPECT_THAT(lines.back().text, HasSubstr("cut here"));
  EXPECT_EQ(lines.back().level, "warning");
  EXPECT_EQ(lines.back().seq, lines.size());
  must(store.append_log("r2", {{.text = "another run"}}));
  EXPECT_EQ(must(store.read_log("r2", 0, 10)).size(), 1U);
}

TEST(StoreLog, CutsLongLinesAndTakesAnyBytes) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.append_log(
      "r1", {{.text = std::string("\xff\0\x1b[31m", 7)}, {.text = std::string(1U << 20U, 'x')}}));
  const auto lines = must(store.read_log("r1", 0, 10));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, "???[31m");
  EXPECT_LE(lines[1].text.size(), Store::kLogLineBytes);
}

}  // namespace
}  // namespace rad::test
