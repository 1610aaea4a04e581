// The agent's end of a conversation with a plugin that runs on a thread of the test.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/base/unique_fd.h"
#include "plugins/protocol/codec.h"
#include "plugins/sdk/plugin.h"

namespace rad::sdk {

/// serve() in a thread, over two pipes. The destructor ends the input and waits.
class AgentEnd {
 public:
  explicit AgentEnd(Plugin& plugin);
  ~AgentEnd();

  void send_bytes(std::string_view bytes);
  std::int64_t send(const std::string& method, boost::json::object params = {});
  void notify(const std::string& method, boost::json::object params = {});
  /// The next response; notifications before it are gathered. Nothing at the end of output; fails
  /// the test after 20 s.
  std::optional<protocol::Response> response();
  protocol::Response call(const std::string& method, boost::json::object params = {});
  /// `initialize` with a run and directories below `dir`.
  protocol::Response begin(const std::string& dir, boost::json::object options = {});

  void close_input() { input_.reset(); }
  void close_output() { output_.reset(); }
  /// The exit status of serve().
  int wait();

  std::vector<protocol::Notification> notifications;

 private:
  UniqueFd input_;
  UniqueFd output_;
  UniqueFd plugin_in_;
  UniqueFd plugin_out_;
  protocol::LineSplitter lines_;
  std::int64_t next_id_ = 1;
  int status_ = -1;
  std::jthread thread_;
};

}  // namespace rad::sdk
