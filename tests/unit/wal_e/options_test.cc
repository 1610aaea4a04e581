#include "plugins/sdk/options.h"

#include <gtest/gtest.h>

#include "plugins/wal_e/wal_e_options.h"
#include "tests/support/temp_dir.h"

namespace rad::wal_e {
namespace {

TEST(RecoverTo, TakesItsFiveForms) {
  EXPECT_EQ(parse_recover_to("latest")->kind, "latest");
  EXPECT_EQ(parse_recover_to("immediate")->kind, "immediate");
  EXPECT_EQ(parse_recover_to("name=before the upgrade")->value, "before the upgrade");
  EXPECT_EQ(parse_recover_to("lsn=0/5000028")->value, "0/5000028");
  EXPECT_EQ(parse_recover_to("time=2026-11-20T18:44:51Z")->kind, "time");
}

TEST(RecoverTo, RefusesTheRestAndSaysWhatIsAllowed) {
  for (const std::string text :
       {"", "newest", "name=", "lsn=5", "time=yesterday", "xid=7", "name=a\nb",
        "name=0123456789012345678901234567890123456789012345678901234567890123"}) {
    const auto target = parse_recover_to(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().reason, Reason::config_invalid);
    EXPECT_NE(target.error().hint.find("lsn="), std::string::npos);
  }
}

TEST(Options, NeedAPlaceOfTheStore) {
  EXPECT_FALSE(understand_options({}));
  EXPECT_FALSE(understand_options({{"storage", "file:///a"}, {"envdir", "/b"}}));
  const auto options = understand_options({{"storage", "file:///a"}});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->storage_url, "file:///a");
  EXPECT_EQ(options->backup, "latest");
  EXPECT_GE(options->parallel, 1U);
  EXPECT_EQ(options->unfinished_after, std::chrono::hours(24));
}

TEST(Options, OfThePluginWinOverTheEnvdirs) {
  const test::TempDir dir;
  dir.write("env/WALE_FILE_PREFIX", "file:///srv/store");
  dir.write("env/GNUPGHOME", "/from/envdir");
  const auto options =
      understand_options({{"envdir", (dir / "env").string()}, {"gpg_home", "/from/option"}});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->storage_url, "file:///srv/store");
  EXPECT_EQ(options->gpg_home, "/from/option");
}

TEST(Options, TakeCredentialsFromTheEnvdirForAnotherPrefix) {
  const test::TempDir dir;
  dir.write("env/AWS_REGION", "eu-west-1");
  dir.write("env/WALE_S3_PREFIX", "s3://bucket/production");
  const auto options =
      understand_options({{"envdir", (dir / "env").string()}, {"storage", "s3://copies/test"}});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->storage_url, "s3://copies/test");
  EXPECT_EQ(options->variables.at("AWS_REGION"), "eu-west-1");
}

TEST(Options, BoundHowTheStorageIsRead) {
  const auto reads = [](std::string key, boost::json::value value) {
    return understand_options({{"storage", "file:///a"}, {key, std::move(value)}});
  };
  EXPECT_EQ(reads("storage_timeout", "30s")->transport.timeout, std::chrono::seconds(30));
  EXPECT_EQ(reads("storage_timeout", "30s")->transport.stall, std::chrono::seconds(10));
  EXPECT_FALSE(reads("storage_timeout", "500ms"));
  EXPECT_FALSE(reads("storage_timeout", "2h"));
  EXPECT_FALSE(reads("storage_connections", 0));
  EXPECT_FALSE(reads("storage_connections", 33));
  EXPECT_EQ(reads("read_rate_limit", "10MiB")->transport.rate_limit, 10U << 20U);
  EXPECT_FALSE(reads("read_rate_limit", "1KiB"));
}

TEST(Options, RefuseABackupThatIsNone) {
  const auto options = understand_options({{"storage", "file:///a"}, {"backup", "newest"}});
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().message.find("newest"), std::string::npos);
  EXPECT_FALSE(understand_options({{"storage", "file:///a"}, {"parallel", 65}}));
}

TEST(Options, AreAllDescribed) {
  for (const auto& option : known_options()) EXPECT_FALSE(option.summary.empty()) << option.key;
  EXPECT_TRUE(sdk::check_options({{"storage", "file:///a"}, {"unfinished_after", "36h"}},
                                 known_options(), "plugin 'wal_e'"));
  EXPECT_FALSE(sdk::check_options({{"storge", "file:///a"}}, known_options(), "plugin 'wal_e'"));
}

}  // namespace
}  // namespace rad::wal_e
