#include "agent/store/sqlite_error.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sqlite3.h>

namespace rad::store {
namespace {

/// Codes that tell less than errno does: the shared memory of a write-ahead log that finds no space
/// is an I/O error or a file that cannot be opened.
StoreTrouble from_errno(int number, StoreTrouble otherwise) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return StoreTrouble::full;
    case EROFS:
      return StoreTrouble::read_only;
    default:
      return otherwise;
  }
}

StoreTrouble classify(int code, int system_errno) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return StoreTrouble::damaged;
    case SQLITE_FULL:
      return StoreTrouble::full;
    case SQLITE_READONLY:
      return code == SQLITE_READONLY_DBMOVED ? StoreTrouble::moved : StoreTrouble::read_only;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return from_errno(system_errno, StoreTrouble::unreachable);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return StoreTrouble::busy;
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_CORRUPTFS) return StoreTrouble::damaged;
      return from_errno(system_errno, StoreTrouble::io_error);
    default:
      return StoreTrouble::other;
  }
}

}  // namespace

Diagnosis diagnose(int code, int system_errno, std::string_view text, const std::string& path) {
  const std::string what = fmt::format("store '{}'", path);
  const StoreTrouble trouble = classify(code, system_errno);
  const auto unfit = [&](std::string_view how, std::string hint) {
    return Diagnosis{trouble, fail(Reason::host_unfit, fmt::format("{} {}: {}", what, how, text),
                                   std::move(hint), path)};
  };
  switch (trouble) {
    case StoreTrouble::damaged:
      return unfit("is damaged",
                   fmt::format("move '{0}', '{0}-wal' and '{0}-shm' aside and start again: the "
                               "history of runs begins anew",
                               path));
    case StoreTrouble::full:
      return unfit("cannot grow", "make space on the file system of the state directory");
    case StoreTrouble::read_only:
      return unfit("is read-only",
                   "give the agent's user write access to the file and its directory, and see that "
                   "the file system is mounted read-write");
    case StoreTrouble::unreachable:
      return unfit("cannot be opened",
                   "see that its directory exists and belongs to the agent's user");
    case StoreTrouble::busy: {
      auto held =
          unfit("is held by another process", fmt::format("`fuser -v {}` shows which", path));
      held.error.retryable = true;
      return held;
    }
    case StoreTrouble::io_error:
      return unfit("has an I/O error",
                   "see the kernel's log for the disk of the state directory, and its free space");
    case StoreTrouble::moved:
      return unfit("was moved or removed while it was open", "start the agent again");
    case StoreTrouble::none:
    case StoreTrouble::newer_version:
    case StoreTrouble::foreign:
    case StoreTrouble::other:
      break;
  }
  if ((code & 0xff) == SQLITE_NOMEM) {
    return {trouble, fail(Reason::out_of_memory, fmt::format("{}: {}", what, text), {}, path)};
  }
  return {trouble, fail(Reason::internal_error, fmt::format("{}: {} (code {})", what, text, code),
                        {}, path)};
}

Diagnosis diagnose(int code, sqlite3* connection, const std::string& path) {
  // errmsg is about the last call of the connection, which need not be the one that gave `code`.
  const bool same = connection != nullptr && (sqlite3_errcode(connection) & 0xff) == (code & 0xff);
  std::string text = same ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  int number = 0;
  if (connection != nullptr &&
      ((code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR)) {
    number = sqlite3_system_errno(connection);
    if (number != 0) text += fmt::format(" ({})", std::strerror(number));
  }
  return diagnose(code, number, text, path);
}

}  // namespace rad::store
