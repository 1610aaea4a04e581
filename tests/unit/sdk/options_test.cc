#include "plugins/sdk/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/json.h"

namespace rad::sdk {
namespace {

namespace bj = boost::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

protocol::OptionInfo option(std::string key, std::string type) {
  protocol::OptionInfo made;
  made.key = std::move(key);
  made.type = std::move(type);
  return made;
}

std::vector<protocol::OptionInfo> all_types() {
  std::vector<protocol::OptionInfo> known;
  for (const char* type : {"string", "path", "duration", "bytes", "integer", "number", "boolean",
                           "list", "object", "enum"}) {
    known.push_back(option(std::string("a_") + type, type));
  }
  known.back().allowed = {"latest", "immediate"};
  return known;
}

Status check(const char* text, const std::vector<protocol::OptionInfo>& known) {
  return check_options(json::parse(text, "options").value().as_object(), known, "plugin 'p'");
}

TEST(CheckOptions, TakesEveryTypeWhereItBelongs) {
  EXPECT_TRUE(check(R"({"a_string": "x", "a_path": "/x", "a_duration": "1d12h", "a_bytes": "64MiB",
      "a_integer": -3, "a_number": 1.5, "a_boolean": false, "a_list": [1], "a_object": {"x": 1},
      "a_enum": "latest"})",
                    all_types()));
  EXPECT_TRUE(check(R"({"a_bytes": 512, "a_number": 3, "a_string": ""})", all_types()));
  EXPECT_TRUE(check("{}", all_types()));
}

TEST(CheckOptions, TakesNullAsNotGiven) {
  EXPECT_TRUE(check(R"({"a_integer": null})", all_types()));
  auto known = all_types();
  known[4].required = true;
  const auto status = check(R"({"a_integer": null})", known);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("option 'a_integer' of plugin 'p' is missing"));
}

TEST(CheckOptions, RefusesEveryTypeElsewhere) {
  for (const char* text : {R"({"a_string": 5})",
                           R"({"a_string": ["x"]})",
                           R"({"a_path": "relative/path"})",
                           R"({"a_path": ""})",
                           R"({"a_duration": 5})",
                           R"({"a_duration": "5"})",
                           R"({"a_duration": "-5s"})",
                           R"({"a_bytes": -1})",
                           R"({"a_bytes": "much"})",
                           R"({"a_bytes": 1.5})",
                           R"({"a_integer": 1.5})",
                           R"({"a_integer": "3"})",
                           R"({"a_integer": 18446744073709551615})",
                           R"({"a_number": "1"})",
                           R"({"a_boolean": 1})",
                           R"({"a_boolean": "true"})",
                           R"({"a_list": {}})",
                           R"({"a_object": []})",
                           R"({"a_enum": "Latest"})",
                           R"({"a_enum": 1})"}) {
    const auto status = check(text, all_types());
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().reason, Reason::config_invalid);
    EXPECT_THAT(status.error().message, HasSubstr("expected")) << text;
  }
}

TEST(CheckOptions, SaysAllThatIsWrongAtOnce) {
  const auto status = check(R"({"a_lst": [], "a_path": "x", "zzz": 1})", all_types());
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              AllOf(HasSubstr("'a_lst'"), HasSubstr("'a_path'"), HasSubstr("'zzz'")));
  EXPECT_THAT(status.error().hint, HasSubstr("did you mean 'a_list'?"));
}

TEST(CheckOptions, SuggestsAWordThatIsAllowed) {
  const auto status = check(R"({"a_enum": "lates"})", all_types());
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().hint, HasSubstr("did you mean 'latest'?"));
}

TEST(CheckOptions, KeepsToTheRange) {
  auto known = all_types();
  for (auto& one : known) {
    one.min = 60;
    one.max = 120;
  }
  EXPECT_TRUE(
      check(R"({"a_duration": "1m", "a_bytes": 120, "a_integer": 60, "a_number": 119.9})", known));
  for (const char* text : {R"({"a_duration": "59s"})", R"({"a_bytes": "1KiB"})",
                           R"({"a_integer": 121})", R"({"a_number": 59.99})"}) {
    EXPECT_FALSE(check(text, known)) << text;
  }
  EXPECT_THAT(check(R"({"a_duration": "1h"})", known).error().message,
              HasSubstr("expected 1m to 2m"));
}

TEST(CheckOptions, DoesNotRepeatASecretThatWasGivenForItsPath) {
  auto known = all_types();
  known[1].secret = true;
  const auto status = check(R"({"a_path": "hunter2"})", known);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("'a_path'"), Not(HasSubstr("hunter2"))));
}

TEST(CheckOptions, CutsWhatItShows) {
  const std::string text = R"({"a_integer": ")" + std::string(100'000, 'x') + "\"}";
  EXPECT_LT(check(text.c_str(), all_types()).error().message.size(), 300U);
}

TEST(CheckAllOptions, ChecksThePluginAndEachCheck) {
  protocol::PluginInfo info;
  info.name = "p";
  info.options = all_types();
  protocol::CheckInfo backup_age;
  backup_age.type = "backup_age";
  backup_age.options = {option("max", "duration")};
  backup_age.options.front().required = true;
  info.checks = {backup_age};
  protocol::InitializeParams params;
  params.checks = {{"age", "backup_age", bj::object{{"max", "26h"}}}};
  EXPECT_TRUE(check_all_options(params, info));
  params.options = {{"odd", 1}};
  params.checks = {{"age", "backup_age", bj::object{{"min", "26h"}}}, {"x", "backup_ages", {}}};
  const auto status = check_all_options(params, info);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, AllOf(HasSubstr("plugin 'p' has no option 'odd'"),
                                            HasSubstr("check 'age' has no option 'min'"),
                                            HasSubstr("option 'max' of check 'age' is missing"),
                                            HasSubstr("plugin 'p' has no check 'backup_ages'")));
  EXPECT_THAT(status.error().hint, HasSubstr("did you mean 'backup_age'?"));
}

}  // namespace
}  // namespace rad::sdk
