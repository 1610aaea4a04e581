// S3 as a storage, from a server that speaks as S3 does; real ones are in tests/integration.
#include "plugins/object_store/s3_storage.h"

#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"
#include "plugins/object_store/aws_credentials.h"
#include "tests/unit/object_store/http_test_server.h"

namespace rad::object_store {
namespace {

using test_support::Answer;
using test_support::HttpTestServer;
using test_support::SeenRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const TimePoint kNow = *parse_time("2026-11-20T12:00:00Z");

Error judged(int status, std::string_view code, Fields headers = {}, std::string_view more = "") {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  if (!code.empty()) {
    response.body =
        fmt::format("<Error><Code>{}</Code><Message>words</Message>{}</Error>", code, more);
  }
  return judge_s3(response, "us-east-1", kNow);
}

TEST(JudgeS3, TellsTheAnswersApart) {
  EXPECT_EQ(judged(404, "NoSuchKey").reason, Reason::missing_object);
  EXPECT_EQ(judged(404, "").reason, Reason::missing_object);
  EXPECT_EQ(judged(404, "NoSuchBucket").reason, Reason::storage_unreachable);
  EXPECT_FALSE(judged(404, "NoSuchBucket").retryable);
  for (const char* code : {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch",
                           "ExpiredToken", "InvalidToken", "Unheard"}) {
    EXPECT_EQ(judged(403, code).reason, Reason::access_denied) << code;
    EXPECT_FALSE(judged(403, code).hint.empty()) << code;
  }
  for (const auto& [status, code] : {std::pair(503, "SlowDown"), std::pair(429, "TooManyRequests"),
                                     std::pair(503, ""), std::pair(400, "RequestLimitExceeded")}) {
    const Error error = judged(status, code);
    EXPECT_EQ(error.reason, Reason::storage_unreachable);
    EXPECT_TRUE(error.retryable);
    EXPECT_THAT(error.message, HasSubstr("throttles"));
  }
  EXPECT_EQ(judged(500, "InternalError").reason, Reason::storage_unreachable);
  EXPECT_TRUE(judged(500, "InternalError").retryable);
  EXPECT_TRUE(judged(400, "RequestTimeout").retryable);
  EXPECT_EQ(judged(412, "PreconditionFailed").reason, Reason::backup_removed);
}

TEST(JudgeS3, NamesBothRegions) {
  for (const Error& error :
       {judged(301, "PermanentRedirect", {{"x-amz-bucket-region", "eu-west-1"}}),
        judged(400, "AuthorizationHeaderMalformed", {}, "<Region>eu-west-1</Region>"),
        judged(301, "", {{"x-amz-bucket-region", "eu-west-1"}})}) {
    EXPECT_EQ(error.reason, Reason::config_invalid);
    EXPECT_THAT(error.message, HasSubstr("'eu-west-1'"));
    EXPECT_THAT(error.message, HasSubstr("'us-east-1'"));
    EXPECT_THAT(error.hint, HasSubstr("AWS_REGION"));
  }
  const Error elsewhere =
      judged(301, "PermanentRedirect", {}, "<Endpoint>b.s3-x.example</Endpoint>");
  EXPECT_THAT(elsewhere.message, HasSubstr("b.s3-x.example"));
}

TEST(JudgeS3, SaysHowFarTheClockIsOff) {
  const Error error =
      judged(403, "RequestTimeTooSkewed", {{"date", "Fri, 20 Nov 2026 11:30:00 GMT"}});
  EXPECT_EQ(error.reason, Reason::host_unfit);
  EXPECT_THAT(error.message, HasSubstr("30m"));
  EXPECT_THAT(error.message, HasSubstr("ahead"));
}

TEST(RoleCredentials, AreUnderstood) {
  const auto role = parse_role_credentials(
      R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"T","Expiration":"2026-11-20T18:00:00Z"})");
  ASSERT_TRUE(role);
  EXPECT_EQ(role->keys.session_token, "T");
  EXPECT_EQ(format_rfc3339(role->expires), "2026-11-20T18:00:00.000Z");
  for (const char* bad : {"", "[]", "{}", R"({"Code":"Failed"})", R"({"AccessKeyId":1})"}) {
    const auto none = parse_role_credentials(bad);
    ASSERT_FALSE(none) << bad;
    EXPECT_EQ(none.error().reason, Reason::access_denied);
  }
}

class S3StorageTest : public ::testing::Test {
 protected:
  std::unique_ptr<Storage> storage(const HttpTestServer& server, Variables more = {}) {
    more.emplace("WALE_S3_ENDPOINT", "http+path" + server.base().substr(4));
    more.emplace("AWS_ACCESS_KEY_ID", "AKID");
    more.emplace("AWS_SECRET_ACCESS_KEY", "hunter2");
    TransportOptions options;
    options.timeout = std::chrono::milliseconds(1500);
    options.stall = std::chrono::milliseconds(500);
    options.first_pause = std::chrono::milliseconds(5);
    return open_storage("s3://bucket/db", more, options).value().storage;
  }
  static std::string entry(std::string_view key) {
    return fmt::format(
        "<Contents><Key>{}</Key><LastModified>2026-11-20T18:44:51.000Z</LastModified>"
        "<Size>3</Size></Contents>",
        key);
  }
  static std::string page(std::string_view inner, std::string_view token = "") {
    return fmt::format(
        "<ListBucketResult><IsTruncated>{}</IsTruncated>{}{}</ListBucketResult>",
        token.empty() ? "false" : "true",
        token.empty() ? ""
                      : fmt::format("<NextContinuationToken>{}</NextContinuationToken>", token),
        inner);
  }
  static std::vector<std::string> keys(const Result<std::vector<ObjectInfo>>& listing) {
    std::vector<std::string> out;
    for (const auto& object : listing.value()) out.push_back(object.key);
    return out;
  }
};

TEST_F(S3StorageTest, ListsPageByPage) {
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    EXPECT_THAT(request.target, HasSubstr("/bucket?"));
    EXPECT_THAT(request.target, HasSubstr("prefix=db%2Fwal_005%2F"));
    EXPECT_THAT(request.headers.at("authorization"), HasSubstr("AKID/"));
    if (request.target.find("continuation-token=t%2B1") != std::string::npos) {
      return answer.reply("200 OK", page(entry("db/wal_005/c")));
    }
    answer.reply("200 OK", page(entry("db/wal_005/a") + entry("db/wal_005/b"), "t+1"));
  });
  EXPECT_THAT(keys(storage(server)->list("wal_005/")),
              ElementsAre("wal_005/a", "wal_005/b", "wal_005/c"));
}

TEST_F(S3StorageTest, ListsFromAServiceThatKnowsOnlyMarkers) {
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.target.find("marker=db%2Fa") != std::string::npos) {
      return answer.reply("200 OK", page(entry("db/b")));
    }
    answer.reply("200 OK", "<ListBucketResult><IsTruncated>true</IsTruncated>" + entry("db/a") +
                               "</ListBucketResult>");
  });
  EXPECT_THAT(keys(storage(server)->list("")), ElementsAre("a", "b"));
}

TEST_F(S3StorageTest, DoesNotFollowAListingInCircles) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.reply("200 OK", page(entry("db/a") + entry("db/b"), "again"));
  });
  const auto listing = storage(server)->list("");
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().reason, Reason::storage_unreachable);
  EXPECT_EQ(server.requests(), 2U);
}

TEST_F(S3StorageTest, RefusesKeysThatWereNotAskedFor) {
  HttpTestServer server(
      [&](const SeenRequest&, Answer& answer) { answer.reply("200 OK", page(entry("other/a"))); });
  EXPECT_EQ(storage(server)->list("").error().reason, Reason::storage_unreachable);
}

TEST_F(S3StorageTest, AsksAgainForAPageThatWasCut) {
  const std::string whole = page(entry("db/a"));
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.number > 0) return answer.reply("200 OK", whole);
    answer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" +
                whole.substr(0, whole.size() - 30));
    answer.close();
  });
  EXPECT_THAT(keys(storage(server)->list("")), ElementsAre("a"));
}

TEST_F(S3StorageTest, StopsWhenTheVisitorHasEnough) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.reply("200 OK", page(entry("db/a") + entry("db/b"), "more"));
  });
  int seen = 0;
  const auto status = storage(server)->visit("", [&](const ObjectInfo&) -> Status {
    ++seen;
    return fail(Reason::cancelled, "enough");
  });
  EXPECT_EQ(status.error().reason, Reason::cancelled);
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(server.requests(), 1U);
}

TEST_F(S3StorageTest, LooksAtOneObjectByAListing) {
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    const bool there = request.target.find("prefix=db%2Fa%20b&") != std::string::npos ||
                       request.target.ends_with("prefix=db%2Fa%20b");
    answer.reply("200 OK", page(there ? entry("db/a b") : entry("db/absent.more")));
  });
  EXPECT_EQ(storage(server)->stat("a b")->key, "a b");
  EXPECT_EQ(storage(server)->stat("absent").error().reason, Reason::missing_object);
}

TEST_F(S3StorageTest, ReadsKeysWithOddCharacters) {
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    EXPECT_EQ(request.target, "/bucket/db/a%20%2B%3F%23%25/..//%C3%A9");
    answer.reply("200 OK", "abc");
  });
  EXPECT_EQ(storage(server)->read_head("a +?#%/..//\xC3\xA9", 10, {.expected_size = 3}).value(),
            "abc");
}

TEST_F(S3StorageTest, AsksTheListingWhetherA404IsOfS3) {
  for (const bool listed : {true, false}) {
    HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
      if (request.target.starts_with("/bucket?")) {
        return answer.reply("200 OK", page(listed ? entry("db/a") : ""));
      }
      answer.reply("404 Not Found", "<html>no such page</html>");
    });
    EXPECT_EQ(storage(server)->open("a", {.expected_size = 3}).error().reason,
              listed ? Reason::storage_unreachable : Reason::missing_object);
  }
  HttpTestServer vouched([&](const SeenRequest&, Answer& answer) {
    answer.reply("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>");
  });
  EXPECT_EQ(storage(vouched)->open("a", {.expected_size = 3}).error().reason,
            Reason::missing_object);
  EXPECT_EQ(vouched.requests(), 1U);
}

TEST_F(S3StorageTest, A404OfTheListingIsNoMissingObject) {
  HttpTestServer server(
      [&](const SeenRequest&, Answer& answer) { answer.reply("404 Not Found", ""); });
  EXPECT_EQ(storage(server)->list("").error().reason, Reason::storage_unreachable);
  EXPECT_EQ(storage(server)->stat("a").error().reason, Reason::storage_unreachable);
}

TEST_F(S3StorageTest, TakesTheKeysOfTheInstanceAndRenewsThem) {
  std::atomic<int> generation = 0;
  std::atomic<int> roles = 0;
  HttpTestServer metadata([&](const SeenRequest& request, Answer& answer) {
    if (request.target == "/latest/api/token") {
      EXPECT_EQ(request.method, "PUT");
      EXPECT_EQ(request.headers.at("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
      return answer.reply("200 OK", "TOKEN");
    }
    EXPECT_EQ(request.headers.at("x-aws-ec2-metadata-token"), "TOKEN");
    if (request.target.ends_with("/security-credentials/")) {
      ++roles;
      return answer.reply("200 OK", "restore-role");
    }
    EXPECT_TRUE(request.target.ends_with("/security-credentials/restore-role"));
    ++generation;
    // The first are good for four more minutes, which is too short to begin with.
    const auto ends = SystemClock().now() + std::chrono::minutes(generation == 1 ? 4 : 60);
    answer.reply(
        "200 OK",
        fmt::format(
            R"({{"Code":"Success","AccessKeyId":"ROLE{}","SecretAccessKey":"s","Token":"t","Expiration":"{}"}})",
            generation.load(), format_rfc3339(ends)));
  });
  std::vector<std::string> seen;
  HttpTestServer s3([&](const SeenRequest& request, Answer& answer) {
    seen.push_back(request.headers.at("authorization").substr(0, 45));
    EXPECT_EQ(request.headers.at("x-amz-security-token"), "t");
    answer.reply("200 OK", page(entry("db/a")));
  });
  const auto bucket = storage(
      s3, {{"AWS_INSTANCE_PROFILE", "1"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.base()}});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(bucket->stat("a"));
  EXPECT_EQ(generation.load(), 2) << "fetched, renewed, and then kept";
  EXPECT_THAT(seen.front(), HasSubstr("ROLE1"));
  EXPECT_THAT(seen.back(), HasSubstr("ROLE2"));
}

TEST_F(S3StorageTest, SaysThatTheInstanceHasNoRole) {
  HttpTestServer metadata([&](const SeenRequest& request, Answer& answer) {
    if (request.method == "PUT") return answer.reply("200 OK", "TOKEN");
    answer.reply("404 Not Found", "");
  });
  HttpTestServer s3([&](const SeenRequest&, Answer& answer) { answer.reply("200 OK", page("")); });
  const auto bucket = storage(
      s3, {{"AWS_INSTANCE_PROFILE", "1"}, {"AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.base()}});
  const auto listing = bucket->list("");
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().reason, Reason::access_denied);
  EXPECT_THAT(listing.error().message, HasSubstr("instance profile"));
  EXPECT_EQ(s3.requests(), 0U);
}

TEST_F(S3StorageTest, NeverTellsASecret) {
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    answer.reply("403 Forbidden",
                 fmt::format("<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message>"
                             "<StringToSign>{}</StringToSign></Error>",
                             request.headers.at("authorization")));
  });
  const auto opened = storage(server);
  const Error error = opened->list("").error();
  EXPECT_EQ(error.reason, Reason::access_denied);
  for (const std::string& text : {error.message, error.hint, error.detail, opened->describe()}) {
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_THAT(text, Not(HasSubstr("Signature=")));
  }
}

TEST(OpenStorage, SaysWhatItUnderstood) {
  const auto opened = open_storage(
      "s3://bucket/db", {{"AWS_ACCESS_KEY_ID", "AKID"}, {"AWS_SECRET_ACCESS_KEY", "hunter2"}});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->summary.kind, "s3");
  EXPECT_EQ(opened->summary.url, "s3://bucket/db");
  EXPECT_EQ(opened->summary.endpoint,
            "https://bucket.s3.us-east-1.amazonaws.com, region us-east-1");
  EXPECT_EQ(opened->summary.credentials, "static keys");
}

}  // namespace
}  // namespace rad::object_store
