// Lines, versions and methods: PROTOCOL.md, "Lines" and "initialize".
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/contract_config.h"
#include "tests/contract/plugin_under_test.h"

namespace rad::contract {
namespace {

using ::testing::AnyOf;
using ::testing::IsEmpty;

/// A describing `initialize` whose line has exactly `bytes`, newline included.
std::string padded_line(std::size_t bytes) {
  const auto line = [](std::size_t padding) {
    boost::json::object params = protocol::to_json(protocol::InitializeParams{});
    params["padding"] = std::string(padding, 'x');
    return encode(protocol::Request{1, "initialize", params});
  };
  return line(bytes - line(0).size());
}

void expect_alive(PluginUnderTest& plugin) {
  EXPECT_FALSE(plugin.describe().name.empty());
}

TEST(ContractDescription, SaysWhatItIsWithoutARun) {
  PluginUnderTest plugin;
  const auto info = plugin.describe();
  EXPECT_EQ(info.protocol_version, protocol::kVersion);
  EXPECT_FALSE(info.version.empty());
  EXPECT_FALSE(info.roles.empty());
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  EXPECT_EQ(result_of(plugin.call("shutdown")), boost::json::object());
  const auto status = plugin.wait();
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->text(), "exit code 0");
}

TEST(ContractVersions, RefusesOnlyNewerOnes) {
  PluginUnderTest plugin;
  protocol::InitializeParams params;
  params.versions = {1000, 1001};
  EXPECT_EQ(reason_of(plugin.call("initialize", to_json(params))), Reason::version_unsupported);
  expect_alive(plugin);
}

TEST(ContractVersions, PicksItsOwnOfSeveral) {
  PluginUnderTest plugin;
  protocol::InitializeParams params;
  params.versions = {1000, protocol::kVersion};
  const auto result = result_of(plugin.call("initialize", to_json(params)));
  EXPECT_EQ(result.at("protocol_version"), protocol::kVersion);
}

TEST(ContractMessages, AnswersAnUnknownMethodWithMethodNotFound) {
  PluginUnderTest plugin;
  EXPECT_EQ(plugin.call("make_coffee").error_code, protocol::kMethodNotFound);
  expect_alive(plugin);
}

TEST(ContractMessages, IgnoresAnUnknownNotification) {
  PluginUnderTest plugin;
  plugin.notify("weather", {{"rain", true}});
  plugin.notify("cancel", {{"id", 4711}});
  expect_alive(plugin);
}

TEST(ContractMessages, IgnoresUnknownFields) {
  PluginUnderTest plugin;
  boost::json::object params = plugin.run_params();
  params["a_field_of_version_9"] = boost::json::object{{"x", 1}};
  boost::json::object message{{"jsonrpc", "2.0"},
                              {"id", 1},
                              {"method", "initialize"},
                              {"params", params},
                              {"trace", "abc"}};
  ASSERT_TRUE(plugin.send_bytes(boost::json::serialize(message) + "\n"));
  const auto answer = plugin.response();
  ASSERT_TRUE(answer.has_value());
  result_of(*answer);
}

TEST(ContractMessages, RefusesARunBeforeInitialize) {
  PluginUnderTest plugin;
  EXPECT_TRUE(plugin.call("preflight").error.has_value());
  expect_alive(plugin);
}

TEST(ContractMessages, RefusesASecondRun) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  EXPECT_TRUE(plugin.call("initialize", plugin.run_params()).error.has_value());
  result_of(plugin.call("cleanup"));
}

TEST(ContractMessages, AnswersRequestsInTheOrderTheyCame) {
  PluginUnderTest plugin;
  const auto params = protocol::to_json(protocol::InitializeParams{});
  const auto first = plugin.send("initialize", params);
  const auto second = plugin.send("initialize", params);
  const auto one = plugin.response();
  const auto two = plugin.response();
  ASSERT_TRUE(one && two);
  EXPECT_EQ(one->id, first);
  EXPECT_EQ(two->id, second);
}

TEST(ContractLines, AnswersGarbageWithAnErrorAndLivesOn) {
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  const std::vector<std::string> lines{
      "this is not JSON",
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"meth",
      "[]",
      "17",
      "null",
      "{}",
      R"({"jsonrpc":"1.0","id":1,"method":"initialize"})",
      R"({"jsonrpc":"2.0","id":1,"method":5})",
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":[1]})",
      "\xff\xfe\x01",
      deep};
  PluginUnderTest plugin;
  for (const std::string& line : lines) {
    ASSERT_TRUE(plugin.send_bytes(line + "\n"));
    const auto answer = plugin.response();
    ASSERT_TRUE(answer.has_value()) << "no answer to " << line.substr(0, 80);
    EXPECT_THAT(answer->error_code,
                AnyOf(protocol::kParseError, protocol::kInvalidRequest, protocol::kInvalidParams))
        << line.substr(0, 80);
  }
  expect_alive(plugin);
}

TEST(ContractLines, TakesALineOfOneMebibyte) {
  PluginUnderTest plugin;
  const std::string line = padded_line(protocol::kMaxLineBytes);
  ASSERT_EQ(line.size(), protocol::kMaxLineBytes);
  ASSERT_TRUE(plugin.send_bytes(line));
  const auto answer = plugin.response();
  ASSERT_TRUE(answer.has_value());
  result_of(*answer);
}

TEST(ContractLines, RefusesALongerLineAndEnds) {
  PluginUnderTest plugin;
  // It may stop reading as soon as the line is too long.
  plugin.send_bytes(padded_line(protocol::kMaxLineBytes + 1));
  const auto answer = plugin.response(kStopLimit);
  if (answer) {
    EXPECT_EQ(answer->error_code, protocol::kParseError);
  }
  const auto status = plugin.wait();
  ASSERT_TRUE(status.has_value());
  EXPECT_FALSE(status->ok());
}

TEST(ContractLines, RefusesAnEndlessLine) {
  PluginUnderTest plugin;
  const std::string block(1U << 16U, 'x');
  for (int i = 0; i < 64 && plugin.send_bytes(block, 2s); ++i) {
  }
  ASSERT_TRUE(plugin.wait().has_value());
}

}  // namespace
}  // namespace rad::contract
