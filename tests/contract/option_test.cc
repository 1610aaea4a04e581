// Wrong options, made from what the plugin says of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/contract_config.h"
#include "tests/contract/plugin_under_test.h"

namespace rad::contract {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A value that no option of this type can have.
bj::value wrong_value(const protocol::OptionInfo& option) {
  if (option.type == "object") return "a text";
  return bj::object{{"a", "mapping"}};
}

/// Expects `initialize` to be refused as config_invalid, naming `key`.
void expect_refused(const bj::object& options, const std::string& key) {
  PluginUnderTest plugin;
  const auto answer = plugin.call("initialize", plugin.with_options(options));
  EXPECT_EQ(reason_of(answer), Reason::config_invalid) << key;
  if (answer.error) {
    EXPECT_THAT(answer.error->message, HasSubstr(key));
  }
  result_of(plugin.call("shutdown"));
  EXPECT_TRUE(plugin.wait().has_value());
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
}

TEST(ContractOptions, NamesAnUnknownOne) {
  bj::object options = config().options;
  options["no_such_option"] = 1;
  expect_refused(options, "no_such_option");
}

TEST(ContractOptions, NamesEachOneOfTheWrongType) {
  const auto info = PluginUnderTest().describe();
  for (const protocol::OptionInfo& option : info.options) {
    bj::object options = config().options;
    options[option.key] = wrong_value(option);
    expect_refused(options, option.key);
  }
}

TEST(ContractOptions, NamesEachRequiredOneThatIsMissing) {
  const auto info = PluginUnderTest().describe();
  for (const protocol::OptionInfo& option : info.options) {
    if (!option.required) continue;
    bj::object options = config().options;
    options.erase(option.key);
    expect_refused(options, option.key);
  }
}

TEST(ContractOptions, NamesAnUnknownCheck) {
  PluginUnderTest plugin;
  bj::object params = plugin.run_params();
  params["checks"] =
      bj::array{bj::object{{"name", "odd"}, {"check", "no_such_check"}, {"options", bj::object()}}};
  const auto answer = plugin.call("initialize", params);
  EXPECT_EQ(reason_of(answer), Reason::config_invalid);
  if (answer.error) {
    EXPECT_THAT(answer.error->message, HasSubstr("no_such_check"));
  }
}

TEST(ContractOptions, NamesAnUnknownOptionOfEachCheck) {
  const auto info = PluginUnderTest().describe();
  for (const protocol::CheckInfo& check : info.checks) {
    PluginUnderTest plugin;
    bj::object params = plugin.run_params();
    params["checks"] = bj::array{bj::object{{"name", check.type},
                                            {"check", check.type},
                                            {"options", bj::object{{"no_such_option", 1}}}}};
    const auto answer = plugin.call("initialize", params);
    EXPECT_EQ(reason_of(answer), Reason::config_invalid) << check.type;
    if (answer.error) {
      EXPECT_THAT(answer.error->message, HasSubstr("no_such_option"));
    }
  }
}

}  // namespace
}  // namespace rad::contract
