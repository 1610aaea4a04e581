#include "plugins/object_store/object_names.h"

#include <gtest/gtest.h>

#include "plugins/object_store/base64.h"
#include "plugins/object_store/metadata_token.h"
#include "plugins/object_store/seen_tokens.h"

namespace rad::object_store {
namespace {

TEST(ContainerUrl, IsTakenApart) {
  const auto url = parse_container_url("swift://store/pg/a b%20c/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->container, "store");
  EXPECT_EQ(url->path, "/pg/a b%20c/");
  EXPECT_EQ(parse_container_url("gs://store")->path, "");
}

TEST(ContainerUrl, RefusesWhatNamesNoContainer) {
  for (const char* text : {"wabs://", "wabs:///pg", "store/pg", "gs://a b/pg", "gs://a?b/pg",
                           "gs://user@host/pg", "gs://a\nb/pg"}) {
    const auto url = parse_container_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().reason, Reason::config_invalid);
  }
}

TEST(ObjectNames, HaveNoLeadingSlashOnAzure) {
  for (const char* path : {"/pg/main", "/pg/main/", "//pg/main"}) {
    EXPECT_EQ(ObjectNames::without_leading_slash(path).name("wal_005/x"), "pg/main/wal_005/x");
  }
  EXPECT_EQ(ObjectNames::without_leading_slash("").name("wal_005/x"), "wal_005/x");
  EXPECT_EQ(ObjectNames::without_leading_slash("/").name("wal_005/x"), "wal_005/x");
}

TEST(ObjectNames, HaveALeadingSlashOnSwiftAndGoogle) {
  for (const char* path : {"/pg/main", "/pg/main/"}) {
    EXPECT_EQ(ObjectNames::with_leading_slash(path).name("wal_005/x"), "/pg/main/wal_005/x");
  }
  EXPECT_EQ(ObjectNames::with_leading_slash("").name("wal_005/x"), "/wal_005/x");
  EXPECT_EQ(ObjectNames::with_leading_slash("/").name("wal_005/x"), "/wal_005/x");
}

TEST(ObjectNames, GiveKeysOfTheirOwnOnly) {
  const auto names = ObjectNames::with_leading_slash("/pg");
  EXPECT_EQ(names.key("/pg/wal_005/x"), "wal_005/x");
  EXPECT_EQ(names.key("/pg//wal_005/x"), "/wal_005/x");
  EXPECT_FALSE(names.key("/pg/"));
  EXPECT_FALSE(names.key("/pgx/wal_005/x"));
  EXPECT_FALSE(names.key("pg/wal_005/x"));
}

TEST(Base64, HasTheVectorsOfItsSpecification) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : rows) {
    EXPECT_EQ(base64(plain), encoded);
    EXPECT_EQ(decode_base64(encoded), plain);
  }
  EXPECT_EQ(base64_url("\xfb\xff\xfe?"), "-__-Pw");
}

TEST(Base64, RefusesAllElse) {
  for (const char* text : {"Zg", "Zg=", "Z===", "Zg==\n", "Zm9v Zm9v", "Zm9-", "=Zm9"}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

TEST(Endpoint, IsAnAddressAndAPath) {
  const auto url = parse_endpoint("http://127.0.0.1:10000/account/", "X");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->base, "http://127.0.0.1:10000");
  EXPECT_EQ(url->path, "/account");
  EXPECT_EQ(parse_endpoint("https://a.example", "X")->path, "");
}

TEST(Endpoint, RefusesSecretsInItWithoutTellingThem) {
  for (const char* text : {"", "a.example", "ftp://a.example", "https://", "https:///x",
                           "https://user:hunter2@a.example", "https://a.example/?sig=hunter2"}) {
    const auto url = parse_endpoint(text, "WALE_X");
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().reason, Reason::config_invalid);
    EXPECT_NE(url.error().message.find("WALE_X"), std::string::npos);
    EXPECT_EQ(url.error().message.find("hunter2"), std::string::npos);
  }
}

TEST(SeenTokens, NoticeACircle) {
  SeenTokens tokens;
  EXPECT_TRUE(tokens.add("a"));
  EXPECT_TRUE(tokens.add("b"));
  EXPECT_FALSE(tokens.add("a"));
}

}  // namespace
}  // namespace rad::object_store
