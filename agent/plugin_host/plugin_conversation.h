// The protocol's conversation with one plugin, over a pair of descriptors and whatever PluginPeer
// is behind them: requests one at a time, their limits, cancelling, the end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/base/unique_fd.h"
#include "agent/plugin_host/call_limits.h"
#include "agent/plugin_host/plugin_peer.h"
#include "plugins/protocol/codec.h"
#include "plugins/protocol/messages.h"

namespace rad {

/// See the top of the file, and PluginProcess for what the members promise. All of them belong to
/// the executor's thread. The program ignores SIGPIPE. Its own coroutines hold it until both the
/// peer and its output have ended.
class PluginConversation : public std::enable_shared_from_this<PluginConversation> {
 public:
  using ProgressHandler = std::function<void(const protocol::Progress&)>;
  using LogHandler = std::function<void(const protocol::LogLine&)>;

  /// \param name    of the plugin, for messages
  /// \param input   what the plugin reads; \param output  what it writes. Of a socket: the
  ///                descriptor and a duplicate of it
  static std::shared_ptr<PluginConversation> begin(boost::asio::any_io_executor executor,
                                                   std::string name, UniqueFd input,
                                                   UniqueFd output,
                                                   std::shared_ptr<PluginPeer> peer);

  const std::string& name() const noexcept { return name_; }
  const PluginPeer& peer() const noexcept { return *peer_; }
  std::string captured_log() const;
  std::optional<Error> early_end() const;
  void on_progress(ProgressHandler handler) { on_progress_ = std::move(handler); }
  void on_log(LogHandler handler) { on_log_ = std::move(handler); }

  boost::asio::awaitable<Result<boost::json::object>> call(std::string method,
                                                           boost::json::object params,
                                                           CallLimits limits);
  void cancel();
  boost::asio::awaitable<void> stop(std::chrono::milliseconds patience);
  void kill() noexcept { peer_->kill(); }
  /// Nobody will call any more: kills the peer and ends its input.
  void abandon();

 private:
  /// The request that is being answered.
  struct Ongoing {
    CallLimits limits;
    SteadyPoint begun{};
    std::optional<SteadyPoint> cancelled_at;
    std::optional<Error> limit_error;  ///< why it was cancelled, if not by cancel()
  };

  PluginConversation(boost::asio::any_io_executor executor, std::string name, UniqueFd input,
                     UniqueFd output, std::shared_ptr<PluginPeer> peer);
  boost::asio::awaitable<void> read_output();
  Status take_line(const std::string& line);
  void take_notification(const protocol::Notification& notification);
  void capture(std::string_view text);
  boost::asio::awaitable<Status> send(std::string line, SteadyPoint deadline);
  boost::asio::awaitable<void> await_answer(Ongoing& ongoing);
  void look_at_limits(Ongoing& ongoing, SteadyPoint now) const;
  std::optional<SteadyPoint> next_look(const Ongoing& ongoing) const;
  boost::asio::awaitable<void> wait_change(std::optional<SteadyPoint> until);
  void close_input();
  void break_off(Error error);
  Error end_error() const;

  boost::asio::any_io_executor executor_;
  std::string name_;
  boost::asio::posix::stream_descriptor input_;
  boost::asio::posix::stream_descriptor output_;
  std::shared_ptr<PluginPeer> peer_;
  boost::asio::steady_timer changed_;  ///< cancelled whenever something happened
  SystemClock clock_;
  ProgressHandler on_progress_;
  LogHandler on_log_;
  std::string log_;  ///< its end is what counts

  bool output_ended_ = false;
  bool cancel_wanted_ = false;
  bool calling_ = false;
  bool input_closed_ = false;
  std::int64_t next_id_ = 1;
  std::string method_;  ///< of the request that is or was being answered
  std::optional<protocol::Response> answer_;
  std::optional<Error> broken_;  ///< first cause after which nothing more is expected
  protocol::Progress last_progress_;
  SteadyPoint last_change_{};
  std::size_t notified_bytes_ = 0;
};

}  // namespace rad
