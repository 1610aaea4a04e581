#include "plugins/object_store/http_message.h"

#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

TEST(PercentEncoding, IsThatOfRfc3986) {
  EXPECT_EQ(percent_encode("aZ09-_.~"), "aZ09-_.~");
  EXPECT_EQ(percent_encode("a b+c/d=%\xC3\xA9"), "a%20b%2Bc%2Fd%3D%25%C3%A9");
  EXPECT_EQ(percent_encode("/a b/", true), "/a%20b/");
  EXPECT_EQ(percent_encode(std::string_view("\0", 1)), "%00");
}

TEST(PercentEncoding, IsTakenBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_decode("a+b%2b"), "a+b+");
  EXPECT_EQ(percent_decode("a+b%2b", true), "a b+");
  for (const char* bad : {"%", "%4", "%4g", "a%"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

TEST(HttpRequest, HasOneUrlAndOneHost) {
  HttpRequest request;
  request.base = "https://s3.example:443";
  request.path = "/b/k%20x";
  request.query = {{"prefix", "a/b c"}, {"acl", ""}};
  EXPECT_EQ(request.url(), "https://s3.example:443/b/k%20x?prefix=a%2Fb%20c&acl=");
  EXPECT_EQ(request.host(), "s3.example");
  request.base = "http://s3.example:443";
  EXPECT_EQ(request.host(), "s3.example:443");
}

TEST(ContentRange, IsUnderstoodOrRefused) {
  const auto range = parse_content_range("bytes 5-9/1234");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->first, 5U);
  EXPECT_EQ(range->last, 9U);
  EXPECT_EQ(range->total, 1234U);
  EXPECT_FALSE(parse_content_range("bytes 5-9/*")->total);
  for (const char* bad : {"", "bytes 9-5/10", "bytes 0-9/9", "bytes */10", "0-9/10", "bytes 0-9/",
                          "bytes 0-99999999999999999999/5", "bytes 0-1/2x"}) {
    EXPECT_FALSE(parse_content_range(bad)) << bad;
  }
}

TEST(HttpDate, GoesBothWays) {
  const auto time = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_rfc3339(*time), "1994-11-06T08:49:37.000Z");
  EXPECT_EQ(format_http_date(*time), "Sun, 06 Nov 1994 08:49:37 GMT");
  for (const char* bad :
       {"", "Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Xyz 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

TEST(RetryAfter, IsSecondsOrADate) {
  const TimePoint now = *parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_retry_after("120", now), std::chrono::seconds(120));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:40 GMT", now), std::chrono::seconds(3));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), std::chrono::seconds(0));
  EXPECT_FALSE(parse_retry_after("-5", now));
  EXPECT_FALSE(parse_retry_after("soon", now));
}

}  // namespace
}  // namespace rad::object_store
