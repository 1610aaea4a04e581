#include "agent/config/plugin_check.h"

#include <gtest/gtest.h>

#include "agent/config/loader.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

PluginOption option(std::string key, std::string type, bool required = false) {
  PluginOption result;
  result.key = std::move(key);
  result.type = std::move(type);
  result.required = required;
  return result;
}

PluginCheck check(std::string type, std::vector<Depth> depths, Proof proof, bool by_default,
                  std::vector<PluginOption> options = {}) {
  return {.type = std::move(type),
          .depths = std::move(depths),
          .proof = proof,
          .by_default = by_default,
          .summary = {},
          .options = std::move(options)};
}

PluginSchemas plugins() {
  const std::vector<Depth> all{Depth::inspect, Depth::verify, Depth::restore};
  auto mode = option("mode", "enum");
  mode.allowed = {"fast", "thorough"};
  auto parallel = option("parallel", "integer");
  parallel.min = 1;
  parallel.max = 64;
  PluginSchema wal_e{
      .name = "wal_e",
      .version = "1",
      .roles = {Role::restore},
      .produces = {"postgresql_data_directory"},
      .consumes = {},
      .options = {option("envdir", "path", true), option("backup", "string"), mode, parallel,
                  option("limit", "bytes"), option("after", "duration"), option("ratio", "number"),
                  option("strict", "boolean"), option("patterns", "list"), option("map", "object")},
      .checks = {}};
  wal_e.checks = {
      check("wal_continuity", all, Proof::metadata, true),
      check("backup_age", all, Proof::metadata, false, {option("max", "duration", true)}),
      check("backup_complete", {Depth::verify, Depth::restore}, Proof::bytes, true)};
  PluginSchema postgresql{.name = "postgresql",
                          .version = "1",
                          .roles = {Role::instance, Role::check},
                          .produces = {"postgresql"},
                          .consumes = {"postgresql_data_directory", "postgresql"},
                          .options = {},
                          .checks = {}};
  postgresql.checks = {
      check("recovery_point", {Depth::restore}, Proof::metadata, true),
      check("amcheck", {Depth::restore}, Proof::data, false),
      check("sql", {Depth::restore}, Proof::data, false, {option("query", "string", true)})};
  PluginSchema disk{.name = "disk",
                    .version = "1",
                    .roles = {Role::restore},
                    .produces = {"disk_image"},
                    .consumes = {},
                    .options = {},
                    .checks = {check("disk_age", all, Proof::metadata, false)}};
  return {{"wal_e", wal_e}, {"postgresql", postgresql}, {"disk", disk}};
}

Config load(std::string_view target) {
  const test::TempDir dir;
  auto result = load_config(dir.write("rad.yaml", "targets:\n" + std::string(target)), {});
  EXPECT_TRUE(result.ok()) << to_text(result.errors, "error");
  for (auto& row : result.config.targets) row.at.file = "rad.yaml";
  return result.config;
}

/// "line:column key: message | hint" of each error.
std::vector<std::string> errors_of(std::string_view target) {
  std::vector<std::string> lines;
  for (const auto& error : check_against_plugins(load(target), plugins())) {
    lines.push_back(std::to_string(error.at.line) + ":" + std::to_string(error.at.column) + " " +
                    error.key + ": " + error.message +
                    (error.hint.empty() ? "" : " | " + error.hint));
  }
  return lines;
}

using Lines = std::vector<std::string>;

TEST(PluginCheck, AGoodTargetHasNoErrors) {
  EXPECT_EQ(errors_of(R"(
  - name: db
    restore: {plugin: wal_e, envdir: /e, backup: latest, mode: fast, parallel: 4, limit: 1GiB,
              after: 24h, ratio: 2, strict: true, patterns: [a], map: {b: c}}
    instance: {plugin: postgresql}
    checks: [{check: backup_age, max: 26h}, {check: amcheck}]
    schedules:
      - {name: rad, cron: "@monthly", depth: restore}
      - {name: daily, cron: "@daily", depth: verify}
      - {name: hourly, cron: "@hourly", depth: inspect}
)"),
            Lines{});
}

TEST(PluginCheck, PluginsAndRoles) {
  EXPECT_EQ(errors_of("  - {name: a, restore: {plugin: wale}}\n"),
            (Lines{"2:33 targets[0].restore.plugin: plugin 'wale' is not installed | did you mean "
                   "'wal_e'?"}));
  EXPECT_EQ(errors_of("  - {name: a, restore: {plugin: postgresql}}\n"),
            (Lines{"2:33 targets[0].restore.plugin: plugin 'postgresql' has not the role restore | "
                   "plugins that have it: disk, wal_e"}));
}

TEST(PluginCheck, APluginThatDoesNotAnswerIsNoMistakeOfTheConfiguration) {
  const BrokenPlugins broken{{"disk", fail(Reason::timeout, "no answer within 30 s", "look")}};
  const auto config = load(R"(
  - {name: a, restore: {plugin: disk}, instance: {plugin: postgresql}, checks: [{check: disk_ag}]}
  - {name: b, restore: {plugin: wale}}
  - {name: c, restore: {plugin: wal_e, envdir: /e}, checks: [{check: its_own}]}
)");
  auto known = plugins();
  known.erase("disk");
  const auto errors = check_against_plugins(config, known, broken);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].key, "targets[1].restore.plugin");
  const auto uses = uses_of_broken(config, broken);
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(uses[0].key, "targets[0].restore.plugin");
  EXPECT_EQ(uses[0].message,
            "plugin 'disk' is installed, but does not answer: no answer within 30 s");
  EXPECT_EQ(broken_plugin_of(config.targets[0], known, broken)->reason, Reason::timeout);
  EXPECT_EQ(broken_plugin_of(config.targets[1], known, broken), nullptr);
  // Nobody offers its check: it would be left out in silence.
  EXPECT_NE(broken_plugin_of(config.targets[2], known, broken), nullptr);
}

TEST(PluginCheck, KindsFit) {
  EXPECT_EQ(errors_of("  - {name: a, restore: {plugin: disk}, instance: {plugin: postgresql}}\n"),
            (Lines{"2:59 targets[0].instance.plugin: plugin 'postgresql' takes "
                   "postgresql_data_directory, postgresql, but 'disk' restores disk_image | choose "
                   "an instance plugin that takes what the restore plugin makes"}));
  EXPECT_EQ(
      errors_of("  - name: a\n    restore: {plugin: wal_e, envdir: /e}\n    checks: [{check: "
                "amcheck}]\n"),
      (Lines{"4:22 targets[0].checks[0].check: check 'amcheck' asks a running instance, but "
             "the target has no 'instance' | add instance: {plugin: …}; plugins with the role "
             "instance: postgresql"}));
}

TEST(PluginCheck, Options) {
  EXPECT_EQ(
      errors_of(R"(
  - name: a
    restore:
      plugin: wal_e
      backup: 5
      mode: fst
      parallel: 65
      limit: big
      after: 30
      ratio: x
      strict: "yes"
      patterns: a
      map: [1]
      envdri: /x
)"),
      (Lines{"5:15 targets[0].restore.envdir: is missing, plugin 'wal_e' needs an absolute "
             "path",
             "6:15 targets[0].restore.backup: found 5, expected text | put the value in "
             "quotes",
             "7:13 targets[0].restore.mode: found 'fst', expected one of fast, thorough | did "
             "you mean 'fast'?",
             "8:17 targets[0].restore.parallel: found 65, expected 1 to 64",
             "9:14 targets[0].restore.limit: found 'big', expected a size such as 512, 64KiB "
             "or 2GB",
             "10:14 targets[0].restore.after: found 30, expected a duration such as 90s, 15m "
             "or 26h | add the unit: s, m, h, d or w",
             "11:14 targets[0].restore.ratio: found 'x', expected a number",
             "12:15 targets[0].restore.strict: found 'yes', expected true or false",
             "13:17 targets[0].restore.patterns: found 'a', expected a list",
             "14:12 targets[0].restore.map: found a list, expected a mapping",
             "15:7 targets[0].restore.envdri: plugin 'wal_e' has no option 'envdri' | did you "
             "mean 'envdir'?"}));
}

TEST(PluginCheck, Checks) {
  EXPECT_EQ(
      errors_of(R"(
  - name: a
    restore: {plugin: wal_e, envdir: /e}
    instance: {plugin: postgresql}
    checks:
      - {check: amchek}
      - {check: sql, qery: "select true"}
      - {check: disk_age}
      - {check: backup_age, max: 26}
)"),
      (Lines{"7:17 targets[0].checks[0].check: no plugin offers a check 'amchek' | did you "
             "mean 'amcheck'?",
             "8:17 targets[0].checks[1].query: is missing, check 'sql' needs text",
             "8:22 targets[0].checks[1].qery: check 'sql' has no option 'qery' | did you mean "
             "'query'?",
             "9:17 targets[0].checks[2].check: check 'disk_age' belongs to plugin 'disk', "
             "which this target does not use",
             "10:34 targets[0].checks[3].max: found 26, expected a duration such as 90s, 15m "
             "or 26h | add the unit: s, m, h, d or w"}));
}

TEST(PluginCheck, ADepthThatNothingCanProve) {
  EXPECT_EQ(errors_of(R"(
  - name: a
    restore: {plugin: wal_e, envdir: /e}
    instance: {plugin: postgresql}
    schedules:
      - {name: rad, cron: "@monthly", depth: restore}
      - {name: daily, cron: "@daily", depth: verify}
)"),
            (Lines{"7:9 targets[0].schedules[0].depth: found 'restore', but no check of the target "
                   "can prove data at that depth: its runs could never pass | add one of these "
                   "checks: amcheck, sql"}));
}

TEST(PluginCheck, ARotationWhoseMemberCannotProveItsDepth) {
  EXPECT_EQ(errors_of(R"(
  - name: a
    restore: {plugin: wal_e, envdir: /e}
    instance: {plugin: postgresql}
rotations:
  - {name: fleet, cron: "@daily", depth: restore, targets: [a]}
)"),
            (Lines{"7:5 rotations[0].depth: found 'restore', but no check of its member 'a' can "
                   "prove data at that depth: its runs could never pass | add one of these checks: "
                   "amcheck, sql"}));
}

TEST(PluginCheck, RoutesDefaultsFirstAndConfiguredChecksAfterThem) {
  const auto config = load(R"(
  - name: a
    restore: {plugin: wal_e, envdir: /e}
    instance: {plugin: postgresql}
    checks:
      - {check: amcheck}
      - {check: wal_continuity}
      - {check: nonsense}
)");
  const auto routed = route_checks(config.targets[0], plugins());
  std::vector<std::string> names;
  for (const auto& row : routed) names.push_back(row.plugin + ":" + row.check.name);
  EXPECT_EQ(names, (Lines{"wal_e:backup_complete", "postgresql:recovery_point",
                          "postgresql:amcheck", "wal_e:wal_continuity"}));
  EXPECT_EQ(routed[0].proof, Proof::bytes);
  EXPECT_EQ(plugins_of(config.targets[0], plugins()), (Lines{"wal_e", "postgresql"}));
}

TEST(PluginCheck, NullMeansNotGiven) {
  EXPECT_EQ(errors_of("  - {name: a, restore: {plugin: wal_e, envdir: ~, backup: ~}}\n"),
            (Lines{"2:33 targets[0].restore.envdir: is missing, plugin 'wal_e' needs an absolute "
                   "path"}));
}

}  // namespace
}  // namespace rad
