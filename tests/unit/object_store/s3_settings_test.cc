#include "plugins/object_store/s3_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rad::object_store {
namespace {

using ::testing::HasSubstr;

Variables with_keys(Variables more = {}) {
  more.emplace("AWS_ACCESS_KEY_ID", "AKID");
  more.emplace("AWS_SECRET_ACCESS_KEY", "hunter2");
  return more;
}

TEST(S3Settings, AreThoseOfAws) {
  const auto settings =
      understand_s3("s3://backups/db/main/", with_keys({{"AWS_REGION", "eu-west-1"}}));
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->base(), "https://backups.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(settings->object_path("wal_005/a b"), "/db/main/wal_005/a%20b");
  EXPECT_EQ(settings->bucket_path(), "/");
  EXPECT_TRUE(settings->notes.empty());
  EXPECT_EQ(understand_s3("s3://b-1", with_keys({{"AWS_REGION", "cn-north-1"}}))->base(),
            "https://b-1.s3.cn-north-1.amazonaws.com.cn");
}

TEST(S3Settings, UsePathsForBucketsThatAreNoHosts) {
  for (const char* bucket : {"with.dot", "UPPER", "under_score", "ab"}) {
    const auto settings = understand_s3(std::string("s3://") + bucket, with_keys());
    EXPECT_EQ(settings->base(), "https://s3.us-east-1.amazonaws.com") << bucket;
    EXPECT_EQ(settings->object_path("k"), std::string("/") + bucket + "/k");
  }
}

TEST(S3Settings, SayThatTheRegionIsAGuess) {
  const auto settings = understand_s3("s3://bucket/x", with_keys());
  EXPECT_EQ(settings->region, "us-east-1");
  ASSERT_EQ(settings->notes.size(), 1U);
  EXPECT_THAT(settings->notes[0], HasSubstr("AWS_REGION"));
}

TEST(S3Settings, TakeTheFormsOfAnEndpoint) {
  const auto base = [](std::string endpoint) {
    const auto settings =
        understand_s3("s3://bucket/p", with_keys({{"WALE_S3_ENDPOINT", endpoint}}));
    return settings ? settings->base() + settings->object_path("k") : settings.error().message;
  };
  EXPECT_EQ(base("https+path://ceph.example:8080"), "https://ceph.example:8080/bucket/p/k");
  EXPECT_EQ(base("http+path://127.0.0.1:8080/"), "http://127.0.0.1:8080/bucket/p/k");
  EXPECT_EQ(base("https+subdomain://ceph.example"), "https://bucket.ceph.example/p/k");
  EXPECT_EQ(base("http+virtualhost://ceph.example:81"), "http://bucket:81/p/k");
  EXPECT_EQ(base("https://ceph.example"), "https://ceph.example/bucket/p/k");
  for (const char* bad : {"ceph.example", "ftp+path://x", "https+dns://x", "https+path://",
                          "https+path://user@host", "https+path://host/path"}) {
    EXPECT_THAT(base(bad), HasSubstr("WALE_S3_ENDPOINT")) << bad;
  }
}

TEST(S3Settings, ReadTheRegionOffAnEndpointOfAws) {
  const auto region = [](const char* host) {
    return understand_s3("s3://bucket",
                         with_keys({{"WALE_S3_ENDPOINT", std::string("https+path://") + host}}))
        ->region;
  };
  EXPECT_EQ(region("s3-us-west-2.amazonaws.com"), "us-west-2");
  EXPECT_EQ(region("s3.eu-central-1.amazonaws.com:443"), "eu-central-1");
  EXPECT_EQ(region("s3.dualstack.eu-west-3.amazonaws.com"), "eu-west-3");
  EXPECT_EQ(region("s3.amazonaws.com"), "us-east-1");
  EXPECT_EQ(region("minio.example"), "us-east-1");
}

TEST(S3Settings, TakeTemporaryKeysAndInstanceProfiles) {
  EXPECT_EQ(understand_s3("s3://b-1", with_keys({{"AWS_SECURITY_TOKEN", "t"}}))->keys.session_token,
            "t");
  EXPECT_EQ(understand_s3("s3://b-1", with_keys({{"AWS_SESSION_TOKEN", "u"}}))->keys.session_token,
            "u");
  const auto profile = understand_s3("s3://b-1", {{"AWS_INSTANCE_PROFILE", "1"}});
  EXPECT_TRUE(profile->instance_profile);
  EXPECT_TRUE(understand_s3("s3://b-1", with_keys({{"AWS_INSTANCE_PROFILE", "1"}}))
                  ->keys.access_key_id.empty());
}

TEST(S3Settings, SayWhatIsMissingWithoutASecret) {
  const auto message = [](const Variables& variables, std::string_view url = "s3://b-1/x") {
    const auto settings = understand_s3(url, variables);
    return settings ? std::string() : settings.error().message + settings.error().hint;
  };
  EXPECT_THAT(message({}), HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(message({{"AWS_ACCESS_KEY_ID", "AKID"}}), HasSubstr("AWS_SECRET_ACCESS_KEY is not"));
  EXPECT_THAT(message({{"AWS_SECRET_ACCESS_KEY", "hunter2"}}),
              HasSubstr("AWS_ACCESS_KEY_ID is not"));
  EXPECT_THAT(message({{"AWS_SECRET_ACCESS_KEY", "hunter2"}}), Not(HasSubstr("hunter2")));
  EXPECT_THAT(message(with_keys(), "s3://"), HasSubstr("names no bucket"));
  EXPECT_THAT(message(with_keys(), "s3:///x"), HasSubstr("names no bucket"));
  EXPECT_THAT(message(with_keys({{"AWS_REGION", "eu west"}})), HasSubstr("AWS_REGION"));
}

}  // namespace
}  // namespace rad::object_store
