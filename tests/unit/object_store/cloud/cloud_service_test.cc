// The three services as their storages speak with them: a server of the test's own answers.
#include <atomic>
#include <mutex>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/object_store/open_storage.h"
#include "tests/unit/object_store/http_test_server.h"

namespace rad::object_store {
namespace {

using namespace std::chrono_literals;
using test_support::Answer;
using test_support::HttpTestServer;
using test_support::SeenRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::unique_ptr<Storage> open_at(std::string_view url, const Variables& variables) {
  TransportOptions options;
  options.timeout = 2s;
  options.first_pause = 1ms;
  auto opened = open_storage(url, variables, options);
  EXPECT_TRUE(opened) << opened.error().message;
  return std::move(opened->storage);
}

std::vector<std::string> keys_of(Storage& storage) {
  std::vector<std::string> keys;
  const Status done = storage.visit("", [&](const ObjectInfo& object) -> Status {
    keys.push_back(object.key);
    return {};
  });
  EXPECT_TRUE(done) << done.error().message;
  return keys;
}

std::unique_ptr<Storage> managed(const HttpTestServer& server) {
  return open_at("wabs://store/pg", {{"WABS_ACCOUNT_NAME", "acct"},
                                     {"WALE_WABS_ENDPOINT", server.base()},
                                     {"AZURE_CLIENT_ID", "c1"},
                                     {"AZURE_POD_IDENTITY_AUTHORITY_HOST", server.base()}});
}

std::unique_ptr<Storage> with_key(const HttpTestServer& server) {
  return open_at("wabs://store/pg", {{"WABS_ACCOUNT_NAME", "acct"},
                                     {"WABS_ACCESS_KEY", "Zm9v"},
                                     {"WALE_WABS_ENDPOINT", server.base()}});
}

std::string azure_page(std::string_view names, std::string_view marker = "") {
  std::string page = "<EnumerationResults><Blobs>";
  for (const char name : names) {
    page += std::string("<Blob><Name>pg/") + name +
            "</Name><Properties><Last-Modified>Sat, 21 Nov 2026 03:29:22 GMT</Last-Modified>"
            "<Content-Length>1</Content-Length></Properties></Blob>";
  }
  return page + "</Blobs><NextMarker>" + std::string(marker) + "</NextMarker></EnumerationResults>";
}

TEST(AzureManagedIdentity, FetchesATokenAndAnotherWhenItIsRefused) {
  std::atomic<int> tokens = 0;
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.target.starts_with("/metadata/")) {
      EXPECT_EQ(request.target,
                "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2F"
                "storage.azure.com%2F&client_id=c1");
      EXPECT_EQ(request.headers.at("metadata"), "true");
      // At times it is not there for a moment.
      if (tokens == 0 && request.number == 0) return answer.reply("429 Too Many Requests", "");
      const std::string token = "t" + std::to_string(++tokens);
      return answer.reply("200 OK", R"({"access_token":")" + token + R"(","expires_in":"86399"})");
    }
    EXPECT_EQ(request.headers.at("x-ms-version"), "2021-12-02");
    EXPECT_THAT(request.target, StartsWith("/store?restype=container&comp=list&prefix=pg%2F"));
    if (request.headers.at("authorization") == "Bearer t1") {
      return answer.reply("401 Unauthorized",
                          "<Error><Code>InvalidAuthenticationInfo</Code></Error>");
    }
    EXPECT_EQ(request.headers.at("authorization"), "Bearer t2");
    answer.reply("200 OK", azure_page("a"));
  });
  EXPECT_THAT(keys_of(*managed(server)), ElementsAre("a"));
  EXPECT_EQ(tokens, 2);
}

TEST(AzureManagedIdentity, SaysWhatToDoWhereThereIsNone) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.reply("400 Bad Request", R"({"error":"invalid_request"})");
  });
  const auto listed = managed(server)->list("");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().reason, Reason::access_denied);
  EXPECT_THAT(listed.error().hint, HasSubstr("WABS_ACCESS_KEY"));
}

TEST(AzureStorage, GoesOnAfterAnEmptyPage) {
  HttpTestServer server([](const SeenRequest& request, Answer& answer) {
    const bool second = request.target.find("marker=2%2192%21") != std::string::npos;
    answer.reply("200 OK", second ? azure_page("bc") : azure_page("", "2!92!"));
  });
  EXPECT_THAT(keys_of(*with_key(server)), ElementsAre("b", "c"));
  EXPECT_EQ(with_key(server)->stat("b").value().size, 1U);
  EXPECT_EQ(with_key(server)->stat("x").error().reason, Reason::missing_object);
}

TEST(AzureStorage, DoesNotFollowAListingInCircles) {
  HttpTestServer server([](const SeenRequest& request, Answer& answer) {
    answer.reply("200 OK", azure_page("a", request.number % 2 == 0 ? "m1" : "m2"));
  });
  const auto listed = with_key(server)->list("");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().reason, Reason::storage_unreachable);
  EXPECT_LE(server.requests(), 3U);
}

struct Judged {
  const char* status;
  const char* code;
  Reason reason;
  const char* says;
};

TEST(AzureStorage, TellsAnswersApartByTheirCodes) {
  const Judged rows[] = {
      {"404 Not Found", "BlobNotFound", Reason::missing_object, "does not have it"},
      {"404 Not Found", "ContainerNotFound", Reason::storage_unreachable, "'store' does not exist"},
      {"404 Not Found", "ResourceNotFound", Reason::access_denied, "denies access"},
      {"403 Forbidden", "AuthenticationFailed", Reason::access_denied, "denies access"},
      {"403 Forbidden", "AuthorizationFailure", Reason::access_denied, "denies access"},
      {"409 Conflict", "PublicAccessNotPermitted", Reason::access_denied, "denies access"},
      {"409 Conflict", "BlobArchived", Reason::access_denied, "archive tier"},
      {"412 Precondition Failed", "ConditionNotMet", Reason::backup_removed, "replaced"},
      {"503 Busy", "ServerBusy", Reason::storage_unreachable, "throttles"},
      {"500 Oops", "InternalError", Reason::storage_unreachable, "answers with an error"}};
  for (const Judged& row : rows) {
    SCOPED_TRACE(row.code);
    HttpTestServer server([&](const SeenRequest&, Answer& answer) {
      answer.reply(row.status, std::string("<Error><Code>") + row.code + "</Code></Error>",
                   std::string("x-ms-request-id: 1\r\nx-ms-error-code: ") + row.code + "\r\n");
    });
    const auto opened = with_key(server)->open("x");
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().reason, row.reason) << opened.error().message;
    EXPECT_THAT(opened.error().message, HasSubstr(row.says));
  }
}

Variables swift_variables(const HttpTestServer& server) {
  return {{"SWIFT_AUTHURL", server.base() + "/auth/v1.0"},
          {"SWIFT_AUTH_VERSION", "1"},
          {"SWIFT_USER", "u"},
          {"SWIFT_PASSWORD", "p"}};
}

TEST(SwiftStorage, LogsInAnewAndListsToTheEmptyPage) {
  std::atomic<int> logins = 0;
  std::string base;
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.target == "/auth/v1.0") {
      return answer.reply("200 OK", "",
                          "X-Auth-Token: t" + std::to_string(++logins) +
                              "\r\nX-Storage-Url: " + base + "/v1/A\r\n");
    }
    if (request.headers.at("x-auth-token") == "t1") return answer.reply("401 Unauthorized", "");
    EXPECT_THAT(request.target, StartsWith("/v1/A/store?format=json&prefix=%2Fpg%2F"));
    if (request.target.ends_with("&marker=%2Fpg%2Fa")) {
      return answer.reply("200 OK",
                          R"([{"name":"/pg/b","bytes":1,"last_modified":"2026-11-21T00:00:00"}])");
    }
    if (request.target.ends_with("&marker=%2Fpg%2Fb")) return answer.reply("200 OK", "[]");
    answer.reply("200 OK", R"([{"name":"/pg/a","bytes":1,"last_modified":"2026-11-21T00:00:00"}])");
  });
  base = server.base();
  EXPECT_THAT(keys_of(*open_at("swift://store/pg", swift_variables(server))),
              ElementsAre("a", "b"));
  EXPECT_EQ(logins, 2);
}

TEST(SwiftStorage, ListingThatDoesNotAdvanceEnds) {
  std::string base;
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.target == "/auth/v1.0") {
      return answer.reply("200 OK", "", "X-Auth-Token: t\r\nX-Storage-Url: " + base + "/v1/A\r\n");
    }
    answer.reply("200 OK", R"([{"name":"/pg/a","bytes":1,"last_modified":"2026-11-21T00:00:00"}])");
  });
  base = server.base();
  const auto listed = open_at("swift://store/pg", swift_variables(server))->list("");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().reason, Reason::storage_unreachable);
  EXPECT_EQ(server.requests(), 3U);
}

TEST(SwiftStorage, OldWordForThrottlingIsKnown) {
  std::string base;
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.target == "/auth/v1.0") {
      return answer.reply("200 OK", "", "X-Auth-Token: t\r\nX-Storage-Url: " + base + "/v1/A\r\n");
    }
    answer.reply("498 Rate Limited", "");
  });
  base = server.base();
  const auto listed = open_at("swift://store/pg", swift_variables(server))->list("");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().reason, Reason::storage_unreachable);
  EXPECT_THAT(listed.error().message, HasSubstr("throttles"));
}

TEST(GcsStorage, DoesNotFollowAListingInCircles) {
  HttpTestServer server([](const SeenRequest& request, Answer& answer) {
    if (request.target.starts_with("/computeMetadata/")) {
      EXPECT_EQ(request.headers.at("metadata-flavor"), "Google");
      return answer.reply("200 OK", R"({"access_token":"t","expires_in":3600})");
    }
    EXPECT_THAT(request.target, StartsWith("/storage/v1/b/store/o?prefix=%2Fpg%2F"));
    answer.reply("200 OK", R"({"kind":"storage#objects","nextPageToken":"same"})");
  });
  const auto storage = open_at(
      "gs://store/pg", {{"WALE_GS_ENDPOINT", server.base()},
                        {"GCE_METADATA_HOST", "127.0.0.1:" + std::to_string(server.port())}});
  const auto listed = storage->list("");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().reason, Reason::storage_unreachable);
  EXPECT_EQ(server.requests(), 3U);
}

}  // namespace
}  // namespace rad::object_store
