#include "agent/run/workspace.h"

#include <cerrno>
#include <cstring>

#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/plugin_host/plugin_socket.h"
#include "agent/run/lost_ledger.h"

namespace rad {
namespace fs = std::filesystem;
namespace asio = boost::asio;

namespace {

/// What takes longer is found done by the next sweep.
constexpr std::chrono::seconds kRemoverLimit(20);

fs::path lock_dir(const fs::path& state_dir) {
  return state_dir / "locks";
}
fs::path run_lock_path(const fs::path& state_dir, const std::string& run_id) {
  return lock_dir(state_dir) / ("run-" + run_id);
}

Error system_error(const std::string& doing, const fs::path& path, int code) {
  const Reason reason = code == ENOSPC || code == EDQUOT  ? Reason::scratch_full
                        : code == EACCES || code == EPERM ? Reason::access_denied
                                                          : Reason::host_unfit;
  return fail(reason, fmt::format("cannot {} '{}': {}", doing, path.string(), std::strerror(code)),
              "check the directory's owner, mode and file system", path.string());
}

Status make_dir(const fs::path& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return system_error("make directory", path, errno);
  }
  return {};
}

Status make_parents(const fs::path& path, mode_t mode) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return {};
  if (path.has_parent_path() && path.parent_path() != path) {
    RAD_CHECK(make_parents(path.parent_path(), 0755));
  }
  return make_dir(path, mode);
}

/// What root makes in the state directory is its owner's. A descriptor, so that no link is
/// followed.
Status give_to_owner(int fd, const fs::path& path, const fs::path& state_dir) {
  struct stat owner {};
  if (::geteuid() != 0 || ::stat(state_dir.c_str(), &owner) != 0 || owner.st_uid == 0) return {};
  if (::fchown(fd, owner.st_uid, owner.st_gid) == 0) return {};
  return system_error("change the owner of", path, errno);
}

Result<UniqueFd> lock_for(const fs::path& state_dir, const fs::path& file) {
  RAD_TRY(UniqueFd held, lock_file(file));
  RAD_CHECK(give_to_owner(held.get(), file, state_dir));
  return held;
}

/// Gives a directory to the plugins' account, as far as the agent may.
Status hand_over(const fs::path& path, const Account& account) {
  if (::geteuid() == 0) {
    if (::chown(path.c_str(), account.uid, account.gid) == 0) return {};
    return system_error("change the owner of", path, errno);
  }
  if (::chown(path.c_str(), static_cast<uid_t>(-1), account.gid) != 0) {
    Error error = system_error("change the group of", path, errno);
    error.hint = fmt::format("the agent's user must be in the group of '{0}': usermod -aG {0} USER",
                             account.name);
    return error;
  }
  if (::chmod(path.c_str(), 0770) != 0) return system_error("change the mode of", path, errno);
  return {};
}

Result<std::vector<fs::path>> entries_of(const fs::path& directory) {
  std::vector<fs::path> entries;
  std::error_code ec;
  for (fs::directory_iterator it(directory, ec), end; !ec && it != end; it.increment(ec)) {
    entries.push_back(it->path());
  }
  if (ec) return system_error("list", directory, ec.value());
  return entries;
}

/// The marker goes last: who is killed in between, or may not remove all of it, leaves what the
/// next sweep knows as ours.
Status remove_all_but_marker(const fs::path& directory) {
  RAD_TRY(const std::vector<fs::path> entries, entries_of(directory));
  Status first{};
  for (const fs::path& entry : entries) {
    if (entry.filename() == kMarkerName) continue;
    Status removed = remove_tree(entry);
    if (!removed && first) first = std::move(removed);
  }
  return first;
}

/// Removes a run's directory, with the plugins' directories below it.
Status remove_directory(const fs::path& path, const Remover& remover) {
  Status removed = remove_all_but_marker(path);
  if (!removed && !remover.socket.empty()) {
    RAD_TRY(const std::vector<fs::path> entries, entries_of(path));
    for (const fs::path& entry : entries) {
      std::error_code ec;
      if (!fs::is_directory(fs::symlink_status(entry, ec))) continue;
      RAD_CHECK(empty_as_plugin_user(remover.socket, entry, remover.plugin_user, kRemoverLimit));
    }
    removed = remove_all_but_marker(path);
  }
  RAD_CHECK(removed);
  return remove_tree(path);
}

Status remove_marked(const LedgerEntry& entry, const Remover& remover) {
  const fs::path path(entry.path);
  std::error_code ec;
  if (!fs::exists(fs::symlink_status(path, ec))) return {};
  const auto marker = read_file(path / kMarkerName, 4096);
  const bool ours = marker && *marker == entry.marker;
  if (!ours && !(fs::is_directory(path, ec) && fs::is_empty(path, ec))) {
    return fail(Reason::host_unfit,
                fmt::format("'{}' is in the ledger of run {} but does not hold its marker",
                            entry.path, entry.run_id),
                "look at it and remove it by hand", entry.path);
  }
  return remove_directory(path, remover);
}

}  // namespace

Status make_lock_dir(const fs::path& state_dir) {
  const fs::path path = lock_dir(state_dir);
  RAD_CHECK(make_parents(path, 0700));
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return system_error("open", path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return system_error("look at", path, errno);
  if ((info.st_mode & 07777) != 0700 && ::fchmod(fd.get(), 0700) != 0) {
    return system_error("change the mode of", path, errno);
  }
  return give_to_owner(fd.get(), path, state_dir);
}

Remover remover_of(const AgentOptions& options) {
  const fs::path socket = options.runtime_dir / "remove.sock";
  std::error_code ec;
  if (::geteuid() == 0 || options.socket_dir.empty() || !fs::is_socket(socket, ec)) return {};
  return {socket, options.plugin_user};
}

Result<UniqueFd> RunLock::take_sweep(const fs::path& state_dir) {
  RAD_CHECK(make_lock_dir(state_dir));
  return lock_for(state_dir, lock_dir(state_dir) / "sweep");
}

Result<RunLock> RunLock::take(const fs::path& state_dir, const std::string& target,
                              const std::string& run_id) {
  RAD_CHECK(make_lock_dir(state_dir));
  const fs::path target_file = lock_dir(state_dir) / ("target-" + target);
  RunLock lock;
  auto held = lock_for(state_dir, target_file);
  if (!held) {
    if (held.error().reason != Reason::target_busy) return std::move(held).error();
    const auto holder = read_file(target_file, 4096);
    return fail(Reason::target_busy,
                fmt::format("target '{}' is being tested by run {}", target,
                            holder && !holder->empty() ? *holder : "(unknown)"),
                "wait for it to end (--if-busy queue), or cancel it", target);
  }
  lock.target_ = std::move(*held);
  // For people alone: a full disk keeps nobody from checking backups.
  if (::ftruncate(lock.target_.get(), 0) == 0) {
    (void)!::pwrite(lock.target_.get(), run_id.data(), run_id.size(), 0);
  }
  lock.run_file_ = run_lock_path(state_dir, run_id);
  RAD_TRY(lock.run_, lock_for(state_dir, lock.run_file_));
  return lock;
}

Result<RunLock> RunLock::take_run(const fs::path& state_dir, const std::string& run_id) {
  RAD_CHECK(make_lock_dir(state_dir));
  RunLock lock;
  lock.run_file_ = run_lock_path(state_dir, run_id);
  RAD_TRY(lock.run_, lock_for(state_dir, lock.run_file_));
  return lock;
}

bool RunLock::alive(const fs::path& state_dir, const std::string& run_id) {
  const fs::path path = run_lock_path(state_dir, run_id);
  std::error_code ec;
  if (!fs::exists(path, ec)) return false;
  const auto held = lock_file(path);
  return !held && held.error().reason == Reason::target_busy;
}

void RunLock::forget(const fs::path& state_dir, const std::string& run_id) noexcept {
  ::unlink(run_lock_path(state_dir, run_id).c_str());
}

RunLock::~RunLock() {
  if (run_) ::unlink(run_file_.c_str());
}

Workspace::Workspace(const AgentOptions& options, std::optional<Account> account, Store& store,
                     std::string run_id)
    : scratch_root_(options.scratch_dir),
      runtime_root_(options.runtime_dir),
      account_(std::move(account)),
      remover_(remover_of(options)),
      store_(store),
      run_id_(std::move(run_id)),
      scratch_(scratch_root_ / run_id_) {}

Status Workspace::make(const fs::path& directory, LedgerKind kind) {
  RAD_CHECK(store_.ledger_add({run_id_, kind, directory.string(), run_id_, std::nullopt}));
  if (::mkdir(directory.c_str(), 0700) != 0) {
    return system_error("make directory", directory, errno);
  }
  // Plugins of another account pass through, but cannot list.
  if (account_ && ::chmod(directory.c_str(), 0711) != 0) {
    return system_error("change the mode of", directory, errno);
  }
  return write_file_atomic(directory / kMarkerName, run_id_, 0600);
}

Status Workspace::create() {
  RAD_CHECK(make_parents(scratch_root_, account_ ? 0711 : 0700));
  RAD_CHECK(make_parents(runtime_root_, account_ ? 0711 : 0700));
  return make(scratch_, LedgerKind::scratch_dir);
}

Result<PluginDirs> Workspace::add_plugin(const std::string& plugin) {
  const fs::path short_dir = runtime_root_ / random_hex(8);
  RAD_CHECK(make(short_dir, LedgerKind::runtime_dir));
  // The marker stays the agent's; the plugin gets a directory of its own below it.
  const PluginDirs dirs{scratch_ / plugin, short_dir / "p"};
  for (const fs::path& path : {dirs.scratch, dirs.runtime}) {
    RAD_CHECK(make_dir(path, 0700));
    if (account_) RAD_CHECK(hand_over(path, *account_));
  }
  return dirs;
}

Result<std::uint64_t> Workspace::scratch_free() const {
  return free_bytes(scratch_root_);
}

asio::awaitable<Status> remove_ledger_entry(OffLoop& off_loop, Store& store, LedgerEntry entry,
                                            Remover remover) {
  std::function<Status()> work = [entry, remover] { return remove_marked(entry, remover); };
  RAD_CO_CHECK(co_await off_loop.run(std::move(work)));
  co_return store.ledger_remove(entry.run_id, entry.path);
}

asio::awaitable<Status> Workspace::remove() {
  RAD_CO_TRY(const std::vector<LedgerEntry> entries, store_.ledger(run_id_));
  OffLoop off_loop;
  Status first{};
  for (const LedgerEntry& entry : entries) {
    Status removed = co_await remove_ledger_entry(off_loop, store_, entry, remover_);
    if (!removed && first) first = std::move(removed);
  }
  co_return first;
}

asio::awaitable<Status> Workspace::keep(TimePoint until) {
  RAD_CO_TRY(const std::vector<LedgerEntry> entries, store_.ledger(run_id_));
  OffLoop off_loop;
  // What is kept is written down first: whatever comes in between must not lose it.
  for (const LedgerEntry& entry : entries) {
    if (entry.kind == LedgerKind::runtime_dir) continue;
    // Only for a store that is lost; the ledger has it, too.
    if (const Status marked = mark_kept(entry.path, until); !marked) {
      log::warning(marked.error().message);
    }
    RAD_CO_CHECK(store_.ledger_add({run_id_, LedgerKind::kept, entry.path, entry.marker, until}));
  }
  for (const LedgerEntry& entry : entries) {
    if (entry.kind != LedgerKind::runtime_dir) continue;
    RAD_CO_CHECK(co_await remove_ledger_entry(off_loop, store_, entry, remover_));
  }
  co_return Status{};
}

}  // namespace rad
