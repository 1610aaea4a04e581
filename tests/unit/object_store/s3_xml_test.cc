#include "plugins/object_store/s3_xml.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kEntry =
    "<Contents><Key>{}</Key><LastModified>2026-11-20T18:44:51.000Z</LastModified>"
    "<ETag>&quot;x&quot;</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>";

std::string entry(std::string_view key, std::string_view size = "7") {
  return fmt::format(fmt::runtime(kEntry), key, size);
}

std::string page(std::string_view inner) {
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
      "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>{}</ListBucketResult>",
      inner);
}

TEST(S3Page, IsUnderstood) {
  const auto result = parse_s3_page(
      page("<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><KeyCount>2</KeyCount>"
           "<NextContinuationToken>a&amp;b=</NextContinuationToken>" +
           entry("db/wal_005/a%2Bb+c%0A") + entry("x", "5497558138880")));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->truncated);
  EXPECT_EQ(result->next_token, "a&b=");
  ASSERT_EQ(result->objects.size(), 2U);
  EXPECT_EQ(result->objects[0].key, "db/wal_005/a+b c\n");
  EXPECT_EQ(result->objects[0].size, 7U);
  EXPECT_EQ(format_rfc3339(result->objects[0].modified), "2026-11-20T18:44:51.000Z");
  EXPECT_EQ(result->objects[1].size, 5497558138880U);
}

TEST(S3Page, IsTakenAsItIsWithoutEncoding) {
  const auto result =
      parse_s3_page(page("<IsTruncated>false</IsTruncated>" + entry("a+b%20&amp;")));
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->truncated);
  EXPECT_EQ(result->objects[0].key, "a+b%20&");
}

TEST(S3Page, OfAnEmptyBucketIsEmpty) {
  const auto result = parse_s3_page(page("<KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>"));
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->objects.empty());
}

TEST(S3Page, ThatIsNotWholeOrNotSaneIsRefused) {
  const std::string good = page("<IsTruncated>false</IsTruncated>" + entry("a"));
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    const auto result = parse_s3_page(std::string_view(good).substr(0, cut));
    ASSERT_FALSE(result) << cut;
    EXPECT_EQ(result.error().reason, Reason::storage_unreachable);
    EXPECT_TRUE(result.error().retryable);
  }
  const std::string whole = "<IsTruncated>false</IsTruncated>";
  for (const std::string& bad :
       {page(entry("a")), page(whole + entry("a", "-1")), page(whole + entry("a", "")),
        page(whole + entry("a", "99999999999999999999")), page(whole + entry("")),
        page(whole + entry(std::string(5000, 'k'))),
        page(whole + "<KeyCount>2</KeyCount>" + entry("a")),
        page("<IsTruncated>true</IsTruncated>"),
        page("<EncodingType>url</EncodingType>" + whole + entry("%zz")),
        page(whole + "<Contents><Key>a</Key><Size>1</Size></Contents>"),
        std::string("<html><body>Welcome</body></html>"), std::string("{}")}) {
    EXPECT_FALSE(parse_s3_page(bad)) << bad;
  }
}

TEST(S3Page, SurvivesDepthAndEntities) {
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_FALSE(parse_s3_page(deep));
  std::string closed = deep;
  for (int i = 0; i < 200'000; ++i) closed += "</a>";
  EXPECT_FALSE(parse_s3_page(page(closed)));
  EXPECT_FALSE(parse_s3_page("<!DOCTYPE l [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>" +
                             page("<IsTruncated>&b;</IsTruncated>")));
}

TEST(S3Error, IsUnderstood) {
  const S3Error error = parse_s3_error(
      "<?xml version=\"1.0\"?><Error><Code>AuthorizationHeaderMalformed</Code>"
      "<Message>the region 'us-east-1' is wrong; expecting 'eu-west-1'</Message>"
      "<Region>eu-west-1</Region><RequestId>1</RequestId></Error>");
  EXPECT_EQ(error.code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(error.region, "eu-west-1");
  EXPECT_EQ(parse_s3_error("<html/>").code, "");
  EXPECT_EQ(parse_s3_error("").code, "");
}

}  // namespace
}  // namespace rad::object_store
