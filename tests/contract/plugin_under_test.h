// One process of the plugin under test, spoken to as the agent does. Every wait has a limit.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/child_process.h"
#include "plugins/protocol/codec.h"
#include "plugins/protocol/messages.h"
#include "tests/support/temp_dir.h"

namespace rad::contract {

using namespace std::chrono_literals;

inline constexpr std::chrono::milliseconds kAnswerLimit = 60s;  ///< of an ordinary request
inline constexpr std::chrono::milliseconds kStopLimit = 10s;    ///< PROTOCOL.md, "Stopping"

/// Starts the plugin in the constructor. Each line it prints is checked; the destructor fails the
/// test when it has left processes or files behind, and shows what it wrote to stderr.
class PluginUnderTest {
 public:
  PluginUnderTest();
  PluginUnderTest(const PluginUnderTest&) = delete;
  PluginUnderTest& operator=(const PluginUnderTest&) = delete;
  ~PluginUnderTest();

  pid_t pid() const { return process_->pid(); }
  const std::string& scratch() const { return scratch_; }
  const std::string& runtime() const { return runtime_; }

  /// \return false when the plugin does not take it within the limit or is gone.
  bool send_bytes(std::string_view bytes, std::chrono::milliseconds limit = kAnswerLimit);
  /// \return the id of the request
  std::int64_t send(const std::string& method, boost::json::object params = {});
  void notify(const std::string& method, boost::json::object params = {});

  /// The next message; nothing at the end of output or when the limit has passed.
  std::optional<protocol::Message> receive(std::chrono::milliseconds limit);
  /// The next response, whatever its id; notifications on the way are gathered.
  std::optional<protocol::Response> response(std::chrono::milliseconds limit = kAnswerLimit);
  /// send() and the response to it; fails the test if another one or none comes.
  protocol::Response call(const std::string& method, boost::json::object params = {},
                          std::chrono::milliseconds limit = kAnswerLimit);
  /// Reads and throws away at least `bytes` of whatever it prints. \return how many came
  std::size_t drain(std::size_t bytes);
  /// Waits for a progress or log notification, or until the limit.
  void await_sign_of_life(std::chrono::milliseconds limit);

  /// `initialize` for a run, with the configured options and `extra` laid over them.
  boost::json::object run_params(const boost::json::object& extra = {}) const;
  boost::json::object with_options(const boost::json::object& options) const;
  protocol::PluginInfo describe();

  void close_input();
  void close_output() { output_.reset(); }
  void signal(int number) const;
  std::optional<ExitStatus> wait(std::chrono::milliseconds limit = kStopLimit);

  const std::vector<protocol::Notification>& notifications() const { return notifications_; }
  /// What is in scratch and runtime that was not there before the plugin.
  std::vector<std::string> left_behind() const;

 private:
  void start();
  void start_behind_socket();
  void prepare();
  std::set<std::string> everything() const;

  test::TempDir dir_;
  std::string scratch_;
  std::string runtime_;
  std::string account_;
  std::set<std::string> before_;
  std::optional<ChildProcess> process_;
  bool ended_ = false;
  bool output_ended_ = false;
  UniqueFd input_;
  UniqueFd output_;
  protocol::LineSplitter lines_;
  std::vector<protocol::Notification> notifications_;
  std::int64_t next_id_ = 1;
};

/// The reason of an error answer; fails the test on a result.
std::optional<Reason> reason_of(const protocol::Response& response);
/// The result; fails the test, and is empty, on an error.
boost::json::object result_of(const protocol::Response& response);

}  // namespace rad::contract
