// One process of plugins.d/wal_e, spoken to over the protocol.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/child_process.h"
#include "plugins/protocol/codec.h"
#include "tests/support/temp_dir.h"

namespace rad::wal_e::test_support {

/// Every answer has a limit of two minutes. Ends the process, and checks that it leaves nothing,
/// when destroyed.
class PluginProcess {
 public:
  PluginProcess(Depth depth, boost::json::object options,
                std::vector<protocol::CheckSpec> checks = {});
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;
  ~PluginProcess();

  const std::filesystem::path& scratch() const { return scratch_; }
  const std::filesystem::path& runtime() const { return runtime_; }
  pid_t pid() const { return child_->pid(); }

  /// The answer to one request; fails the test if none comes.
  Result<boost::json::object> ask(const std::string& method, boost::json::object params = {});
  template <class T>
  Result<T> call(const std::string& method, boost::json::object params = {}) {
    RAD_TRY(const auto object, ask(method, std::move(params)));
    return protocol::from_json<T>(object);
  }
  Result<boost::json::object> initialize();
  std::vector<CheckOutcome> check();

 private:
  test::TempDir dir_;
  std::filesystem::path scratch_;
  std::filesystem::path runtime_;
  protocol::InitializeParams params_;
  std::optional<ChildProcess> child_;
  UniqueFd input_;
  UniqueFd output_;
  protocol::LineSplitter lines_;
  std::int64_t next_id_ = 1;
};

/// Findings' codes, for comparing.
std::vector<std::string> codes(const std::vector<Finding>& findings);

}  // namespace rad::wal_e::test_support
