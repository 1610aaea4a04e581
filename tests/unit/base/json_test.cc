#include "agent/base/json.h"

#include <gtest/gtest.h>

namespace rad {
namespace {

namespace bj = boost::json;

bj::object object(std::string_view text) {
  return json::parse(text, "test")->as_object();
}

TEST(JsonParse, TakesOneWholeDocument) {
  EXPECT_EQ(json::parse("{\"a\": [1, 2]}\n", "x")->at("a").as_array().size(), 2U);
  EXPECT_EQ(json::parse(" 5 ", "x")->as_int64(), 5);
}

TEST(JsonParse, NamesWhatAndWhereItIsWrong) {
  const auto value = json::parse("{\"a\": }", "the sentinel", Reason::metadata_invalid);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().reason, Reason::metadata_invalid);
  EXPECT_EQ(value.error().message.rfind("the sentinel is not JSON: ", 0), 0U)
      << value.error().message;
}

TEST(JsonParse, RefusesHostileText) {
  for (const std::string& text : {std::string(), std::string("{} {}"), std::string("{"),
                                  std::string("NaN"), std::string("\"\xff\""), std::string("[1,]"),
                                  std::string(100'000, '['), std::string("{\"a\":1}x")}) {
    EXPECT_FALSE(json::parse(text, "x")) << text.substr(0, 20);
  }
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  EXPECT_FALSE(json::parse(deep, "x"));
  EXPECT_TRUE(json::parse(deep.substr(10, 60), "x"));
}

TEST(JsonGet, GivesValuesAndFallbacks) {
  const bj::object o = object(R"({"s":"x","i":-3,"u":18446744073709551615,"d":1.5,"b":true,
                                  "n":null,"o":{"k":1},"a":[1]})");
  EXPECT_EQ(*json::get_string(o, "s"), "x");
  EXPECT_EQ(*json::get_int(o, "i"), -3);
  EXPECT_EQ(*json::get_uint(o, "u"), UINT64_MAX);
  EXPECT_EQ(*json::get_double(o, "d"), 1.5);
  EXPECT_EQ(*json::get_double(o, "i"), -3.0);
  EXPECT_TRUE(*json::get_bool(o, "b"));
  EXPECT_EQ(json::get_object(o, "o")->size(), 1U);
  EXPECT_EQ(json::get_array(o, "a")->size(), 1U);
  EXPECT_EQ(*json::get_string(o, "n", "fallback"), "fallback");
  EXPECT_EQ(*json::get_int(o, "missing", 7), 7);
  EXPECT_TRUE(json::get_object(o, "missing")->empty());
  EXPECT_TRUE(json::get_array(o, "n")->empty());
}

TEST(JsonGet, NamesTheFieldThatIsMissingOrOfAnotherType) {
  const bj::object o = object(R"({"s":"x","i":-3,"u":18446744073709551615,"d":2.0,"a":[]})");
  EXPECT_EQ(json::get_string(o, "nothing").error().message, "field 'nothing' is missing");
  EXPECT_EQ(json::get_string(o, "i").error().message,
            "field 'i' is int64 where a string is expected");
  EXPECT_EQ(json::get_uint(o, "i").error().reason, Reason::plugin_protocol);
  EXPECT_FALSE(json::get_int(o, "u"));
  EXPECT_FALSE(json::get_int(o, "d"));
  EXPECT_FALSE(json::get_bool(o, "s"));
  EXPECT_FALSE(json::get_double(o, "s"));
  EXPECT_FALSE(json::get_object(o, "a"));
  EXPECT_FALSE(json::get_array(o, "s"));
  EXPECT_FALSE(json::get_int(o, "s", 5)) << "a fallback must not hide a wrong type";
}

TEST(JsonSafeString, IsAlwaysUtf8) {
  EXPECT_EQ(json::safe_string("a\xff\n"), "a? ");
  EXPECT_EQ(json::safe_string(std::string(5000, 'a')).size(), 4000U);
}

TEST(JsonPretty, IndentsForPeopleAndStaysTheSameValue) {
  const bj::value value = object(R"({"a":[1,{"b":"q\"\n"}],"e":{},"f":[],"g":null})");
  const std::string text = json::pretty(value);
  EXPECT_EQ(text,
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"q\\\"\\n\"\n    }\n  ],\n"
            "  \"e\": {},\n  \"f\": [],\n  \"g\": null\n}\n");
  EXPECT_EQ(*json::parse(text, "x"), value);
}

}  // namespace
}  // namespace rad
