// The examples that AWS has published: the "Signature Version 4 test suite" (get-vanilla...) and
// "Examples: Signature Calculations in AWS Signature Version 4" of Amazon S3.
#include "plugins/object_store/sigv4.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

using ::testing::HasSubstr;

std::string header(const HttpRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (key == name) return value;
  }
  return {};
}

/// bucket examplebucket of the S3 examples, 24 May 2013.
std::string s3_authorization(HttpRequest request) {
  request.base = "https://examplebucket.s3.amazonaws.com";
  sign_v4(request, {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""},
          {"us-east-1", "s3"}, *parse_time("2013-05-24T00:00:00Z"));
  return header(request, "Authorization");
}

TEST(SigV4, GetsAnObjectWithARange) {
  HttpRequest request;
  request.path = "/test.txt";
  request.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(s3_authorization(request),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, GetsTheLifecycleOfABucket) {
  HttpRequest request;
  request.query = {{"lifecycle", ""}};
  EXPECT_THAT(
      s3_authorization(request),
      HasSubstr("Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SigV4, ListsObjects) {
  HttpRequest request;
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_THAT(
      s3_authorization(request),
      HasSubstr("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SigV4, PassesTheTestSuitesGets) {
  const auto signature = [](HttpRequest request) {
    request.base = "https://example.amazonaws.com";
    sign_v4(request, {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""},
            {"us-east-1", "service"}, *parse_time("2015-08-30T12:36:00Z"));
    const std::string text = header(request, "Authorization");
    return text.substr(text.rfind('=') + 1);
  };
  EXPECT_EQ(signature({}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(signature({.query = {{"Param2", "value2"}, {"Param1", "value1"}}}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(signature({.method = "POST"}),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST(SigV4, SignsTheSessionToken) {
  HttpRequest request;
  request.base = "http://127.0.0.1:8080";
  sign_v4(request, {"AKID", "secret", "to ken"}, {"eu-west-1", "s3"},
          *parse_time("2026-11-20T00:00:00Z"));
  EXPECT_EQ(header(request, "X-Amz-Security-Token"), "to ken");
  EXPECT_THAT(
      header(request, "Authorization"),
      HasSubstr("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
  EXPECT_THAT(header(request, "Authorization"), Not(HasSubstr("secret,")));
}

TEST(SigV4, HasACanonicalRequest) {
  HttpRequest request;
  request.base = "https://host:443";
  request.path = "/a%20b";
  request.query = {{"b", "2"}, {"a c", "1/2"}};
  request.headers = {{"X-B", "  two   blanks "}, {"X-A", "1"}};
  std::string names;
  EXPECT_EQ(canonical_request_v4(request, "HASH", names),
            "GET\n/a%20b\na%20c=1%2F2&b=2\nhost:host\nx-a:1\nx-b:two blanks\n\nhost;x-a;x-b\nHASH");
  EXPECT_EQ(names, "host;x-a;x-b");
}

}  // namespace
}  // namespace rad::object_store
