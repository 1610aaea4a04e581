#include "plugins/wal_e/envdir.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace rad::wal_e {
namespace {

TEST(Envdir, TakesTheFirstLineWithoutTrailingBlanks) {
  const test::TempDir dir;
  dir.write("WALE_FILE_PREFIX", "file://localhost/srv/store \t\nsecond line\n");
  dir.write("WALE_GPG_KEY_ID", std::string_view("a\0b", 3));
  dir.write("EMPTY", "");
  dir.write("BLANK", "\n");
  dir.write(".hidden", "x");
  dir.write("no-variable", "x");
  dir.write("sub/VARIABLE", "x");
  const auto values = read_envdir(dir.path());
  ASSERT_TRUE(values);
  EXPECT_EQ(values->size(), 3U);
  EXPECT_EQ(values->at("WALE_FILE_PREFIX"), "file://localhost/srv/store");
  EXPECT_EQ(values->at("WALE_GPG_KEY_ID"), "a\nb");
  EXPECT_EQ(values->at("BLANK"), "");
}

TEST(Envdir, ThatIsNotThereIsTheConfigurationsFault) {
  const auto values = read_envdir("/nowhere/at/all");
  ASSERT_FALSE(values);
  EXPECT_EQ(values.error().reason, Reason::config_invalid);
  EXPECT_NE(values.error().message.find("/nowhere/at/all"), std::string::npos);
}

TEST(Environment, IsUnderstood) {
  const auto result = understand_environment({{"WALE_FILE_PREFIX", "file:///srv/store"},
                                              {"GNUPGHOME", "/var/lib/postgresql/.gnupg"},
                                              {"WALE_GPG_KEY_ID", "F55A68E7"}},
                                             "/etc/wal-e.d/env");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->storage_url, "file:///srv/store");
  EXPECT_EQ(result->gpg_home, "/var/lib/postgresql/.gnupg");
  EXPECT_TRUE(result->expects_encryption);
}

TEST(Environment, TakesThePrefixThatWalEWouldTake) {
  Variables values{{"WALE_WABS_PREFIX", "wabs://container/db"},
                   {"WALE_SWIFT_PREFIX", "swift://container/db"},
                   {"WALE_S3_PREFIX", "s3://bucket/db"},
                   {"WALE_GS_PREFIX", "gs://bucket/db"},
                   {"WALE_FILE_PREFIX", "file:///db"}};
  for (const char* key : {"WALE_FILE_PREFIX", "WALE_GS_PREFIX", "WALE_S3_PREFIX",
                          "WALE_SWIFT_PREFIX", "WALE_WABS_PREFIX"}) {
    EXPECT_EQ(understand_environment(values, "/etc/env")->storage_url, values[key]);
    values.erase(key);
  }
}

TEST(Environment, WithoutAPrefixIsRefused) {
  const auto result = understand_environment({{"PGUSER", "postgres"}}, "/etc/env");
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message.find("WALE_FILE_PREFIX"), std::string::npos);
}

}  // namespace
}  // namespace rad::wal_e
