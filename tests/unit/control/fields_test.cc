#include "agent/control/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rad::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

/// Error and hint, or "" when everything is understood.
std::string said(const Status& status) {
  return status ? "" : status.error().message + " / " + status.error().hint;
}

TEST(Fields, ReadsABody) {
  auto body = Fields::from_body(R"({"a": "x", "n": 7, "d": "4h", "none": null})");
  ASSERT_TRUE(body);
  EXPECT_EQ(body->text("a"), "x");
  EXPECT_EQ(body->number("n", 0, 10, 1), 7U);
  EXPECT_EQ(body->number("m", 0, 10, 1), 1U);
  EXPECT_EQ(body->duration("d", 24h), 4h);
  EXPECT_EQ(body->text("none"), std::nullopt);
  EXPECT_EQ(said(body->check()), "");
}

TEST(Fields, AnEmptyBodyHasNoFields) {
  for (const char* text : {"", " \n", "{}"}) {
    const auto body = Fields::from_body(text);
    ASSERT_TRUE(body) << text;
    EXPECT_TRUE(body->check());
  }
}

TEST(Fields, WhatIsNoObjectIsRefused) {
  for (const char* text : {"[]", "1", "\"x\"", "{", "{}{}", "{\"a\":}", "null", "\xff"}) {
    const auto body = Fields::from_body(text);
    ASSERT_FALSE(body) << text;
    EXPECT_EQ(body.error().reason, Reason::config_invalid);
  }
}

TEST(Fields, WhatNobodyAskedForIsRefusedWithAProposal) {
  auto body = Fields::from_body(R"({"resaon": "x"})");
  ASSERT_TRUE(body);
  body->text("reason");
  EXPECT_EQ(said(body->check()), "field 'resaon' is not known / did you mean 'reason'?");
}

TEST(Fields, TextsAreOneLineAndNotEmpty) {
  for (const char* value :
       {R"("")", R"("  ")", R"("a\nb")", R"("\u0000")", R"("\u202e")", "1", "true", "[]", "{}"}) {
    auto body = Fields::from_body(R"({"a": )" + std::string(value) + "}");
    ASSERT_TRUE(body) << value;
    EXPECT_EQ(body->text("a"), std::nullopt);
    EXPECT_THAT(said(body->check()), HasSubstr("field 'a' is ")) << value;
  }
  auto long_text = Fields::from_body(R"({"a": ")" + std::string(1001, 'x') + "\"}");
  EXPECT_EQ(long_text->text("a"), std::nullopt);
  EXPECT_FALSE(long_text->check());
}

TEST(Fields, TheFirstMistakeIsTold) {
  auto body = Fields::from_body(R"({"depth": "deep"})");
  body->one_of("depth", {"inspect", "verify"});
  body->reason();
  EXPECT_THAT(said(body->check()), HasSubstr("'depth' is 'deep', expected one of inspect, verify"));
}

TEST(Fields, AReasonIsNeededAndShort) {
  auto none = Fields::from_body("");
  EXPECT_EQ(none->reason(), "");
  EXPECT_THAT(said(none->check()), HasSubstr("field 'reason' is missing / say why"));
  auto long_one = Fields::from_body(R"({"reason": ")" + std::string(501, 'x') + "\"}");
  long_one->reason();
  EXPECT_THAT(said(long_one->check()), HasSubstr("has 501 bytes, expected at most 500"));
}

TEST(Fields, DurationsAreInRange) {
  for (const char* value : {"0s", "25h", "4", "-1h", "tomorrow"}) {
    auto body = Fields::from_body(R"({"d": ")" + std::string(value) + "\"}");
    EXPECT_EQ(body->duration("d", 24h), std::nullopt) << value;
    EXPECT_THAT(said(body->check()), HasSubstr("expected a duration of at most 1d")) << value;
  }
}

TEST(Fields, ReadsAQuery) {
  auto query = Fields::from_query("a=x%20y&b=1&c=p%2Bq&d=%C3%BC&e=");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->text("a"), "x y");
  EXPECT_EQ(query->number("b", 1, 1000, 50), 1U);
  EXPECT_EQ(query->text("c"), "p+q");
  EXPECT_EQ(query->text("d"), "ü");
  EXPECT_EQ(query->text("e"), std::nullopt);
  EXPECT_FALSE(query->check());
}

TEST(Fields, NumbersOfAQueryAreInRange) {
  for (const char* value :
       {"0", "1001", "-1", "1.5", "x", "", "99999999999999999999", "1e3", "+1"}) {
    auto query = Fields::from_query("n=" + std::string(value));
    ASSERT_TRUE(query) << value;
    EXPECT_EQ(query->number("n", 1, 1000, 50), 50U) << value;
    EXPECT_THAT(said(query->check()), HasSubstr("expected a number from 1 to 1000")) << value;
  }
}

TEST(Fields, AQueryThatIsNoneOrHasOneNameTwiceIsRefused) {
  EXPECT_FALSE(Fields::from_query("%zz"));
  EXPECT_FALSE(Fields::from_query("a=%"));
  EXPECT_FALSE(Fields::from_query("a=1&a=2"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += "&p" + std::to_string(i) + "=1";
  EXPECT_FALSE(Fields::from_query(many.substr(1)));
}

}  // namespace
}  // namespace rad::test
