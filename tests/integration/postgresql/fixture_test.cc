// A genuine WAL-E backup, unpacked with genuine tools: every count and every check must agree with
// what was true of the source.
#include <fstream>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "tests/integration/postgresql/run_support.h"

namespace rad::test {
namespace {

namespace bj = boost::json;

const std::string kSource = RAD_SOURCE_DIR;
const std::string kHere = kSource + "/tests/integration/postgresql/";
const std::string kFixture = kSource + "/tests/data/wale-small";

std::string output_of(const std::string& program, const std::vector<std::string>& args) {
  ChildSpec spec;
  spec.program = program;
  spec.args = args;
  const ToolOutput output = run_tool(spec).value();
  if (!output.status.ok()) throw std::runtime_error(program + ": " + output.err);
  return output.out;
}

struct Target {
  const char* name;  ///< in expected.json
  const char* kind;
  const char* value;
  const char* lsn;  ///< "": not known beforehand
};

class Fixture : public ::testing::TestWithParam<Target> {};

TEST_P(Fixture, HoldsWhatTheSourceHeld) {
  const TempDir dir;
  ::chmod(dir.path().c_str(), 0755);
  output_of(kHere + "unpack-fixture", {kFixture + "/plain", dir.path()});
  const auto manifest = dir.write(
      "rows.json",
      output_of(kHere + "expected-to-manifest", {kFixture + "/expected.json", GetParam().name}));
  const bj::object artifact{
      {"kind", "postgresql_data_directory"},
      {"path", (dir / "data").string()},
      {"properties",
       bj::object{
           {"major", 15},
           {"system_identifier", "7710326519576319487"},
           {"restore_command", bj::array{bj::string((dir / "fetch").string())}},
           {"backup_start_lsn", "0/5000028"},
           {"backup_stop_lsn", "0/5011948"},
           {"recover_to", {{"kind", GetParam().kind}, {"value", GetParam().value}}},
           {"archive_end", json::parse(read_file(dir / "end.json").value(), "end.json").value()},
           {"wal_segment_bytes", 16 << 20}}}};
  std::vector<protocol::CheckSpec> checks{
      check("recovery_point"),
      check("relation_files"),
      check("read_all"),
      check("row_counts", {{"manifest", manifest.string()}, {"unlisted", "fail"}}),
      check("amcheck", {{"heapallindexed", true}}),
      check("page_checksums", {{"scope", "all"}})};
  PluginDriver driver({{}, checks, dir.path()});
  ASSERT_FALSE(driver.initialize().error);
  const auto started = driver.call("start", {{"artifact", artifact}});
  ASSERT_FALSE(started.error) << started.error->message << started.error->detail;
  const auto recovery = protocol::from_json<protocol::StartResult>(*started.result)->recovery;
  if (*GetParam().lsn != '\0') {
    EXPECT_EQ(recovery.lsn, GetParam().lsn);
  }
  protocol::CheckParams params;
  params.checks = checks;
  const auto answer = driver.call("check", protocol::to_json(params), std::chrono::minutes(2));
  ASSERT_FALSE(answer.error) << answer.error->message;
  const auto result = protocol::from_json<protocol::CheckResult>(*answer.result);
  ASSERT_EQ(result->outcomes.size(), checks.size());
  for (const CheckOutcome& outcome : result->outcomes) {
    EXPECT_EQ(summary(outcome), "pass") << outcome.name << ": " << outcome.message;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Targets, Fixture,
    ::testing::Values(Target{"fixture_target", "name", "fixture_target", "0/721B598"},
                      Target{"fixture_target", "lsn", "0/721B598", ""},
                      Target{"fixture_target", "time", "2026-11-20 18:44:51.715795+00", ""},
                      Target{"immediate_plain", "immediate", "", ""},
                      Target{"end_of_archive", "latest", "", "0/8000000"}),
    [](const auto& param) { return std::string(param.param.name) + "_" + param.param.kind; });

}  // namespace
}  // namespace rad::test
