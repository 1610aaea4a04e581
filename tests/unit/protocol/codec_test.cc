#include "plugins/protocol/codec.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/protocol/examples.h"

namespace rad::protocol {
namespace {

using ::testing::HasSubstr;

TEST(Decode, TellsRequestNotificationAndResponseApart) {
  const auto request = decode(R"({"jsonrpc":"2.0","id":3,"method":"check","params":{"a":1}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(std::get<Request>(*request).id, 3);
  EXPECT_EQ(std::get<Request>(*request).method, "check");
  EXPECT_EQ(std::get<Request>(*request).params.at("a"), 1);
  const auto notification = decode(R"({"jsonrpc":"2.0","method":"cancel"})");
  ASSERT_TRUE(notification);
  EXPECT_TRUE(std::get<Notification>(*notification).params.empty());
  const auto response = decode(R"({"jsonrpc":"2.0","id":3,"result":{}})");
  ASSERT_TRUE(response);
  EXPECT_TRUE(std::get<Response>(*response).result.has_value());
}

TEST(Decode, TakesNullForWhatIsNotThere) {
  EXPECT_TRUE(decode(R"({"jsonrpc":"2.0","id":3,"method":"a","params":null})"));
  EXPECT_TRUE(decode(R"({"jsonrpc":"2.0","id":3,"result":{},"error":null})"));
  EXPECT_TRUE(decode(R"({"jsonrpc":"2.0","id":3,"error":{"code":1,"message":"x"},"result":null})"));
}

struct BadCase {
  const char* line;
  int code;
  std::int64_t id;
};

TEST(Decode, RefusesWhatIsNoMessageAndSaysHowToAnswer) {
  const BadCase cases[] = {
      {"", kParseError, 0},
      {"{", kParseError, 0},
      {"{}{}", kParseError, 0},
      {"\"\xff\"", kParseError, 0},
      {R"({"jsonrpc":"2.0","id":4,"method":"a"} x)", kParseError, 0},
      {"[]", kInvalidRequest, 0},
      {"{}", kInvalidRequest, 0},
      {R"({"id":4,"method":"a"})", kInvalidRequest, 4},
      {R"({"jsonrpc":2.0,"id":4,"method":"a"})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":4,"method":""})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":4,"method":null})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":4,"method":"a","params":[]})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":-4,"method":"a"})", kInvalidRequest, 0},
      {R"({"jsonrpc":"2.0","id":0,"method":"a"})", kInvalidRequest, 0},
      {R"({"jsonrpc":"2.0","id":"4","method":"a"})", kInvalidRequest, 0},
      {R"({"jsonrpc":"2.0","id":null,"method":"a"})", kInvalidRequest, 0},
      {R"({"jsonrpc":"2.0","id":1e3,"method":"a"})", kInvalidRequest, 0},
      {R"({"jsonrpc":"2.0","id":4})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":4,"result":{},"error":{"code":1,"message":"x"}})", kInvalidRequest,
       4},
      {R"({"jsonrpc":"2.0","id":4,"result":[]})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":null,"result":{}})", kInvalidRequest, 0},
      {R"({"jsonrpc":"2.0","id":4,"error":"x"})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":4,"error":{"message":"x"}})", kInvalidRequest, 4},
      {R"({"jsonrpc":"2.0","id":4,"error":{"code":1,"message":"x","data":{"reason":"odd"}}})",
       kInvalidRequest, 4},
  };
  for (const BadCase& bad : cases) {
    BadLine answer;
    const auto message = decode(bad.line, &answer);
    ASSERT_FALSE(message) << bad.line;
    EXPECT_EQ(message.error().reason, Reason::plugin_protocol) << bad.line;
    EXPECT_FALSE(message.error().message.empty());
    EXPECT_EQ(answer.code, bad.code) << bad.line;
    EXPECT_EQ(answer.id, bad.id) << bad.line;
  }
}

TEST(Decode, RefusesNestingWithoutEnd) {
  EXPECT_FALSE(decode(std::string(500'000, '[')));
  EXPECT_FALSE(decode(R"({"jsonrpc":"2.0","id":1,"method":"a","params":{"x":)" +
                      std::string(1000, '[') + std::string(1000, ']') + "}}"));
}

TEST(Decode, RefusesANumberThatCannotBeWrittenAgain) {
  for (const char* number : {"1e999", "-1e999", "[{\"y\":8.640E504}]"}) {
    BadLine answer;
    EXPECT_FALSE(decode(
        fmt::format(R"({{"jsonrpc":"2.0","method":"a","params":{{"x":{}}}}})", number), &answer))
        << number;
    EXPECT_EQ(answer.code, kParseError);
  }
}

TEST(Decode, RefusesALineThatIsTooLong) {
  std::string line = R"({"jsonrpc":"2.0","method":"a","params":{"x":")";
  line += std::string(kMaxLineBytes, 'x') + "\"}}";
  EXPECT_FALSE(decode(line));
}

TEST(Decode, TakesAnErrorWithoutDataAsABreachOfTheProtocol) {
  const auto message =
      decode(R"({"jsonrpc":"2.0","id":4,"error":{"code":-32601,"message":"no such method"}})");
  ASSERT_TRUE(message);
  const auto& response = std::get<Response>(*message);
  EXPECT_EQ(response.error_code, kMethodNotFound);
  EXPECT_EQ(response.error->reason, Reason::plugin_protocol);
  EXPECT_THAT(response.error->message, HasSubstr("no such method"));
}

TEST(Decode, MakesTextsOfThePluginPrintable) {
  const auto message =
      decode(R"({"jsonrpc":"2.0","id":4,"error":{"code":1,"message":"a\u001b[31mred\n<4>faked"}})");
  ASSERT_TRUE(message);
  const std::string& text = std::get<Response>(*message).error->message;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(Encode, GivesOneLineWhateverIsInIt) {
  const std::string line = encode(Notification{"log", {{"message", "two\nlines"}}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(Encode, MakesTextOfAnyBytesValid) {
  boost::json::object properties{{"links_left_out", boost::json::array{"caf\xe9 -> \xff\xfe"}},
                                 {"bad \x80 key", "good \xc3\xa9"}};
  const std::string line = encode(Request{1, "start", {{"artifact", properties}}});
  const auto message = decode(std::string_view(line).substr(0, line.size() - 1));
  ASSERT_TRUE(message) << message.error().message;
  const auto& artifact = std::get<Request>(*message).params.at("artifact").as_object();
  EXPECT_EQ(artifact.at("links_left_out").as_array().at(0), "caf? -> ??");
  EXPECT_EQ(artifact.at("bad ? key"), "good \xc3\xa9");
}

TEST(Encode, GivesAnErrorItsDefaultCode) {
  Response response;
  response.id = 2;
  response.error = examples::error();
  EXPECT_THAT(encode(response), HasSubstr("\"code\":-32000"));
}

TEST(Outcomes, SurviveTheirFile) {
  std::vector<CheckOutcome> outcomes(1500, examples::check_result().outcomes.front());
  outcomes.back().name = "last";
  const auto again = decode_outcomes(encode_outcomes(outcomes));
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 1500U);
  EXPECT_EQ(again->back().name, "last");
}

TEST(Outcomes, AreRefusedFromAHostileFile) {
  for (const char* text : {"", "{}", "[1]", "[{}]", "[null]", "[[", "[{\"check\":\"a\"}]"}) {
    const auto outcomes = decode_outcomes(text);
    ASSERT_FALSE(outcomes) << text;
    EXPECT_EQ(outcomes.error().reason, Reason::plugin_protocol);
  }
  std::string many = "[";
  for (std::size_t i = 0; i <= kMaxFileOutcomes; ++i) many += i == 0 ? "{}" : ",{}";
  const auto outcomes = decode_outcomes(many + "]");
  ASSERT_FALSE(outcomes);
  EXPECT_THAT(outcomes.error().message, HasSubstr("100001"));
}

}  // namespace
}  // namespace rad::protocol
