// One plugin process and the conversation with it: plugin_child.h starts it, behind rad-launch, so
// that whatever it starts dies with it, or plugin_socket.h connects to the unit that starts it;
// plugin_conversation.h talks. This header keeps Asio's heavy parts and Boost.Process out of sight.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "agent/plugin_host/call_limits.h"
#include "plugins/protocol/codec.h"
#include "plugins/protocol/messages.h"

namespace rad {

/// Where a plugin and its launcher are, or the socket that it is behind.
struct PluginCommand {
  std::string name;                ///< as configured; for messages
  std::filesystem::path program;   ///< the plugin's executable
  std::filesystem::path launcher;  ///< rad-launch
  std::filesystem::path socket;    ///< "": a child process; else it is connected to instead
  std::string plugin_user;         ///< who may listen at the socket besides root and ourselves
};

/// Refuses a plugin that anybody but root and its owner could have changed: the file and its
/// directory must belong to root or to the agent's user and be writable by nobody else.
/// \return tool_missing when it is not there, config_invalid when it is not to be trusted.
Result<PluginCommand> find_plugin(const std::string& name, const std::filesystem::path& plugin_dir,
                                  const std::filesystem::path& libexec_dir);

/// The same, but a plugin with a socket NAME.sock in `socket_dir` is reached there: what lies in
/// plugin_dir then is the affair of the unit. "": all are child processes.
Result<PluginCommand> find_plugin(const std::string& name, const std::filesystem::path& plugin_dir,
                                  const std::filesystem::path& libexec_dir,
                                  const std::filesystem::path& socket_dir,
                                  const std::string& plugin_user);

class PluginConversation;

/// A running plugin. All members belong to the executor's thread. A plugin that breaks the
/// protocol, floods or does not answer is killed; the error then is plugin_protocol, plugin_crashed
/// or timeout, and every later call fails at once with the same.
class PluginProcess {
 public:
  using ProgressHandler = std::function<void(const protocol::Progress&)>;
  using LogHandler = std::function<void(const protocol::LogLine&)>;

  /// Starts the process, or connects to its socket; nothing has been said to it yet.
  static Result<std::unique_ptr<PluginProcess>> start(boost::asio::any_io_executor executor,
                                                      PluginCommand command);
  ~PluginProcess();  ///< kills it and everything it started, if it still runs
  PluginProcess(const PluginProcess&) = delete;
  PluginProcess& operator=(const PluginProcess&) = delete;

  const std::string& name() const noexcept;
  int pid() const noexcept;  ///< of the launcher; 0 behind a socket
  bool alive() const noexcept;
  /// Why it ended although nobody had told it to, e.g. while no request was running; nothing while
  /// it runs or once stop() was called.
  std::optional<Error> early_end() const;
  void on_progress(ProgressHandler handler);
  void on_log(LogHandler handler);

  /// Sends a request and waits for its answer. One at a time.
  boost::asio::awaitable<Result<boost::json::object>> call(std::string method,
                                                           boost::json::object params,
                                                           CallLimits limits);

  /// call() with typed values.
  template <class Answer>
  boost::asio::awaitable<Result<Answer>> ask(std::string method, boost::json::object params,
                                             CallLimits limits) {
    auto answer = co_await call(std::move(method), std::move(params), limits);
    if (!answer) co_return std::move(answer).error();
    co_return protocol::from_json<Answer>(*answer);
  }

  /// Asks the running request to end with `cancelled`; call() returns within the grace time.
  /// Without a running request the next one is cancelled.
  void cancel();

  /// `shutdown`, then end of input, SIGTERM and SIGKILL, each after `patience`. Returns when the
  /// process is gone and both outputs have ended. Harmless when it is gone already.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds patience);
  /// SIGKILL to the launcher: the kernel ends the whole namespace. Behind a socket rad-accept does
  /// it.
  void kill() noexcept;

  /// The last 64 KiB of standard error and of `log` lines: untrusted text. Behind a socket standard
  /// error goes to the unit's journal, and only `log` lines are here.
  std::string captured_log() const;

 private:
  explicit PluginProcess(std::shared_ptr<PluginConversation> conversation);
  std::shared_ptr<PluginConversation> conversation_;
};

}  // namespace rad
