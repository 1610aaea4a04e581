// The real rclone on a directory.
#include "plugins/object_store/rclone_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/child_process.h"
#include "tests/support/temp_dir.h"

namespace rad::object_store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RcloneStorage, ReadsThroughTheRealProgram) {
  if (!find_program("rclone")) GTEST_SKIP() << "rclone is not installed";
  const test::TempDir dir;
  std::string large(5'000'000, 'x');
  large += "end";
  dir.write("store/db/wal_005/a b+%.lzo", "abc");
  dir.write("store/db/wal_005/b.lzo", large);
  dir.write("store/db/wal_0055", "x");
  dir.write("rclone.conf", "[store]\ntype = alias\nremote = " + (dir / "store").string() + "\n");
  const auto opened =
      open_storage("rclone://store/db", {{"RCLONE_CONFIG", (dir / "rclone.conf").string()}});
  ASSERT_TRUE(opened) << opened.error().message;
  Storage& storage = *opened->storage;
  std::vector<std::string> keys;
  const auto listing = storage.list("wal_005/");
  ASSERT_TRUE(listing) << listing.error().message << listing.error().detail;
  for (const auto& object : *listing) keys.push_back(object.key);
  EXPECT_THAT(keys, ElementsAre("wal_005/a b+%.lzo", "wal_005/b.lzo"));
  EXPECT_EQ(storage.list("nothing/")->size(), 0U);
  EXPECT_EQ(storage.read_head("wal_005/a b+%.lzo", 10, {.expected_size = 3}).value(), "abc");
  EXPECT_TRUE(
      storage.read_head("wal_005/b.lzo", 9'000'000, {.expected_size = large.size()}).value() ==
      large);
  EXPECT_EQ(storage.stat("wal_005/b.lzo")->size, large.size());
  EXPECT_EQ(storage.stat("wal_005/none").error().reason, Reason::missing_object);
  EXPECT_EQ(storage.open("wal_005/none", {.expected_size = 3}).error().reason,
            Reason::missing_object);
  EXPECT_EQ(storage.read_head("wal_005/b.lzo", 9'000'000, {.expected_size = large.size() + 1})
                .error()
                .reason,
            Reason::truncated);
}

TEST(RcloneStorage, NeedsItsConfiguration) {
  EXPECT_THAT(open_storage("rclone://store/db", {}).error().hint, HasSubstr("RCLONE_CONFIG"));
  EXPECT_FALSE(open_storage("rclone://store/db", {{"RCLONE_CONFIG", "/nowhere/rclone.conf"}}));
}

TEST(RcloneStorage, SaysNothingOfWhatAUrlCarries) {
  EXPECT_EQ(without_queries("Get \"https://a/b?sig=secret&x=1\": EOF, then http://c?t=2 too"),
            "Get \"https://a/b?...\": EOF, then http://c?... too");
}

}  // namespace
}  // namespace rad::object_store
