#include "agent/model/option_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/json.h"

namespace rad {
namespace {

namespace bj = boost::json;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

PluginOption option(std::string key, std::string type) {
  PluginOption made;
  made.key = std::move(key);
  made.type = std::move(type);
  return made;
}

/// "kind key: found | expected | hint" of each fault.
std::vector<std::string> faults(const char* text, const std::vector<PluginOption>& known) {
  std::vector<std::string> lines;
  for (const auto& fault :
       find_option_faults(json::parse(text, "options").value().as_object(), known, "plugin 'p'")) {
    const char* kind = fault.kind == OptionFault::Kind::unknown   ? "unknown "
                       : fault.kind == OptionFault::Kind::missing ? "missing "
                                                                  : "wrong ";
    lines.push_back(kind + fault.key + ": " + fault.found + " | " + fault.expected + " | " +
                    fault.hint);
  }
  return lines;
}

TEST(OptionFaults, NameWhatWasFoundAndExpected) {
  auto mode = option("mode", "enum");
  mode.allowed = {"fast", "thorough"};
  auto home = option("home", "path");
  home.secret = true;
  const std::vector<PluginOption> known{mode,
                                        home,
                                        option("limit", "bytes"),
                                        option("after", "duration"),
                                        option("name", "string"),
                                        option("map", "object"),
                                        option("count", "integer")};
  EXPECT_THAT(faults(R"({"mode": "fst", "home": "hunter2", "limit": 1.5, "after": 30, "name": 5,
                         "map": [1], "count": 18446744073709551615, "cont": null})",
                     known),
              ElementsAre("wrong mode: 'fst' | one of fast, thorough | did you mean 'fast'?",
                          "wrong home: something else | an absolute path | ",
                          "wrong limit: 1.5E0 | a size such as 512, 64KiB or 2GB | ",
                          "wrong after: 30 | a duration such as 90s, 15m or 26h | add the unit: s, "
                          "m, h, d or w",
                          "wrong name: 5 | text | put the value in quotes",
                          "wrong map: a list | a mapping | ",
                          "wrong count: 18446744073709551615 | a whole number | ",
                          "unknown cont:  |  | did you mean 'count'?"));
}

TEST(OptionFaults, KnowWhatIsMissing) {
  auto envdir = option("envdir", "path");
  envdir.required = true;
  envdir.summary = "where WAL-E keeps its settings";
  const std::string missing =
      "missing envdir:  | an absolute path | it is where WAL-E keeps its settings";
  EXPECT_THAT(faults("{}", {envdir}), ElementsAre(missing));
  EXPECT_THAT(faults(R"({"envdir": null})", {envdir}), ElementsAre(missing));
  EXPECT_THAT(faults(R"({"envdir": "/e"})", {envdir}), IsEmpty());
}

TEST(OptionFaults, AreSaidOfAPluginWithoutOptions) {
  EXPECT_THAT(faults(R"({"x": 1})", {}),
              ElementsAre("unknown x:  |  | plugin 'p' takes no options"));
}

TEST(OptionFaults, KeepToRangesOfEachQuantity) {
  const auto fault = [](std::string type, std::optional<double> min, std::optional<double> max,
                        const char* value) {
    auto one = option("x", std::move(type));
    one.min = min;
    one.max = max;
    const auto lines = faults(value, {one});
    return lines.empty() ? std::string() : lines.front();
  };
  EXPECT_EQ(fault("duration", 60, 120, R"({"x": "1h"})"), "wrong x: '1h' | 1m to 2m | ");
  EXPECT_EQ(fault("bytes", 1024, {}, R"({"x": 1023})"), "wrong x: 1023 | at least 1.0 KiB | ");
  EXPECT_EQ(fault("integer", {}, 64, R"({"x": 65})"), "wrong x: 65 | at most 64 | ");
  EXPECT_EQ(fault("number", 0.5, 1, R"({"x": 0.25})"), "wrong x: 2.5E-1 | 0.5 to 1 | ");
  EXPECT_EQ(fault("bytes", 1024, {}, R"({"x": "1KiB"})"), "");
  EXPECT_EQ(fault("string", 1, 2, R"({"x": "three"})"), "");
}

TEST(OptionFaults, BoundsOfAnySizeHaveAText) {
  for (const char* type : {"duration", "bytes"}) {
    auto one = option("x", type);
    one.min = 1e300;
    EXPECT_EQ(faults(R"({"x": "1s"})", {one}).size(), 1U) << type;
    one.min = std::nullopt;
    one.max = -1e300;
    EXPECT_EQ(faults(R"({"x": "1s"})", {one}).size(), 1U) << type;
  }
}

TEST(OptionTypes, AreAClosedList) {
  for (const char* type : {"string", "path", "duration", "bytes", "integer", "number", "boolean",
                           "list", "object", "enum"}) {
    EXPECT_TRUE(is_option_type(type)) << type;
  }
  EXPECT_FALSE(is_option_type("text"));
  EXPECT_FALSE(is_option_type(""));
}

TEST(ReadOptions, GivesNothingForWhatIsNotThere) {
  const bj::object options{{"d", "90s"}, {"b", "2KiB"}, {"i", 7},
                           {"n", 7},     {"t", true},   {"s", "x"}};
  EXPECT_EQ(duration_option(options, "d"), 90s);
  EXPECT_EQ(bytes_option(options, "b"), 2048U);
  EXPECT_EQ(bytes_option(options, "i"), 7U);
  EXPECT_EQ(integer_option(options, "i"), 7);
  EXPECT_EQ(number_option(options, "n"), 7.0);
  EXPECT_EQ(boolean_option(options, "t"), true);
  EXPECT_EQ(text_option(options, "s"), "x");
  EXPECT_FALSE(duration_option(options, "none"));
  EXPECT_FALSE(bytes_option(options, "t"));
  EXPECT_FALSE(text_option(options, "i"));
}

}  // namespace
}  // namespace rad
