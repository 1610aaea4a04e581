// What a reload must refuse is what the option table says it refuses.
#include "agent/config/reload_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/config/host_check.h"
#include "agent/config/option_table.h"

namespace rad {
namespace {

TEST(ReloadCheck, RefusesWhatTheTableSays) {
  std::vector<std::string> rows;
  for (const OptionRow& row : option_table()) {
    if (!row.reloadable) rows.emplace_back(row.path);
  }
  EXPECT_THAT(options_read_once(), testing::UnorderedElementsAreArray(rows));
}

TEST(ReloadCheck, NamesBothValues) {
  AgentOptions running;
  running.state_dir = "/var/lib/rad-agent";
  running.max_concurrent_runs = 1;
  running.metrics_listen = ListenAddress{"127.0.0.1", 9735};
  AgentOptions wanted = running;
  wanted.max_concurrent_runs = 4;
  EXPECT_TRUE(check_against_running(running, wanted, "rad.yaml").empty());
  wanted.state_dir = "/srv/rad";
  wanted.metrics_listen.reset();
  const auto errors = check_against_running(running, wanted, "rad.yaml");
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].key, "agent.state_dir");
  EXPECT_EQ(errors[0].message,
            "found '/srv/rad', but the running agent has '/var/lib/rad-agent', and this cannot "
            "change while it runs");
  EXPECT_EQ(errors[1].key, "agent.metrics.listen");
  EXPECT_THAT(errors[1].message, testing::HasSubstr("found 'off'"));
}

TEST(UnitsCheck, SaysWhichDropInsAnotherDirectoryNeeds) {
  AgentOptions options;
  options.state_dir = "/var/lib/rad-agent";
  options.scratch_dir = "/var/lib/rad-agent/scratch";
  options.runtime_dir = "/run/rad-agent";
  EXPECT_TRUE(check_against_units(options).empty());
  options.scratch_dir = "/srv/scratch";
  const auto warnings = check_against_units(options);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].key, "agent.scratch_dir");
  EXPECT_THAT(warnings[0].hint, testing::HasSubstr("rad-plugin-wal_e@.service"));
  EXPECT_THAT(warnings[0].hint, testing::HasSubstr("ReadWritePaths=/srv/scratch"));
  options.scratch_dir = "/var/lib/rad-agent/scratch/../../other";
  EXPECT_EQ(check_against_units(options).size(), 1U);
}

}  // namespace
}  // namespace rad
