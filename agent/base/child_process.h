// One child process, for code that may block: plugins and tools. The agent's event loop starts
// plugins through agent/plugin_host instead. By posix_spawn: no event loop is needed, other threads
// do no harm, and the child has clean signals and no descriptor but the three standard ones.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad {

/// How a child ended.
struct ExitStatus {
  int code = 0;    ///< exit code, valid if signal == 0
  int signal = 0;  ///< signal that ended it, or 0
  bool ok() const noexcept { return code == 0 && signal == 0; }
  std::string text() const;  ///< "exit code 2", "signal 9 (Killed)"
};

/// What to start. Descriptors are borrowed for the call; the child gets copies. -1 is /dev/null.
struct ChildSpec {
  std::filesystem::path program;  ///< absolute, or a name looked up in PATH
  std::vector<std::string> args;  ///< without the program's own name; never a secret
  std::optional<std::map<std::string, std::string>> environment;  ///< nothing: inherited
  std::filesystem::path directory;                                ///< "": inherited
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
};

/// A running child. The destructor kills and reaps it, so none is ever leaked. Movable. Any one
/// thread at a time; terminate() and kill() may be called from another thread while wait() blocks.
class ChildProcess {
 public:
  /// \return tool_missing when the program does not exist, else host_unfit.
  static Result<ChildProcess> start(const ChildSpec& spec);
  ChildProcess(ChildProcess&&) noexcept;
  ChildProcess& operator=(ChildProcess&&) noexcept;
  ~ChildProcess();

  pid_t pid() const noexcept;
  /// Blocks until the child has ended. May be called again: the same status.
  ExitStatus wait();
  /// \return nothing if it still runs after `limit`.
  std::optional<ExitStatus> wait_for(std::chrono::milliseconds limit);
  void terminate() noexcept;  ///< SIGTERM; harmless after the end
  void kill() noexcept;       ///< SIGKILL; harmless after the end

 private:
  struct Impl;
  explicit ChildProcess(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A pipe whose both ends have FD_CLOEXEC.
struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};
/// `size`: wished capacity in bytes (F_SETPIPE_SZ, best effort), 0 for the default.
Result<Pipe> make_pipe(std::size_t size = 0);

/// What a short-lived tool printed.
struct ToolOutput {
  ExitStatus status;
  std::string out;
  std::string err;
  bool cut = false;  ///< output beyond `max_output` was thrown away
};

/// Runs a tool to its end, with `input` on its standard input. Reads both outputs at once, so it
/// cannot dead-lock, and does not wait for processes that the tool leaves behind. A descriptor that
/// `spec` names is used as it is, and then not fed or read here. \return tool_missing, host_unfit,
/// or timeout (the tool was killed).
Result<ToolOutput> run_tool(const ChildSpec& spec, std::string_view input = {},
                            std::chrono::milliseconds limit = std::chrono::minutes(5),
                            std::size_t max_output = 64U << 20U);

/// Full path of a program in PATH. \return tool_missing naming it.
Result<std::filesystem::path> find_program(const std::string& name);

}  // namespace rad
