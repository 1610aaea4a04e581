#include "agent/config/loader.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/config/host_check.h"
#include "tests/support/golden.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kMinimal = R"(targets:
  - name: db
    restore: {plugin: wal_e}
    schedules: [{name: rad, cron: "0 6 2 * *", depth: restore}]
)";

std::string without_prefix(std::string text, const std::string& prefix) {
  for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
    text.erase(at, prefix.size());
  }
  return text;
}

/// The errors of one file as text, its directory left out.
std::string errors_of(std::string_view yaml) {
  const test::TempDir dir;
  const auto result = load_config(dir.write("rad.yaml", yaml), {});
  return without_prefix(to_text(result.errors, "error"), dir.path().string() + "/");
}

TEST(Loader, DefaultsAreFilledIn) {
  const test::TempDir dir;
  const auto result = load_config(dir.write("rad.yaml", kMinimal), {});
  ASSERT_TRUE(result.ok()) << to_text(result.errors, "error");
  EXPECT_TRUE(result.warnings.empty()) << to_text(result.warnings, "warning");
  const auto& agent = result.config.agent;
  EXPECT_EQ(agent.state_dir, "/var/lib/rad-agent");
  EXPECT_EQ(agent.scratch_dir, "/var/lib/rad-agent/scratch");
  EXPECT_EQ(agent.runtime_dir, "/run/rad-agent");
  EXPECT_EQ(agent.control_socket, "/run/rad-agent/control.sock");
  EXPECT_EQ(agent.viewer_group, "rad-viewer");
  EXPECT_EQ(agent.operator_group, "rad-operator");
  EXPECT_EQ(agent.plugin_dir, "");
  EXPECT_EQ(agent.plugin_user, "rad-plugin");
  EXPECT_EQ(agent.max_concurrent_runs, 1);
  EXPECT_EQ(agent.scratch_reserve, 1ULL << 30U);
  EXPECT_EQ(agent.stall_timeout, 10min);
  EXPECT_EQ(agent.time_zone, "UTC");
  ASSERT_TRUE(agent.metrics_listen);
  EXPECT_EQ(agent.metrics_listen->host, "127.0.0.1");
  EXPECT_EQ(agent.metrics_listen->port, 9735);
  ASSERT_EQ(result.config.targets.size(), 1U);
  const auto& target = result.config.targets[0];
  EXPECT_EQ(target.keep.on_fail, 0ms);
  EXPECT_FALSE(target.instance);
  EXPECT_TRUE(target.timeouts.empty());
  EXPECT_EQ(target.schedules[0].time_zone, "UTC");
  EXPECT_EQ(target.schedules[0].depth, Depth::restore);
  EXPECT_EQ(result.config.find_target("db"), &target);
  EXPECT_EQ(result.config.find_target("other"), nullptr);
}

TEST(Loader, EverythingGiven) {
  const test::TempDir dir;
  const auto path = dir.write("rad.yaml", R"(agent:
  state_dir: ${STATE}/rad
  max_concurrent_runs: 4
  time_zone: Europe/Berlin
  log_level: debug
  metrics: {listen: off}
targets:
  - name: db
    restore: {plugin: wal_e, envdir: /etc/e, parallel: 4, nested: {a: [1, "${STATE}"]}}
    instance: {plugin: postgresql}
    checks:
      - {check: backup_age, max: 26h}
      - {check: sql, name: fresh, query: "select '$${x}'"}
    schedules:
      - {name: rad, cron: "0 6 2 * *", depth: restore}
      - {name: daily, cron: "30 3 * * *", time_zone: Asia/Tokyo, depth: verify}
    objectives: {rto: 4h, rpo: 15m}
    keep: {on_pass: 1h, on_fail: 8h}
    timeouts: {fetch: 2h, check: auto}
reporters:
  - {reporter: issue_directory, path: /x, open_on_inconclusive: false}
)");
  const auto result = load_config(path, {{"STATE", "/srv"}});
  ASSERT_TRUE(result.ok()) << to_text(result.errors, "error");
  const auto& config = result.config;
  EXPECT_EQ(config.agent.state_dir, "/srv/rad");
  EXPECT_EQ(config.agent.scratch_dir, "/srv/rad/scratch");
  EXPECT_EQ(config.agent.log_level, log::Level::debug);
  EXPECT_FALSE(config.agent.metrics_listen);
  const auto& target = config.targets[0];
  EXPECT_EQ(boost::json::serialize(target.restore.options.values),
            R"({"envdir":"/etc/e","parallel":4,"nested":{"a":[1,"/srv"]}})");
  EXPECT_EQ(target.restore.options.marks.at("parallel").line, 9);
  EXPECT_EQ(target.restore.options.marks.at("parallel").column, 46);
  EXPECT_EQ(target.restore.options.value_marks.at("parallel").column, 56);
  EXPECT_EQ(target.instance->plugin, "postgresql");
  EXPECT_EQ(target.checks[0].name, "backup_age");
  EXPECT_EQ(target.checks[1].name, "fresh");
  EXPECT_EQ(target.checks[1].options.values.at("query"), "select '${x}'");
  EXPECT_EQ(target.schedules[0].time_zone, "Europe/Berlin");
  EXPECT_EQ(target.schedules[1].time_zone, "Asia/Tokyo");
  EXPECT_EQ(target.objectives.rto, 4h);
  EXPECT_EQ(target.keep.on_fail, 8h);
  EXPECT_EQ(target.timeouts.at(Stage::fetch), 2h);
  EXPECT_FALSE(target.timeouts.contains(Stage::check));
  ASSERT_EQ(config.reporters.size(), 1U);
  EXPECT_EQ(config.reporters[0].name, "issue_directory");
  EXPECT_FALSE(config.reporters[0].issue_directory.open_on_inconclusive);
}

TEST(Loader, TenMistakesAreToldAtOnce) {
  const std::string source = std::string(RAD_SOURCE_DIR) + "/tests/golden/config/";
  const auto result = load_config(source + "ten-mistakes.yaml", {});
  EXPECT_GE(result.errors.size(), 10U);
  for (const auto& error : result.errors) {
    EXPECT_GT(error.at.line, 0) << error.message;
    EXPECT_GT(error.at.column, 0) << error.message;
  }
  test::expect_golden("config/ten-mistakes.txt",
                      without_prefix(to_text(result.errors, "error"), source));
}

TEST(Loader, ConfDAddsTargets) {
  const test::TempDir dir;
  const auto path =
      dir.write("rad.yaml", "agent: {max_concurrent_runs: 2, time_zone: Asia/Tokyo}\n");
  dir.write("conf.d/b.yaml", kMinimal);
  std::string other(kMinimal);
  other.replace(other.find("db"), 2, "aa");
  dir.write("conf.d/a.yaml", other);
  dir.write("conf.d/ignored.txt", "nonsense: [");
  dir.write("conf.d/.hidden.yaml", "nonsense: [");
  dir.write("conf.d/c.yml", kMinimal);
  const auto result = load_config(path, {});
  ASSERT_TRUE(result.ok()) << to_text(result.errors, "error");
  ASSERT_EQ(result.config.targets.size(), 2U);
  EXPECT_EQ(result.config.targets[0].name, "aa");
  EXPECT_EQ(result.config.targets[1].name, "db");
  EXPECT_EQ(result.config.targets[1].schedules[0].time_zone, "Asia/Tokyo");
  EXPECT_EQ(result.config.files.size(), 3U);
  ASSERT_EQ(result.warnings.size(), 1U);
  EXPECT_TRUE(result.warnings[0].at.file.ends_with("c.yml"));
}

TEST(Loader, ConfDHoldsTargetsOnlyAndNamesAreUniqueAcrossFiles) {
  const test::TempDir dir;
  const auto path = dir.write("rad.yaml", kMinimal);
  dir.write("conf.d/a.yaml", std::string(kMinimal) + "agent: {time_zone: UTC}\n");
  const auto result = load_config(path, {});
  ASSERT_EQ(result.errors.size(), 2U) << to_text(result.errors, "error");
  EXPECT_EQ(result.errors[0].key, "targets[0].name");
  EXPECT_NE(result.errors[0].message.find("rad.yaml:2"), std::string::npos);
  EXPECT_EQ(result.errors[1].message, "found key 'agent', expected only 'targets' in this file");
}

TEST(Loader, AFileThatCannotBeReadOrParsedIsToldBesideTheOthers) {
  const test::TempDir dir;
  dir.write("conf.d/a.yaml", "targets: [");
  dir.write("conf.d/b.yaml", "targets: 5\n");
  const auto result = load_config(dir / "rad.yaml", {});
  ASSERT_EQ(result.errors.size(), 3U) << to_text(result.errors, "error");
  EXPECT_TRUE(result.errors[0].at.file.ends_with("rad.yaml"));
  EXPECT_TRUE(result.errors[1].at.file.ends_with("a.yaml"));
  EXPECT_EQ(result.errors[2].message, "found '5', expected a list");
}

TEST(Loader, NothingToTestIsAnError) {
  EXPECT_EQ(errors_of(""),
            "error: rad.yaml: targets: no target is configured, expected at least one\n"
            "hint: `rad-agent explain targets` shows what a target has\n");
  EXPECT_NE(errors_of("- a\n- b\n"), "");
}

TEST(Loader, AnEmptyListOfTargetsIsAWarning) {
  const test::TempDir dir;
  dir.write("rad.yaml", "targets: []\n");
  const auto result = load_config(dir / "rad.yaml", {});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(to_text(result.warnings, "warning"),
            fmt::format("warning: {}: targets: no target is configured, expected at least one\n"
                        "hint: `rad-agent explain targets` shows what a target has\n",
                        (dir / "rad.yaml").string()));
}

TEST(Loader, LargeFilesAreRefused) {
  EXPECT_NE(errors_of("# " + std::string(1U << 20U, 'x')), "");
}

TEST(Loader, AFileOfRubbishDoesNotFloodTheTerminal) {
  std::string rubbish;
  for (int i = 0; i < 5000; ++i) rubbish += "rubbish" + std::to_string(i) + ": 1\n";
  const test::TempDir dir;
  const auto result = load_config(dir.write("rad.yaml", rubbish), {});
  ASSERT_EQ(result.errors.size(), 501U);
  EXPECT_EQ(result.errors.back().message, "4500 further mistakes are not shown");
}

TEST(Loader, ADirectoryIsNoFile) {
  const test::TempDir dir;
  EXPECT_FALSE(load_config(dir.path(), {}).ok());
}

TEST(Loader, RuntimeDirMustLeaveRoomForSockets) {
  const std::string good = "/" + std::string(50, 'x');
  const auto yaml = [](const std::string& path) {
    return "agent: {runtime_dir: " + path + "}\n" + std::string(kMinimal);
  };
  EXPECT_EQ(errors_of(yaml(good)), "");
  EXPECT_NE(errors_of(yaml(good + "x")).find("found a path of 52 bytes, expected at most 51"),
            std::string::npos);
}

std::string control_socket_of(std::string_view yaml) {
  const test::TempDir dir;
  return load_config(dir.write("rad.yaml", yaml), {}).config.agent.control_socket;
}

TEST(Loader, ControlSocketIsInTheRuntimeDirAndShort) {
  const auto yaml = [](const std::string& options) {
    return "agent: {" + options + "}\n" + std::string(kMinimal);
  };
  EXPECT_EQ(control_socket_of(yaml("runtime_dir: /run/x")), "/run/x/control.sock");
  EXPECT_EQ(control_socket_of(yaml("control_socket: /a/b")), "/a/b");
  const std::string good = "/" + std::string(106, 'x');
  EXPECT_EQ(errors_of(yaml("control_socket: " + good)), "");
  EXPECT_NE(errors_of(yaml("control_socket: " + good + "x"))
                .find("found a path of 108 bytes, expected at most 107"),
            std::string::npos);
}

TEST(HostCheck, NamesGroupsThatAreMissing) {
  AgentOptions options;
  options.viewer_group = "root";
  options.operator_group = "root";
  EXPECT_TRUE(check_against_host(options).empty());
  options.operator_group = "no-such-group-here";
  const auto warnings = check_against_host(options);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].key, "agent.operator_group");
  EXPECT_NE(warnings[0].message.find("only root and the agent's own user may act"),
            std::string::npos);
  EXPECT_EQ(warnings[0].hint, "make it with `groupadd --system no-such-group-here`");
}

TEST(Loader, ScratchIsNotStateDir) {
  EXPECT_NE(errors_of("agent: {state_dir: /a, scratch_dir: /a/./}\n" + std::string(kMinimal)), "");
}

TEST(Loader, UnknownKeysGetAProposal) {
  const std::string minimal(kMinimal);
  EXPECT_NE(errors_of("agnet: {}\n" + minimal).find("hint: did you mean 'agent'?"),
            std::string::npos);
  EXPECT_NE(errors_of("agent: {listen: x}\n" + minimal).find("hint: there is agent.metrics.listen"),
            std::string::npos);
  EXPECT_NE(errors_of("agent: {zzzzzz: x}\n" + minimal).find("hint: known here: state_dir"),
            std::string::npos);
  EXPECT_NE(errors_of("targets: [{name: a, restore: {plugn: wal_e}}]\n")
                .find("hint: did you mean 'plugin' by 'plugn'?"),
            std::string::npos);
}

TEST(Loader, ManualIsNoScheduleName) {
  std::string yaml(kMinimal);
  yaml.replace(yaml.find("rad,"), 3, "manual");
  EXPECT_NE(errors_of(yaml).find("found 'manual', which stands for runs by hand"),
            std::string::npos);
}

TEST(Loader, WarnsOfTargetsThatAreNeverRestored) {
  const test::TempDir dir;
  const auto result = load_config(dir.write("rad.yaml", R"(targets:
  - {name: a, restore: {plugin: p}}
  - {name: b, restore: {plugin: p}, schedules: [{name: d, cron: "@daily", depth: verify}]}
)"),
                                  {});
  EXPECT_TRUE(result.ok()) << to_text(result.errors, "error");
  ASSERT_EQ(result.warnings.size(), 2U);
  EXPECT_NE(result.warnings[0].message.find("tested only by hand"), std::string::npos);
  EXPECT_NE(result.warnings[1].message.find("nothing is ever restored"), std::string::npos);
}

TEST(Loader, DiagnosticsWithoutAPlace) {
  EXPECT_EQ(to_text({{{}, "agent.plugin_dir", "is empty", "install one"}}, "warning"),
            "warning: agent.plugin_dir: is empty\nhint: install one\n");
}

TEST(Loader, DiagnosticsAsJson) {
  const test::TempDir dir;
  const auto result = load_config(dir.write("rad.yaml", "targets: 1\n"), {});
  const auto json = to_json(result.errors);
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0].at("line"), 1);
  EXPECT_EQ(json[0].at("column"), 10);
  EXPECT_EQ(json[0].at("key"), "targets");
}

}  // namespace
}  // namespace rad
