#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/object_store/azure_listing.h"
#include "plugins/object_store/azure_signer.h"
#include "plugins/object_store/azure_storage.h"

namespace rad::object_store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

std::string key_bytes() {
  std::string key(64, '\0');
  std::iota(key.begin(), key.end(), '\0');
  return key;
}

// "Authorize with Shared Key", the examples of version 2015-02-21.
TEST(AzureSigner, SignsWhatTheDocumentationShows) {
  HttpRequest request;
  request.path = "/mycontainer";
  request.query = {{"restype", "container"}, {"comp", "metadata"}, {"timeout", "20"}};
  request.headers = {{"x-ms-version", "2015-02-21"},
                     {"x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT"}};
  EXPECT_EQ(azure_string_to_sign(request, "myaccount"),
            "GET\n\n\n\n\n\n\n\n\n\n\n\n"
            "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n"
            "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20");
  request.query = {{"restype", "container"},
                   {"comp", "list"},
                   {"include", "snapshots"},
                   {"include", "metadata"},
                   {"include", "uncommittedblobs"}};
  EXPECT_THAT(azure_string_to_sign(request, "myaccount"),
              ::testing::EndsWith("/myaccount/mycontainer\ncomp:list\n"
                                  "include:metadata,snapshots,uncommittedblobs\n"
                                  "restype:container"));
}

// Signatures that the vendor's own client for Python (azure-storage-blob 12.15) makes.
TEST(AzureSigner, SignsAsTheVendorsClient) {
  HttpRequest request;
  request.path = "/store/pg/basebackups_005/base_0/tar_partitions/part_00000000.tar.lzo";
  request.headers = {{"x-ms-range", "bytes=4194304-8388607"},
                     {"If-Match", "\"0x8D1A2B3C4D5E6F7\""},
                     {"x-ms-date", "Sat, 21 Nov 2026 03:29:22 GMT"},
                     {"x-ms-version", "2021-12-02"}};
  EXPECT_EQ(azure_shared_key(request, "myaccount", key_bytes()),
            "SharedKey myaccount:glV7iU7DKAXBcs6LxjsQgGJo2qarNfBKt+fnic6FMSI=");
  request.path = "/store";
  request.query = {{"restype", "container"},
                   {"comp", "list"},
                   {"prefix", "pg/wal_005/"},
                   {"maxresults", "2000"},
                   {"marker", "2!108!MDAw"}};
  request.headers.erase(request.headers.begin(), request.headers.begin() + 2);
  EXPECT_EQ(azure_shared_key(request, "myaccount", key_bytes()),
            "SharedKey myaccount:q1FFAWT1hXQbQgQHvnj4KvtTXJXz9EVIL2+/+05jCRk=");
}

TEST(AzureSigner, TakesASasTokenApart) {
  const auto fields =
      parse_sas_token("?sv=2021-12-02&ss=b&se=2026-12-01T00%3A00%3A00Z&sig=a%2Bb%3D");
  ASSERT_TRUE(fields);
  EXPECT_THAT(*fields, ElementsAre(Pair("sv", "2021-12-02"), Pair("ss", "b"),
                                   Pair("se", "2026-12-01T00:00:00Z"), Pair("sig", "a+b=")));
}

TEST(AzureSigner, RefusesASasTokenWithoutQuotingIt) {
  for (const char* text : {"sv=hunter2", "sig=", "sig=%2", "sig=hunter2&x=%zz", ""}) {
    const auto fields = parse_sas_token(text);
    ASSERT_FALSE(fields) << text;
    EXPECT_EQ(fields.error().reason, Reason::config_invalid);
    EXPECT_THAT(fields.error().message, Not(HasSubstr("hunter2")));
  }
}

constexpr std::string_view kListing =
    "\xEF\xBB\xBF"
    R"(<?xml version="1.0" encoding="utf-8"?>
<EnumerationResults ServiceEndpoint="https://a.blob.core.windows.net/" ContainerName="store">
<Prefix>pg/</Prefix><MaxResults>2000</MaxResults><Blobs>
<Blob><Name>pg/dir</Name><Properties><ResourceType>directory</ResourceType>
<Last-Modified>Sat, 21 Nov 2026 03:29:22 GMT</Last-Modified><Content-Length>0</Content-Length></Properties></Blob>
<Blob><Name>pg/a &amp; b.lzo</Name><Properties><Creation-Time>Sat, 21 Nov 2026 03:29:20 GMT</Creation-Time>
<Last-Modified>Sat, 21 Nov 2026 03:29:22 GMT</Last-Modified><Etag>0x8DE</Etag>
<Content-Length>5000000000</Content-Length><BlobType>BlockBlob</BlobType></Properties><OrMetadata/></Blob>
<Blob><Name Encoded="true">pg%2Fodd%EF%BF%BE</Name><Properties>
<Last-Modified>Sat, 21 Nov 2026 03:29:22 GMT</Last-Modified><Content-Length>7</Content-Length></Properties></Blob>
</Blobs><NextMarker>2!92!MDAwMDE-</NextMarker></EnumerationResults>)";

TEST(AzureListing, IsReadWithoutDirectories) {
  const auto listing = parse_azure_listing(kListing);
  ASSERT_TRUE(listing) << listing.error().message;
  ASSERT_EQ(listing->blobs.size(), 2U);
  EXPECT_EQ(listing->blobs[0].name, "pg/a & b.lzo");
  EXPECT_EQ(listing->blobs[0].size, 5'000'000'000U);
  EXPECT_EQ(listing->blobs[0].modified, parse_http_date("Sat, 21 Nov 2026 03:29:22 GMT"));
  EXPECT_EQ(listing->blobs[1].name, "pg/odd\xEF\xBF\xBE");
  EXPECT_EQ(listing->next_marker, "2!92!MDAwMDE-");
}

TEST(AzureListing, ThatIsCutNeverPassesForAnEmptyOne) {
  for (std::size_t size = 0; size < kListing.size() - 1; ++size) {
    EXPECT_FALSE(parse_azure_listing(kListing.substr(0, size))) << size;
  }
}

TEST(AzureListing, IsNotTakenFromOtherAnswers) {
  for (const char* text :
       {"{}", "<html><body>ok</body></html>", "<EnumerationResults/>",
        "<EnumerationResults><Blobs><Blob><Name/></Blob></Blobs></EnumerationResults>",
        "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Content-Length>-1"
        "</Content-Length></Properties></Blob></Blobs></EnumerationResults>",
        "<EnumerationResults><Blobs><Blob><Name>a</Name><Properties><Content-Length>1"
        "</Content-Length><Last-Modified>now</Last-Modified></Properties></Blob></Blobs>"
        "</EnumerationResults>"}) {
    const auto listing = parse_azure_listing(text);
    ASSERT_FALSE(listing) << text;
    EXPECT_EQ(listing.error().reason, Reason::storage_unreachable);
  }
}

TEST(AzureListing, ErrorsHaveACodeAndOneLine) {
  const auto error = parse_azure_error(
      "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to "
      "authenticate.\nRequestId:1\nTime:2</Message><AuthenticationErrorDetail>Request date header "
      "too old: 'x'</AuthenticationErrorDetail></Error>");
  EXPECT_EQ(error.code, "AuthenticationFailed");
  EXPECT_EQ(error.message, "Server failed to authenticate.");
  EXPECT_THAT(error.detail, HasSubstr("too old"));
  EXPECT_EQ(parse_azure_error("not XML").code, "");
}

Variables with(Variables more) {
  more.emplace("WABS_ACCOUNT_NAME", "myaccount");
  return more;
}

TEST(AzureSettings, ComeFromWalEsVariables) {
  const auto with_key = AzureSettings::from(with({{"WABS_ACCESS_KEY", "Zm9v"}}));
  ASSERT_TRUE(with_key);
  EXPECT_EQ(with_key->key, "foo");
  EXPECT_EQ(with_key->base, "https://myaccount.blob.core.windows.net");
  const auto with_sas = AzureSettings::from(with({{"WABS_SAS_TOKEN", "sv=1&sig=x"}}));
  ASSERT_TRUE(with_sas);
  EXPECT_EQ(with_sas->sas.size(), 2U);
  const auto managed = AzureSettings::from(with({{"AZURE_CLIENT_ID", "id"}}));
  ASSERT_TRUE(managed);
  EXPECT_TRUE(managed->managed());
  const auto own =
      AzureSettings::from(with({{"WALE_WABS_ENDPOINT", "http://[::1]:10000/myaccount"}}));
  ASSERT_TRUE(own);
  EXPECT_EQ(own->base, "http://[::1]:10000");
  EXPECT_EQ(own->path, "/myaccount");
}

TEST(AzureSettings, AreRefusedByTheNameOfTheVariable) {
  const std::pair<Variables, const char*> rows[] = {
      {{}, "WABS_ACCOUNT_NAME"},
      {{{"WABS_ACCOUNT_NAME", "a.evil.example/"}}, "WABS_ACCOUNT_NAME"},
      {with({{"WABS_ACCESS_KEY", "hunter2 "}}), "WABS_ACCESS_KEY"},
      {with({{"WABS_SAS_TOKEN", "hunter2"}}), "WABS_SAS_TOKEN"},
      {with({{"WALE_WABS_ENDPOINT", "hunter2"}}), "WALE_WABS_ENDPOINT"}};
  for (const auto& [variables, name] : rows) {
    const auto settings = AzureSettings::from(variables);
    ASSERT_FALSE(settings) << name;
    EXPECT_EQ(settings.error().reason, Reason::config_invalid);
    EXPECT_THAT(settings.error().message, HasSubstr(name));
    EXPECT_THAT(settings.error().message, Not(HasSubstr("hunter2")));
  }
}

TEST(AzureSettings, AreSummarisedWithoutASecret) {
  const auto opened = open_azure_storage(
      "wabs://store/pg", with({{"WABS_ACCESS_KEY", "Zm9v"}, {"WABS_SAS_TOKEN", "sig=x"}}), {});
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->summary.kind, "azure");
  EXPECT_EQ(opened->summary.url, "wabs://store/pg/");
  EXPECT_THAT(opened->summary.credentials, HasSubstr("WABS_ACCESS_KEY"));
  EXPECT_THAT(opened->summary.notes, ElementsAre(HasSubstr("WABS_SAS_TOKEN is not used")));
}

}  // namespace
}  // namespace rad::object_store
