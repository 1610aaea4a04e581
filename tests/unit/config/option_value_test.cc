#include "agent/config/option_value.h"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "agent/config/plugin_options.h"

namespace rad {
namespace {

std::string complaint(std::string_view key, std::string_view text) {
  const auto* row = find_option(key);
  EXPECT_NE(row, nullptr) << key;
  const auto status = check_value(*row, text);
  return status ? "" : status.error().message;
}

TEST(OptionTable, ParentsComeBeforeChildrenAndEveryRowIsExplained) {
  std::vector<std::string_view> seen;
  for (const auto& row : option_table()) {
    EXPECT_FALSE(row.summary.empty()) << row.path;
    EXPECT_FALSE(row.summary.ends_with('.')) << row.path;
    const auto dot = row.path.rfind('.');
    if (dot != std::string_view::npos) {
      auto parent = row.path.substr(0, dot);
      if (parent.ends_with("[]")) parent.remove_suffix(2);
      EXPECT_NE(std::find(seen.begin(), seen.end(), parent), seen.end()) << row.path;
    }
    EXPECT_EQ(std::find(seen.begin(), seen.end(), row.path), seen.end()) << row.path;
    seen.push_back(row.path);
  }
}

TEST(OptionTable, DefaultsAndExamplesAreValid) {
  for (const auto& row : option_table()) {
    if (!row.default_text.empty() && !row.default_text.starts_with('<')) {
      EXPECT_EQ(complaint(row.path, row.default_text), "") << row.path;
    }
    if (row.default_text.starts_with('<')) {
      const auto named = row.default_text.substr(1, row.default_text.find('>') - 1);
      EXPECT_NE(find_option(named), nullptr) << row.path;
    }
    auto example = row.example;
    if (row.type == OptionType::name_list) example = example.substr(1, example.size() - 2);
    if (!example.empty() && !example.starts_with('"')) {
      EXPECT_EQ(complaint(row.path, example), "") << row.path;
    }
  }
}

TEST(OptionValue, TypesAndRanges) {
  EXPECT_EQ(complaint("agent.max_concurrent_runs", "2"), "");
  EXPECT_EQ(complaint("agent.max_concurrent_runs", "0"),
            "found '0', expected a whole number, 1 to 64");
  EXPECT_EQ(complaint("agent.max_concurrent_runs", "2x"),
            "found '2x', expected a whole number, 1 to 64");
  EXPECT_EQ(complaint("agent.max_concurrent_runs", ""),
            "found '', expected a value of type integer");
  EXPECT_EQ(complaint("agent.state_dir", "x/y"), "found 'x/y', expected an absolute path");
  EXPECT_EQ(complaint("agent.state_dir", "/x/../y"),
            "found '/x/../y', expected a path without '..'");
  EXPECT_EQ(complaint("agent.stall_timeout", "90s"), "");
  EXPECT_NE(complaint("agent.stall_timeout", "90"), "");
  EXPECT_NE(complaint("agent.stall_timeout", "2d"), "");
  EXPECT_EQ(complaint("agent.scratch_reserve", "1.5GiB"), "");
  EXPECT_NE(complaint("agent.scratch_reserve", "99999999PB"), "");
  EXPECT_EQ(complaint("targets[].timeouts.fetch", "auto"), "");
  EXPECT_NE(complaint("targets[].keep.on_fail", "auto"), "");
  EXPECT_EQ(complaint("reporters[].open_on_inconclusive", "yes"),
            "found 'yes', expected true or false");
  EXPECT_EQ(complaint("targets[].schedules[].depth", "full"),
            "found 'full', expected inspect, verify or restore");
}

TEST(OptionValue, Names) {
  for (const auto* good : {"a", "customers-db", "0_1", "a-"}) {
    EXPECT_EQ(complaint("targets[].name", good), "") << good;
  }
  for (const auto* bad : {"A", "a b", "-a", "_a", "ä", "a/b", "a\n"}) {
    EXPECT_NE(complaint("targets[].name", bad), "") << bad;
  }
  EXPECT_EQ(complaint("targets[].name", std::string(63, 'a')), "");
  EXPECT_NE(complaint("targets[].name", std::string(64, 'a')), "");
}

TEST(OptionValue, ListenAddresses) {
  for (const auto* good : {"127.0.0.1:9735", "0.0.0.0:1", "[::1]:9735", "localhost:0", "off"}) {
    EXPECT_EQ(complaint("agent.metrics.listen", good), "") << good;
  }
  for (const auto* bad : {"9735", ":9735", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:9735",
                          "[::1", "example.org:1", "127.0.0.1:9735x", "1.2.3:4"}) {
    EXPECT_NE(complaint("agent.metrics.listen", bad), "") << bad;
  }
  const auto address = parse_listen_address("[::1]:9735");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->host, "::1");
  EXPECT_EQ(address->port, 9735);
}

TEST(OptionValue, TimeZonesAndTheirNeighbours) {
  EXPECT_EQ(complaint("agent.time_zone", "Europe/Berlin"), "");
  const auto status = check_value(*find_option("agent.time_zone"), "Europe/Berln");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().hint, "did you mean 'Europe/Berlin'?");
  EXPECT_NE(complaint("agent.time_zone", "../../etc/passwd"), "");
}

TEST(OptionValue, Environment) {
  const Environment environment{{"A", "one"}, {"EMPTY", ""}};
  EXPECT_EQ(*expand_environment("plain", environment), "plain");
  EXPECT_EQ(*expand_environment("${A}/${A}${EMPTY}x", environment), "one/onex");
  EXPECT_EQ(*expand_environment("$${A} $A $", environment), "${A} $A $");
  EXPECT_EQ(expand_environment("x${B}", environment).error().message,
            "the environment variable 'B' is not set");
  EXPECT_FALSE(expand_environment("${A", environment));
  EXPECT_FALSE(expand_environment("${}", environment));
}

TEST(PluginOptions, ScalarsAreTypedAsInYaml) {
  const auto document = parse_yaml(
      "a: 1\nb: '1'\nc: true\nd: yes\ne: 1.5\nf: 1%\ng: 0012\nh: 0x10\ni: ~\nj: [1, x]\n"
      "k: {l: -3}\nm: 2026-11-20\nn: ${A}\no: !!str 5\np: 1e3\nq: .inf\nr: '-'\ns: "
      "99999999999999999999\n"
      "t: +5\nu: 0\nv: 26h\nw: nan\n",
      "t.yaml");
  ASSERT_TRUE(document.usable);
  const Environment environment{{"A", "7"}};
  const auto value = to_option_value(document.root, environment,
                                     [](const YamlNode&, const Error& e) { FAIL() << e.message; });
  EXPECT_EQ(boost::json::serialize(value),
            R"({"a":1,"b":"1","c":true,"d":"yes","e":1.5E0,"f":"1%","g":"0012","h":16,"i":null,)"
            R"("j":[1,"x"],"k":{"l":-3},"m":"2026-11-20","n":"7","o":"5","p":1E3,"q":".inf",)"
            R"("r":"-","s":1E20,"t":5,"u":0,"v":"26h","w":"nan"})");
}

}  // namespace
}  // namespace rad
