// One good or bad run of the plugin on a restored copy, in the fewest words.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/model/outcome.h"
#include "tests/integration/postgresql/plugin_driver.h"
#include "tests/integration/postgresql/source_cluster.h"

namespace rad::test {

protocol::CheckSpec check(const std::string& type, boost::json::object options = {});

/// A plugin, initialized; start() and check() as the agent would.
class TestRun {
 public:
  TestRun(const RestoredCopy& copy, std::vector<protocol::CheckSpec> checks,
          boost::json::object options = {});

  PluginDriver& driver() { return driver_; }
  /// `start` that must work.
  protocol::StartResult start(const boost::json::object& changes = {});
  /// `start` that must fail.
  Error start_error(const boost::json::object& changes = {});
  std::vector<CheckOutcome> check_all();
  CheckOutcome check_one();  ///< the first outcome
  boost::json::object check_params() const;

 private:
  const RestoredCopy& copy_;
  std::vector<protocol::CheckSpec> checks_;
  PluginDriver driver_;
  protocol::StartResult started_;
};

/// Does something to a running instance, as its superuser. \return what psql printed
std::string run_sql(const protocol::StartResult& started, const std::string& database,
                    const std::string& statements);

/// `recover_to` as an artifact has it.
boost::json::object recover_to(const std::string& kind, const std::string& value = "");

/// "outcome reason object": what a test looks at first.
std::string summary(const CheckOutcome& outcome);

}  // namespace rad::test
