// A plugin that is a coroutine of the test at the far end of a socket, as one behind a socket unit
// would be: the conversation knows nothing of it but its connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "agent/plugin_host/plugin_conversation.h"

namespace rad::test {

/// Ended by closing the connection; records what was asked of it.
class ConnectionPeer : public PluginPeer {
 public:
  /// \param connection  duplicate of the conversation's descriptor
  explicit ConnectionPeer(UniqueFd connection) : connection_(std::move(connection)) {}

  void watch(Listener listener) override { listener_ = std::move(listener); }
  int pid() const noexcept override { return 0; }
  bool alive() const noexcept override { return alive_; }
  bool silent() const noexcept override { return true; }
  std::string end_text() const override { return "the end of its connection"; }
  void output_ended() override { alive_ = false; }
  void terminate() noexcept override { ++terminated; }
  void kill() noexcept override;
  void stop_listening() noexcept override {}

  void say(std::string_view text) { listener_.said(text); }

  int terminated = 0;
  int killed = 0;

 private:
  UniqueFd connection_;
  Listener listener_;
  bool alive_ = true;
};

/// The conversation under test and its far end.
class SocketPlugin {
  boost::asio::io_context loop_;  // outlives everything that has its executor

 public:
  /// What to write for a line that came; nothing: no answer.
  using Script = std::function<std::string(const protocol::Message& message)>;

  explicit SocketPlugin(Script script);

  /// Runs the loop until the call has returned.
  Result<boost::json::object> call(std::string method, CallLimits limits = {});
  void stop();
  /// Runs what is ready, e.g. lines that the far end has written.
  void settle();
  void write(std::string_view text);  ///< as the far end, at once
  void hang_up() { far_.close(); }    ///< as the far end

  std::shared_ptr<PluginConversation> conversation;
  std::shared_ptr<ConnectionPeer> peer;
  std::vector<std::string> heard;  ///< methods that came, in order
  bool input_ended = false;        ///< the far end has seen that nothing more comes

 private:
  boost::asio::awaitable<void> run();

  boost::asio::local::stream_protocol::socket far_{loop_};
  Script script_;
};

/// An answer to `message` with an empty result; "" for notifications.
std::string answer(const protocol::Message& message);

}  // namespace rad::test
