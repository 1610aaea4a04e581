#include <functional>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/protocol/codec.h"
#include "tests/unit/protocol/examples.h"

namespace rad::protocol {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;

/// Each message type with an example; `T::read` turns an object into it and back.
template <class T, T (*Example)()>
struct Case {
  static bj::object example() { return to_json(Example()); }
  static Result<bj::object> again(const bj::object& object) {
    auto value = from_json<T>(object);
    if (!value) return std::move(value).error();
    return to_json(*value);
  }
};

template <class T>
class Messages : public ::testing::Test {};

using AllMessages = ::testing::Types<
    Case<PluginInfo, examples::plugin_info>, Case<InitializeParams, examples::initialize_params>,
    Case<PreflightResult, examples::preflight_result>, Case<ReadResult, examples::read_result>,
    Case<RestoreResult, examples::restore_result>, Case<StartResult, examples::start_result>,
    Case<BackupsResult, examples::backups_result>, Case<CheckParams, examples::check_params>,
    Case<CheckResult, examples::check_result>, Case<DiagnoseParams, examples::diagnose_params>,
    Case<DiagnoseResult, examples::diagnose_result>, Case<CleanupResult, examples::cleanup_result>,
    Case<GcParams, examples::gc_params>, Case<GcResult, examples::gc_result>,
    Case<Progress, examples::progress>, Case<LogLine, examples::log_line>>;
TYPED_TEST_SUITE(Messages, AllMessages);

TYPED_TEST(Messages, SurviveWritingAndReading) {
  const bj::object written = TypeParam::example();
  const auto again = TypeParam::again(written);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(bj::serialize(*again), bj::serialize(written));
}

TYPED_TEST(Messages, IgnoreUnknownFields) {
  bj::object object = TypeParam::example();
  object["of_version_9"] = bj::array{1, 2, 3};
  EXPECT_TRUE(TypeParam::again(object));
}

const bj::array& hostile_values() {
  static const bj::array values = [] {
    bj::array made{nullptr, true, -1, 1e300, -9e18, 18446744073709551615U, "", "text"};
    made.emplace_back(bj::string(20'000, 'x'));
    made.emplace_back(bj::array{});
    made.emplace_back(bj::array{nullptr});
    made.emplace_back(bj::array{1, 2});
    made.emplace_back(bj::array{bj::object{}});
    made.emplace_back(bj::array(10'001, bj::value("x")));
    made.emplace_back(bj::object{});
    made.emplace_back(bj::object{{"key", 5}});
    return made;
  }();
  return values;
}

/// Puts hostile values in the place of each member, at every level.
void replace_each(const bj::value& whole, const std::function<void(const bj::value&)>& use) {
  if (const auto* object = whole.if_object()) {
    for (const auto& [key, member] : *object) {
      bj::object without = *object;
      without.erase(key);
      use(without);
      const auto put = [&, name = std::string(key)](const bj::value& value) {
        bj::object changed = *object;
        changed[name] = value;
        use(changed);
      };
      for (const bj::value& value : hostile_values()) put(value);
      replace_each(member, put);
    }
  } else if (const auto* array = whole.if_array(); array != nullptr && !array->empty()) {
    replace_each(array->front(), [&](const bj::value& value) { use(bj::array{value}); });
  }
}

TYPED_TEST(Messages, AnswerHostileFieldsWithPluginProtocolOrTakeThem) {
  int refused = 0;
  replace_each(TypeParam::example(), [&](const bj::value& changed) {
    const auto again = TypeParam::again(changed.as_object());
    if (again) return;
    ++refused;
    EXPECT_EQ(again.error().reason, Reason::plugin_protocol);
    EXPECT_FALSE(again.error().message.empty());
    EXPECT_LT(again.error().message.size(), 5000U);
  });
  EXPECT_GT(refused, 0);
}

TEST(PluginInfoMessage, NamesWhatIsWrong) {
  bj::object object = to_json(examples::plugin_info());
  object["name"] = "../evil";
  auto info = from_json<PluginInfo>(object);
  ASSERT_FALSE(info);
  EXPECT_THAT(info.error().message, HasSubstr("'name'"));

  object = to_json(examples::plugin_info());
  object["roles"] = bj::array{};
  EXPECT_FALSE(from_json<PluginInfo>(object));

  PluginInfo twice = examples::plugin_info();
  twice.checks.push_back(twice.checks.front());
  info = from_json<PluginInfo>(to_json(twice));
  ASSERT_FALSE(info);
  EXPECT_THAT(info.error().message, HasSubstr("'backup_age' is there twice"));
}

TEST(CheckResultMessage, TakesOneThousandOutcomesAndNoMore) {
  CheckResult result;
  result.outcomes.assign(kMaxOutcomes, examples::check_result().outcomes.front());
  EXPECT_TRUE(from_json<CheckResult>(to_json(result)));
  result.outcomes.push_back(result.outcomes.front());
  const auto refused = from_json<CheckResult>(to_json(result));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("outcomes_file"));
}

TEST(CheckResultMessage, RefusesAFailThatDoesNotBlameTheBackup) {
  CheckResult result = examples::check_result();
  result.outcomes.front().reason = Reason::storage_unreachable;
  EXPECT_FALSE(from_json<CheckResult>(to_json(result)));
}

TEST(CheckParamsMessage, HasNoEndpointWhereThereIsNone) {
  CheckParams params = examples::check_params();
  params.endpoint.reset();
  const auto object = to_json(params);
  EXPECT_TRUE(object.at("endpoint").is_null());
  const auto again = from_json<CheckParams>(object);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->endpoint.has_value());
}

TEST(InitializeMessage, OfNothingIsADescription) {
  const auto params = from_json<InitializeParams>(bj::object{{"versions", bj::array{1}}});
  ASSERT_TRUE(params);
  EXPECT_TRUE(params->run_id.empty());
}

TEST(LogMessage, OfAnUnknownLevelIsInfo) {
  const auto line = from_json<LogLine>(bj::object{{"level", "loud"}, {"message", "x"}});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->level, "info");
}

}  // namespace
}  // namespace rad::protocol
