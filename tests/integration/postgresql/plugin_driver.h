// One process of the plugin, spoken to as the agent does, and where it works.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/child_process.h"
#include "plugins/protocol/codec.h"
#include "plugins/protocol/messages.h"

namespace rad::test {

/// Throws std::runtime_error when the plugin breaks the protocol or does not answer in time.
class PluginDriver {
 public:
  struct Setup {
    boost::json::object options;
    std::vector<protocol::CheckSpec> checks;
    std::filesystem::path place;  ///< scratch and runtime directories are made below it
  };
  explicit PluginDriver(const Setup& setup);
  ~PluginDriver();

  protocol::Response initialize();
  protocol::Response call(const std::string& method, boost::json::object params = {},
                          std::chrono::milliseconds limit = std::chrono::seconds(60));
  std::int64_t send(const std::string& method, boost::json::object params = {});
  void cancel();
  void close_input() { input_.reset(); }
  protocol::Response answer(std::int64_t id, std::chrono::milliseconds limit);
  /// Waits until a progress notification has come. False: none within the limit.
  bool wait_for_progress(std::chrono::milliseconds limit);
  std::optional<ExitStatus> wait_for_end(std::chrono::milliseconds limit);

  pid_t pid() const { return process_->pid(); }
  const std::vector<protocol::Progress>& progress() const { return progress_; }
  std::filesystem::path scratch() const { return scratch_; }
  std::filesystem::path runtime() const { return runtime_; }
  /// Everything that the plugin has written to stderr.
  std::string errors() const;

 private:
  std::optional<protocol::Message> receive(std::chrono::steady_clock::time_point end);

  Setup setup_;
  std::filesystem::path scratch_;
  std::filesystem::path runtime_;
  std::string account_;
  std::optional<ChildProcess> process_;
  UniqueFd input_;
  UniqueFd output_;
  protocol::LineSplitter lines_;
  std::vector<protocol::Progress> progress_;
  std::int64_t next_id_ = 1;
};

/// The user that servers and plugins work as: "rad-plugin" for root, "" (the caller) else.
std::string work_account();

}  // namespace rad::test
