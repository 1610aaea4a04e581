#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/json.h"
#include "plugins/object_store/swift_identity.h"
#include "plugins/object_store/swift_listing.h"
#include "plugins/object_store/swift_storage.h"

namespace rad::object_store {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

constexpr TimePoint kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)};
constexpr SteadyPoint kSteady{10h};

SwiftSettings settings_of(Variables more) {
  more.emplace("SWIFT_AUTHURL", "http://127.0.0.1:5000/v3/");
  more.emplace("SWIFT_USER", "backup");
  more.emplace("SWIFT_PASSWORD", "hunter2");
  auto settings = SwiftSettings::from(more);
  EXPECT_TRUE(settings) << settings.error().message;
  return *std::move(settings);
}

boost::json::value body_of(const SwiftSettings& settings) {
  return boost::json::parse(swift_auth_request(settings).body);
}

TEST(SwiftIdentity, AsksInVersion1WithHeaders) {
  const auto request =
      swift_auth_request(settings_of({{"SWIFT_AUTH_VERSION", "1"},
                                      {"SWIFT_USER", "test:tester"},
                                      {"SWIFT_AUTHURL", "https://swift.example/auth/v1.0"}}));
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.url(), "https://swift.example/auth/v1.0");
  EXPECT_THAT(request.headers, Contains(Pair("X-Auth-User", "test:tester")));
  EXPECT_THAT(request.headers, Contains(Pair("X-Auth-Key", "hunter2")));
}

TEST(SwiftIdentity, AsksInVersion2ByDefault) {
  const auto settings =
      settings_of({{"SWIFT_TENANT", "ops"}, {"SWIFT_AUTHURL", "http://127.0.0.1:5000/v2.0"}});
  EXPECT_EQ(swift_auth_request(settings).path, "/v2.0/tokens");
  EXPECT_EQ(body_of(settings), boost::json::parse(R"({"auth":{"tenantName":"ops",
              "passwordCredentials":{"username":"backup","password":"hunter2"}}})"));
  EXPECT_EQ(body_of(settings_of({{"SWIFT_USER", "ops:backup"}})), body_of(settings));
}

TEST(SwiftIdentity, AsksInVersion3WithDomains) {
  const auto settings = settings_of({{"SWIFT_AUTH_VERSION", "3"},
                                     {"SWIFT_PROJECT_NAME", "ops"},
                                     {"SWIFT_USER_DOMAIN_NAME", "people"},
                                     {"SWIFT_DOMAIN_ID", "d1"}});
  EXPECT_EQ(swift_auth_request(settings).path, "/v3/auth/tokens");
  EXPECT_EQ(body_of(settings), boost::json::parse(R"({"auth":{
    "identity":{"methods":["password"],"password":{"user":
      {"name":"backup","domain":{"name":"people"},"password":"hunter2"}}},
    "scope":{"project":{"name":"ops","domain":{"id":"d1"}}}}})"));
  const auto by_id = settings_of(
      {{"SWIFT_AUTH_VERSION", "3"}, {"SWIFT_USER_ID", "u1"}, {"SWIFT_TENANT_ID", "p1"}});
  EXPECT_EQ(body_of(by_id), boost::json::parse(R"({"auth":{
    "identity":{"methods":["password"],"password":{"user":{"id":"u1","password":"hunter2"}}},
    "scope":{"project":{"id":"p1"}}}})"));
}

TEST(SwiftIdentity, RefusesSettingsByName) {
  const Variables good{
      {"SWIFT_AUTHURL", "http://h/v3"}, {"SWIFT_USER", "u"}, {"SWIFT_PASSWORD", "hunter2"}};
  for (const char* name : {"SWIFT_AUTHURL", "SWIFT_USER", "SWIFT_PASSWORD"}) {
    Variables lacking = good;
    lacking.erase(name);
    const auto settings = SwiftSettings::from(lacking);
    ASSERT_FALSE(settings) << name;
    EXPECT_THAT(settings.error().message, HasSubstr(name));
    EXPECT_EQ(settings.error().reason, Reason::config_invalid);
  }
  Variables odd = good;
  odd["SWIFT_AUTH_VERSION"] = "4";
  EXPECT_THAT(SwiftSettings::from(odd).error().message, HasSubstr("SWIFT_AUTH_VERSION is '4'"));
}

TEST(SwiftIdentity, ReadsVersion1) {
  HttpResponse answer{.status = 200,
                      .headers = {{"x-storage-url", "http://127.0.0.1:8080/v1/AUTH_test"},
                                  {"x-auth-token", "AUTH_tk1"},
                                  {"x-auth-token-expires", "86399"}},
                      .body = {}};
  const auto settings = settings_of({{"SWIFT_AUTH_VERSION", "1"}});
  const auto token = read_swift_token(settings, answer, kNow, kSteady);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->value, "AUTH_tk1");
  EXPECT_EQ(token->place, "http://127.0.0.1:8080/v1/AUTH_test");
  EXPECT_EQ(token->expires, kSteady + 86399s);
  answer.headers.erase(answer.headers.begin());
  EXPECT_EQ(read_swift_token(settings, answer, kNow, kSteady).error().reason,
            Reason::access_denied);
}

const char* const kVersion2 = R"({"access":{"token":{"id":"tk2","expires":"2026-11-21T01:00:00Z"},
 "serviceCatalog":[{"type":"compute","endpoints":[{"publicURL":"http://no"}]},
  {"type":"object-store","endpoints":[
   {"region":"R1","publicURL":"http://one/v1/A","internalURL":"http://in/v1/A"},
   {"region":"R2","publicURL":"http://two/v1/A"}]}]}})";

TEST(SwiftIdentity, ReadsVersion2) {
  const HttpResponse answer{.status = 200, .headers = {}, .body = kVersion2};
  const auto token = read_swift_token(settings_of({}), answer, kNow, kSteady);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->value, "tk2");
  EXPECT_EQ(token->place, "http://one/v1/A");
  EXPECT_EQ(token->expires, kSteady + 1h);
  const auto place = [&](Variables more) {
    return read_swift_token(settings_of(std::move(more)), answer, kNow, kSteady).value().place;
  };
  EXPECT_EQ(place({{"SWIFT_REGION", "R2"}}), "http://two/v1/A");
  EXPECT_EQ(place({{"SWIFT_ENDPOINT_TYPE", "internalURL"}}), "http://in/v1/A");
}

TEST(SwiftIdentity, NamesWhatTheCatalogueHas) {
  const HttpResponse answer{.status = 200, .headers = {}, .body = kVersion2};
  const auto token = read_swift_token(settings_of({{"SWIFT_REGION", "R3"}}), answer, kNow, kSteady);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().reason, Reason::config_invalid);
  EXPECT_THAT(token.error().message, HasSubstr("R1, R2"));
  EXPECT_THAT(token.error().message, HasSubstr("internalURL, publicURL"));
}

TEST(SwiftIdentity, ReadsVersion3) {
  const HttpResponse answer{
      .status = 201,
      .headers = {{"x-subject-token", "tk3"}},
      .body = R"({"token":{"expires_at":"2026-11-21T01:00:00.000000Z","catalog":[
        {"type":"object-store","endpoints":[
          {"region":"R1","region_id":"R1","interface":"admin","url":"http://adm"},
          {"region":"R1","region_id":"R1","interface":"public","url":"http://pub/v1/A"}]}]}})"};
  const auto token =
      read_swift_token(settings_of({{"SWIFT_AUTH_VERSION", "3"}}), answer, kNow, kSteady);
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->value, "tk3");
  EXPECT_EQ(token->place, "http://pub/v1/A");
  EXPECT_EQ(token->expires, kSteady + 1h);
}

TEST(SwiftIdentity, OddAnswersAreDeniedAndNotQuoted) {
  for (const char* version : {"2", "3"}) {
    for (const char* body :
         {"", "[]", "{}", R"({"access":7,"token":7})", R"({"access":{"token":{"id":"hunter3"},
           "serviceCatalog":7}})",
          R"({"token":{"catalog":{"hunter3":1}}})",
          R"({"access":{"token":{"id":"x"},"serviceCatalog":[{"type":"object-store",
              "endpoints":[{"region":{}}]}]},"token":{"catalog":[{"type":7}]}})"}) {
      const HttpResponse answer{
          .status = 200, .headers = {{"x-subject-token", "tk"}}, .body = body};
      const auto token =
          read_swift_token(settings_of({{"SWIFT_AUTH_VERSION", version}}), answer, kNow, kSteady);
      ASSERT_FALSE(token) << version << body;
      EXPECT_THAT(token.error().reason,
                  ::testing::AnyOf(Reason::access_denied, Reason::config_invalid));
      EXPECT_THAT(token.error().message, Not(HasSubstr("hunter")));
    }
  }
}

TEST(SwiftIdentity, NeverSaysThatAnObjectIsMissing) {
  const auto reason = [](int status) {
    return judge_swift_identity({.status = status, .headers = {}, .body = {}}).reason;
  };
  EXPECT_EQ(reason(404), Reason::config_invalid);
  EXPECT_EQ(reason(300), Reason::config_invalid);
  EXPECT_EQ(reason(401), Reason::access_denied);
  EXPECT_EQ(reason(403), Reason::access_denied);
  EXPECT_EQ(reason(429), Reason::storage_unreachable);
  EXPECT_EQ(reason(503), Reason::storage_unreachable);
}

TEST(SwiftListing, IsRead) {
  const auto objects = parse_swift_listing(
      R"([{"bytes":5000000000,"name":"/pg/a","hash":"x","last_modified":"2026-11-21T00:00:00.500000",
          "content_type":"x"},{"subdir":"/pg/b/"},
          {"bytes":0,"name":"/pg/ü","last_modified":"2026-11-21T00:00:00"}])");
  ASSERT_TRUE(objects) << objects.error().message;
  ASSERT_EQ(objects->size(), 2U);
  EXPECT_EQ(objects->front().name, "/pg/a");
  EXPECT_EQ(objects->front().size, 5'000'000'000U);
  EXPECT_EQ(objects->front().modified, kNow + 500ms);
  EXPECT_TRUE(parse_swift_listing("")->empty());
  EXPECT_TRUE(parse_swift_listing("[]")->empty());
}

TEST(SwiftListing, IsNotTakenFromOtherAnswers) {
  for (const char* body :
       {"{}", "<html>", "[7]", "[{}]", R"([{"name":"a","bytes":-1,"last_modified":"2026-11-21"}])",
        R"([{"name":"a","bytes":1}])", R"([{"name":"","bytes":1,"last_modified":"2026-11-21"}])",
        R"([{"name":"a","bytes":1,"last_modified":"2026-11-21T00:00:00"})"}) {
    const auto objects = parse_swift_listing(body);
    ASSERT_FALSE(objects) << body;
    EXPECT_EQ(objects.error().reason, Reason::storage_unreachable);
  }
}

}  // namespace
}  // namespace rad::object_store
