#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "agent/base/json.h"
#include "plugins/object_store/base64.h"
#include "plugins/object_store/gcs_credentials.h"
#include "plugins/object_store/gcs_listing.h"
#include "plugins/object_store/gcs_storage.h"

namespace rad::object_store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using KeyPair = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr TimePoint kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 21)};

std::string pem_of(EVP_PKEY* key, const char* passphrase = nullptr) {
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase == nullptr ? nullptr : EVP_aes_128_cbc(),
                                nullptr, 0, nullptr,
                                const_cast<char*>(passphrase));  // NOLINT: its C interface
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(bio);
  return pem;
}

EVP_PKEY* rsa_key() {
  static const KeyPair key(EVP_RSA_gen(2048), &EVP_PKEY_free);
  return key.get();
}

std::string service_account(const std::string& pem) {
  return boost::json::serialize(
      boost::json::object{{"type", "service_account"},
                          {"client_email", "backup@project.iam.gserviceaccount.com"},
                          {"private_key_id", "k1"},
                          {"private_key", pem},
                          {"token_uri", "http://127.0.0.1:9/token"}});
}

std::string decode_url(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  return decode_base64(text).value();
}

TEST(GcsJwt, IsSignedByTheKeyAndSaysWhatIsWanted) {
  const auto credentials = GcsCredentials::parse(service_account(pem_of(rsa_key())), "f.json");
  ASSERT_TRUE(credentials) << credentials.error().message;
  const auto jwt = make_gcs_jwt(*credentials, kNow);
  ASSERT_TRUE(jwt) << jwt.error().message;
  const auto first = jwt->find('.');
  const auto second = jwt->rfind('.');
  EXPECT_EQ(boost::json::parse(decode_url(jwt->substr(0, first))),
            boost::json::parse(R"({"alg":"RS256","typ":"JWT","kid":"k1"})"));
  const auto claims = boost::json::parse(decode_url(jwt->substr(first + 1, second - first - 1)));
  EXPECT_EQ(claims, boost::json::parse(R"({
    "iss":"backup@project.iam.gserviceaccount.com","aud":"http://127.0.0.1:9/token",
    "scope":"https://www.googleapis.com/auth/devstorage.read_only",
    "iat":1795219200,"exp":1795222800})"));
  const std::string signature = decode_url(jwt->substr(second + 1));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  ASSERT_EQ(EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, rsa_key()), 1);
  EXPECT_EQ(EVP_DigestVerify(
                context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                signature.size(), reinterpret_cast<const unsigned char*>(jwt->data()), second),
            1);
}

TEST(GcsJwt, RefusesOtherKeysWithoutQuotingThem) {
  const KeyPair curve(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  for (const std::string& pem :
       {std::string("hunter2"), pem_of(curve.get()), pem_of(rsa_key(), "secret")}) {
    const auto credentials = GcsCredentials::parse(service_account(pem), "f.json");
    ASSERT_TRUE(credentials);
    const auto jwt = make_gcs_jwt(*credentials, kNow);
    ASSERT_FALSE(jwt);
    EXPECT_EQ(jwt.error().reason, Reason::config_invalid);
    EXPECT_THAT(jwt.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST(GcsCredentials, OfAUserBecomeARefreshRequest) {
  const auto credentials = GcsCredentials::parse(
      R"({"type":"authorized_user","client_id":"c 1","client_secret":"s&2","refresh_token":"r/3"})",
      "f.json");
  ASSERT_TRUE(credentials) << credentials.error().message;
  const auto request = gcs_token_request(*credentials, kNow);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->url(), "https://oauth2.googleapis.com/token");
  EXPECT_EQ(request->body,
            "grant_type=refresh_token&client_id=c%201&client_secret=s%262&refresh_token=r%2F3");
}

TEST(GcsCredentials, AreRefusedWithoutQuotingThem) {
  for (const char* text : {"", "hunter2", "[]", R"({"type":"external_account","x":"hunter2"})",
                           R"({"type":"service_account","private_key":"hunter2"})",
                           R"({"type":"authorized_user","client_id":"hunter2"})",
                           R"({"type":"authorized_user","client_id":"c","refresh_token":"hunter2",
            "token_uri":"hunter2"})"}) {
    const auto credentials = GcsCredentials::parse(text, "f.json");
    ASSERT_FALSE(credentials) << text;
    EXPECT_EQ(credentials.error().reason, Reason::config_invalid);
    EXPECT_THAT(credentials.error().message, HasSubstr("f.json"));
    EXPECT_THAT(credentials.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST(GcsCredentials, TokenEndpointNeverSaysThatAnObjectIsMissing) {
  const Error error = judge_gcs_token(
      {.status = 400,
       .headers = {},
       .body = R"({"error":"invalid_grant","error_description":"Invalid JWT Signature."})"});
  EXPECT_EQ(error.reason, Reason::access_denied);
  EXPECT_THAT(error.message, HasSubstr("invalid_grant: Invalid JWT Signature."));
  EXPECT_EQ(judge_gcs_token({.status = 404, .headers = {}, .body = {}}).reason,
            Reason::access_denied);
  EXPECT_EQ(judge_gcs_token({.status = 503, .headers = {}, .body = {}}).reason,
            Reason::storage_unreachable);
}

TEST(GcsListing, IsRead) {
  const auto listing = parse_gcs_listing(
      R"({"kind":"storage#objects","nextPageToken":"CgE","items":[
        {"name":"/pg/a","size":"5000000000","updated":"2026-11-21T00:00:00.250Z"}]})");
  ASSERT_TRUE(listing) << listing.error().message;
  EXPECT_EQ(listing->next_page, "CgE");
  ASSERT_EQ(listing->objects.size(), 1U);
  EXPECT_EQ(listing->objects[0].name, "/pg/a");
  EXPECT_EQ(listing->objects[0].size, 5'000'000'000U);
  EXPECT_EQ(listing->objects[0].modified, kNow + std::chrono::milliseconds(250));
  EXPECT_TRUE(parse_gcs_listing(R"({"kind":"storage#objects"})")->objects.empty());
}

TEST(GcsListing, IsNotTakenFromOtherAnswers) {
  for (const char* body :
       {"", "[]", "{}", R"({"error":{}})", R"({"kind":"storage#objects","items":{}})",
        R"({"kind":"storage#objects","items":[7]})",
        R"({"kind":"storage#objects","items":[{"name":"a","updated":"2026-11-21"}]})",
        R"({"kind":"storage#objects","items":[{"name":"a","size":"1x","updated":"2026-11-21"}]})",
        R"({"kind":"storage#objects","nextPageToken":7})"}) {
    const auto listing = parse_gcs_listing(body);
    ASSERT_FALSE(listing) << body;
    EXPECT_EQ(listing.error().reason, Reason::storage_unreachable);
  }
}

TEST(GcsListing, ErrorsHaveAReason) {
  const auto error = parse_gcs_error(
      R"({"error":{"code":403,"message":"no","errors":[{"reason":"rateLimitExceeded"}]}})");
  EXPECT_EQ(error.reason, "rateLimitExceeded");
  EXPECT_EQ(error.message, "no");
  EXPECT_EQ(parse_gcs_error("No such object: b/o").reason, "");
}

TEST(GcsSettings, MissingFileIsTheConfigurationsFault) {
  const auto opened = open_gcs_storage(
      "gs://b/pg", {{"GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent/f.json"}}, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().reason, Reason::config_invalid);
  EXPECT_THAT(opened.error().message, HasSubstr("GOOGLE_APPLICATION_CREDENTIALS"));
}

TEST(GcsSettings, WithoutAFileTheMachinesOwnAccountIsTaken) {
  const auto opened = open_gcs_storage("gs://b/pg", {{"GCE_METADATA_HOST", "127.0.0.1:9"}}, {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->summary.kind, "gcs");
  EXPECT_EQ(opened->summary.url, "gs://b/pg/");
  EXPECT_THAT(opened->summary.credentials, HasSubstr("virtual machine"));
}

}  // namespace
}  // namespace rad::object_store
