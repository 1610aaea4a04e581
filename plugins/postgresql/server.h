// A PostgreSQL server as our own child: `postgres` itself, not pg_ctl, so that its end is seen at
// once and nothing survives us.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/child_process.h"
#include "agent/base/error.h"

namespace rad::postgresql {

struct ServerFiles {
  std::filesystem::path bin_dir;
  std::filesystem::path data_dir;
  std::filesystem::path config_dir;  ///< ours: postgresql.conf, pg_hba.conf, pg_ident.conf
  std::filesystem::path log_file;    ///< appended to
};

/// Not thread-safe. The destructor stops the server as stop() does, without patience.
class Server {
 public:
  /// Called once at the start of the process: what a killed server leaves behind becomes our child,
  /// so that stop() can end it. stop() ends every descendant of this process.
  static void adopt_orphans();

  /// Starts `postgres`; does not wait until it is ready. \return tool_missing or host_unfit.
  static Result<Server> start(const ServerFiles& files);
  Server(Server&&) noexcept = default;
  Server& operator=(Server&&) = delete;
  ~Server();

  pid_t pid() const noexcept { return child_.pid(); }
  /// Waits at most `limit` for the end. \return nothing while it runs.
  std::optional<ExitStatus> wait_for_end(std::chrono::milliseconds limit);
  bool running() { return !wait_for_end(std::chrono::milliseconds(0)); }

  /// True once recovery has ended and connections are taken: the status line of postmaster.pid.
  bool ready() const;
  /// Name of the segment that the startup process says it replays or waits for, "" if it does not
  /// say.
  std::string segment_in_replay() const;
  /// Bytes read by the server's processes so far: they move while a long replay or checkpoint does.
  std::uint64_t bytes_read() const;

  /// Fast shutdown (SIGINT), after `patience` SIGQUIT, then SIGKILL for the server and everything
  /// below it. Removes the shared memory segment that a killed server leaves. Idempotent.
  ExitStatus stop(std::chrono::milliseconds patience);

 private:
  Server(ChildProcess child, std::filesystem::path data_dir);

  void remember_shared_memory();
  static void end_orphans();

  ChildProcess child_;
  std::filesystem::path data_dir_;
  std::optional<ExitStatus> ended_;
  int shared_memory_id_ = -1;
  bool moved_from() const noexcept { return data_dir_.empty(); }
};

/// Runs `postgres --single` on a data directory that was shut down cleanly.
/// \param commands one a line; \return what it printed, or start_failed with its text as detail.
Result<std::string> run_single_user(const ServerFiles& files, const std::string& database,
                                    const std::string& commands);

}  // namespace rad::postgresql
