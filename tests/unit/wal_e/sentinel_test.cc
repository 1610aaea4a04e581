#include "plugins/wal_e/sentinel.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

constexpr std::string_view kKey = "basebackups_005/base_X_backup_stop_sentinel.json";

TEST(Sentinel, OfWalETakesAllItsKeys) {
  const auto sentinel = parse_sentinel(
      R"({"wal_segment_backup_stop": "000000010000000000000005",
          "wal_segment_offset_backup_stop": "00072016", "expanded_size_bytes": 51457433,
          "spec": {"base_prefix": "/srv/main/", "tablespaces": ["16400", "16401"],
                   "16400": {"loc": "/mnt/a/", "link": "pg_tblspc/16400"},
                   "16401": {"loc": "/mnt/b/", "link": "pg_tblspc/16401"}}})",
      kKey);
  ASSERT_TRUE(sentinel);
  EXPECT_EQ(to_string(sentinel->stop_segment), "000000010000000000000005");
  EXPECT_EQ(sentinel->stop_offset, 72016U);
  EXPECT_EQ(sentinel->expanded_bytes, 51457433U);
  EXPECT_EQ(sentinel->base_prefix, "/srv/main/");
  ASSERT_EQ(sentinel->tablespaces.size(), 2U);
  EXPECT_EQ(sentinel->tablespaces[1].oid, "16401");
  EXPECT_EQ(sentinel->tablespaces[1].location, "/mnt/b/");
}

TEST(Sentinel, OfOldVersionsHasThreeKeys) {
  const auto sentinel = parse_sentinel(
      R"({"wal_segment_backup_stop": "000000010000000000000005",
          "wal_segment_offset_backup_stop": "00000040", "expanded_size_bytes": 0})",
      kKey);
  ASSERT_TRUE(sentinel);
  EXPECT_EQ(sentinel->expanded_bytes, 0U);
  EXPECT_TRUE(sentinel->tablespaces.empty());
}

TEST(Sentinel, OfAnOfflineBackupMayHaveAnOffsetThatIsNone) {
  const auto sentinel = parse_sentinel(
      R"({"wal_segment_backup_stop": "00000001000000000000001A",
          "wal_segment_offset_backup_stop": "0000001A"})",
      kKey);
  ASSERT_TRUE(sentinel);
  EXPECT_FALSE(sentinel->stop_offset);
  EXPECT_FALSE(sentinel->expanded_bytes);
}

class BadSentinel : public testing::TestWithParam<const char*> {};

TEST_P(BadSentinel, IsNamedAndNeverTaken) {
  const auto sentinel = parse_sentinel(GetParam(), kKey);
  ASSERT_FALSE(sentinel);
  EXPECT_EQ(sentinel.error().reason, Reason::metadata_invalid);
  EXPECT_EQ(sentinel.error().object, kKey);
  EXPECT_NE(sentinel.error().message.find(kKey), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadSentinel,
    testing::Values(
        "", "<?xml version=\"1.0\"?><Error/>", "[1, 2]", "null", "{}", "{",
        R"({"wal_segment_backup_stop": 5})", R"({"wal_segment_backup_stop": "5"})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "expanded_size_bytes": -5})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "expanded_size_bytes": "many"})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "expanded_size_bytes": 1e300})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "spec": []})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "spec": {"tablespaces": {}}})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "spec": {"tablespaces": ["../x"]}})",
        R"({"wal_segment_backup_stop": "000000010000000000000005", "spec": {"tablespaces": [-7]}})",
        R"({"wal_segment_backup_stop": "000000010000000000000005",
            "spec": {"tablespaces": ["7"], "7": "x"}})"));

TEST(Sentinel, NestedDeeplyIsRefused) {
  EXPECT_FALSE(parse_sentinel(std::string(100000, '['), kKey));
}

TEST(Sentinel, LargerThanAMebibyteIsRefused) {
  std::string text = R"({"wal_segment_backup_stop": "000000010000000000000005"})";
  text.append(kMaxSentinelBytes, ' ');
  EXPECT_FALSE(parse_sentinel(text, kKey));
}

}  // namespace
}  // namespace rad::wal_e
