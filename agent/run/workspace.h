// What one run has on the host: its locks, its scratch directory and the short directories for
// sockets and keyrings. Everything is in the store's ledger before it exists.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/base/isolation.h"
#include "agent/base/off_loop.h"
#include "agent/base/unique_fd.h"
#include "agent/config/config.h"
#include "agent/store/store.h"

namespace rad {

/// Who removes what belongs to the plugins' user when the agent is not root: rad-remove behind a
/// socket. "": nobody, the agent itself owns all there is.
struct Remover {
  std::filesystem::path socket;
  std::string plugin_user;
};
Remover remover_of(const AgentOptions& options);

/// Name of the marker file in every directory that a run makes; it holds the run's id.
inline constexpr const char* kMarkerName = ".rad-run";

/// Makes state_dir/locks, or tightens what is there: 0700, of the owner of the state directory.
Status make_lock_dir(const std::filesystem::path& state_dir);

/// The locks that keep two runs of one target apart, across processes, and tell a sweep that a run
/// is alive. Released by the kernel whatever happens to the process. Taken by root, the files
/// belong to the owner of the state directory all the same: root's would lock out a daemon that is
/// not.
class RunLock {
 public:
  /// \return target_busy, naming the run that holds the target.
  static Result<RunLock> take(const std::filesystem::path& state_dir, const std::string& target,
                              const std::string& run_id);
  /// Only the run's own, for what goes on with a run that has ended: its target may be tested again
  /// meanwhile. \return target_busy while somebody, this process included, has it.
  static Result<RunLock> take_run(const std::filesystem::path& state_dir,
                                  const std::string& run_id);
  /// The lock of the one sweep that goes on. \return target_busy while somebody has it.
  static Result<UniqueFd> take_sweep(const std::filesystem::path& state_dir);
  /// Whether a process holds the lock of this run.
  static bool alive(const std::filesystem::path& state_dir, const std::string& run_id);
  /// Removes the lock file that a killed run left. Only for a run that is not alive.
  static void forget(const std::filesystem::path& state_dir, const std::string& run_id) noexcept;
  RunLock(RunLock&&) noexcept = default;
  RunLock& operator=(RunLock&&) noexcept = default;
  ~RunLock();

 private:
  RunLock() = default;
  UniqueFd target_;
  UniqueFd run_;
  std::filesystem::path run_file_;
};

/// Directories of one plugin in one run.
struct PluginDirs {
  std::filesystem::path scratch;
  std::filesystem::path runtime;
};

/// Owner of a run's directories. Nothing is removed by the destructor: after a crash of ours the
/// sweep does it, and after a run finish() says what it could not remove.
class Workspace {
 public:
  /// `account`: of the plugins, when it is not the agent's own. As root the agent gives them their
  /// directories; else they get them by their group, in which the agent then has to be. `store`
  /// must outlive it.
  Workspace(const AgentOptions& options, std::optional<Account> account, Store& store,
            std::string run_id);

  /// Makes the run's scratch directory. \return scratch_full, access_denied or host_unfit.
  Status create();
  /// Makes both directories of a plugin: 0700 and the account's, or 0770 and its group's.
  Result<PluginDirs> add_plugin(const std::string& plugin);
  const std::filesystem::path& scratch() const noexcept { return scratch_; }
  /// Free bytes where restored data would go.
  Result<std::uint64_t> scratch_free() const;

  /// Removes everything; the ledger then holds nothing of this run but what could not be removed.
  /// The event loop goes on meanwhile.
  boost::asio::awaitable<Status> remove();
  /// Removes the runtime directories (keyrings, sockets) and keeps scratch until `until`.
  boost::asio::awaitable<Status> keep(TimePoint until);

 private:
  Status make(const std::filesystem::path& directory, LedgerKind kind);

  std::filesystem::path scratch_root_;
  std::filesystem::path runtime_root_;
  std::optional<Account> account_;
  Remover remover_;
  Store& store_;
  std::string run_id_;
  std::filesystem::path scratch_;
};

/// Removes what the entry names if its marker holds the run's id, or if it is an empty directory (a
/// crash came between making it and marking it). What is not ours is left and said. What the agent
/// may not remove itself is left to the remover, which gets 20 s for each directory of a plugin.
/// The store is touched on the coroutine's executor alone. \return timeout if the remover did not
/// answer in time, interrupted if `off_loop` was given up: the entry then stays.
boost::asio::awaitable<Status> remove_ledger_entry(OffLoop& off_loop, Store& store,
                                                   LedgerEntry entry, Remover remover);

}  // namespace rad
