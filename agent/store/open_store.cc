#include "agent/store/open_store.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "agent/store/schema.h"
#include "agent/store/store_impl.h"
#include "agent/store/transfer.h"

namespace rad {
namespace {

namespace fs = std::filesystem;
using store::Database;

/// Less free space than this is a full disk: a store that runs full in every other call is worse
/// than one that is known to be full.
constexpr std::uint64_t kNeededFreeBytes = 128U << 10;
constexpr const char* kStandInName = "store-stand-in.db";
/// Set in a stand-in that began with everything that was in the file.
constexpr std::string_view kCompleteCopy = "complete_copy";

fs::path with_suffix(fs::path path, std::string_view suffix) {
  path += suffix;
  return path;
}

void remove_files(const fs::path& path) {
  std::error_code ignored;
  for (const char* suffix : {"-wal", "-shm", ""}) fs::remove(with_suffix(path, suffix), ignored);
}

Status put_note(Database& database, std::string_view key, std::string_view value) {
  return store::status_of(
      store::change(database, "INSERT OR REPLACE INTO notes (key, value) VALUES (?1, ?2)",
                    [&](store::Statement& write) { write.bind(1, key).bind(2, value); }));
}

Result<bool> is_complete_copy(Database& database) {
  RAD_TRY(auto find, database.prepare("SELECT 1 FROM notes WHERE key = ?1"));
  find.bind(1, kCompleteCopy);
  return find.step();
}

/// Whether the store takes a write now, and some more.
Status try_to_write(Store& store, const fs::path& path, TimePoint now, StoreTrouble& trouble) {
  Database& database = StoreAccess::database(store);
  Status written = put_note(database, "opened_ms", std::to_string(store::to_ms(now)));
  trouble = written ? StoreTrouble::none : database.trouble();
  if (!written) return written;
  const auto free = free_bytes(path.parent_path());
  if (free && *free < kNeededFreeBytes) {
    trouble = StoreTrouble::full;
    return fail(Reason::host_unfit,
                fmt::format("store '{}' cannot grow: {} bytes are free on its file system, {} are "
                            "needed",
                            path.string(), *free, kNeededFreeBytes),
                "make space on the file system of the state directory", path.string());
  }
  return {};
}

Status move(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return {};
  return fail(Reason::host_unfit,
              fmt::format("'{}' cannot be moved to '{}': {}", from.string(), to.string(),
                          std::strerror(errno)),
              "move it aside by hand", from.string());
}

void sync_directory(const fs::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) (void)::fsync(fd.get());
}

void take_over(OpenedStore& opened, const store::Transferred& transferred) {
  opened.runs = transferred.runs;
  opened.ledger_entries = transferred.ledger_entries;
  opened.damaged_tables = transferred.damaged_tables;
}

/// "20261121T001729Z".
std::string compact(TimePoint time) {
  std::string text = format_rfc3339(time);
  text.erase(text.find('.'));
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

/// Makes a new file with all that can be read of the damaged one.
Result<store::Transferred> salvage(const fs::path& damaged, const fs::path& into) {
  remove_files(into);
  RAD_TRY(Store fresh, Store::open(into));
  auto from = Database::open_reading(damaged);
  if (!from) return store::Transferred{.damaged_tables = {"all"}};
  return store::transfer(*from, StoreAccess::database(fresh), false);
}

/// The new file is complete before the damaged one leaves its place. The log goes before its
/// database: left behind, it would be taken for that of the new file.
Result<OpenedStore> set_aside(const fs::path& path, TimePoint now, const StoreOptions& options,
                              Error error) {
  const fs::path fresh = with_suffix(path, ".new");
  RAD_TRY(const store::Transferred transferred, salvage(path, fresh));
  const fs::path first = with_suffix(path, ".damaged-" + compact(now));
  fs::path aside = first;
  for (int i = 2; fs::exists(aside) && i < 1000; ++i) {
    aside = with_suffix(first, fmt::format("-{}", i));
  }
  if (::link(path.c_str(), aside.c_str()) != 0) RAD_CHECK(move(path, aside));
  for (const char* suffix : {"-wal", "-shm"}) {
    RAD_CHECK(move(with_suffix(path, suffix), with_suffix(aside, suffix)));
  }
  RAD_CHECK(move(fresh, path));
  sync_directory(path.parent_path());
  RAD_TRY(Store opened_again, Store::open(path, options));
  OpenedStore opened{.store = std::move(opened_again),
                     .trouble = StoreTrouble::damaged,
                     .error = std::move(error),
                     .moved_to = aside};
  take_over(opened, transferred);
  return opened;
}

/// Fills a store that is to stand in for the file.
Status fill(OpenedStore& opened, const fs::path& path) {
  Database& to = StoreAccess::database(opened.store);
  auto from = Database::open_reading(path);
  if (!from) {
    opened.damaged_tables = {"all"};
    return {};
  }
  RAD_TRY(const auto transferred, store::transfer(*from, to, false));
  take_over(opened, transferred);
  return transferred.damaged_tables.empty() ? put_note(to, kCompleteCopy, "yes") : Status();
}

Result<OpenedStore> stand_in(const fs::path& path, const fs::path& directory, StoreTrouble trouble,
                             Error error) {
  const fs::path file = directory / kStandInName;
  const auto describe = [&](Database database, StorePlace place) {
    return OpenedStore{.store = StoreAccess::make(std::move(database), false),
                       .place = place,
                       .trouble = trouble,
                       .error = error};
  };
  std::error_code ignored;
  if (!directory.empty() && fs::is_directory(directory, ignored)) {
    const bool there = fs::exists(file, ignored);
    auto database = Database::open(file, {});
    if (database && store::migrate(*database)) {
      OpenedStore opened = describe(std::move(*database), StorePlace::stand_in);
      if (there || fill(opened, path)) return opened;
      remove_files(file);
    }
  }
  RAD_TRY(Database memory, Database::open_memory());
  RAD_CHECK(store::migrate(memory));
  OpenedStore opened = describe(std::move(memory), StorePlace::memory);
  RAD_CHECK(fill(opened, path));
  return opened;
}

/// What a stand-in has goes to the file. One that cannot be read is left where it is.
Status take_back(Store& store, const fs::path& directory) {
  const fs::path file = directory / kStandInName;
  std::error_code ignored;
  if (directory.empty() || !fs::exists(file, ignored)) return {};
  auto other = Store::open(file);
  if (!other) return {};
  Database& from = StoreAccess::database(*other);
  // Nobody else adds anything from here on: afterwards they find that the file is gone.
  RAD_TRY(auto transaction, store::Transaction::begin(from));
  RAD_CHECK(store.adopt(*other));
  remove_files(file);
  return {};
}

bool can_stand_in_for(StoreTrouble trouble) {
  return trouble == StoreTrouble::full || trouble == StoreTrouble::read_only ||
         trouble == StoreTrouble::io_error;
}

}  // namespace

std::string_view to_string(StorePlace value) noexcept {
  switch (value) {
    case StorePlace::file:
      return "file";
    case StorePlace::stand_in:
      return "stand_in";
    case StorePlace::memory:
      break;
  }
  return "memory";
}

Status Store::adopt(Store& other) {
  RAD_TRY(const bool complete, is_complete_copy(other.impl_->database));
  return store::status_of(store::transfer(other.impl_->database, impl_->database, complete));
}

Result<OpenedStore> open_or_set_aside(const fs::path& path, const fs::path& stand_in_dir,
                                      TimePoint now, StoreOptions options) {
  options.check_whole = true;
  StoreTrouble trouble = StoreTrouble::none;
  auto opened = Store::open(path, options, &trouble);
  std::optional<UniqueFd> lock;
  if (!opened && trouble == StoreTrouble::damaged) {
    // Of two processes that find the damage one sets the file aside, the other finds a good one.
    auto locked = lock_file(with_suffix(path, ".lock"));
    if (!locked && locked.error().reason == Reason::target_busy) {
      Error error = std::move(opened).error();
      error.retryable = true;
      error.hint = "another process is setting it aside: try again";
      return error;
    }
    if (locked) lock = *std::move(locked);
    opened = Store::open(path, options, &trouble);
    if (!opened && trouble == StoreTrouble::damaged) {
      const Error error = opened.error();
      auto replaced = set_aside(path, now, options, error);
      if (replaced) {
        RAD_CHECK(take_back(replaced->store, stand_in_dir));
        return replaced;
      }
      return stand_in(path, stand_in_dir, trouble, error);
    }
  }
  if (!opened) {
    if (!can_stand_in_for(trouble)) return std::move(opened).error();
    return stand_in(path, stand_in_dir, trouble, std::move(opened).error());
  }
  Status usable = try_to_write(*opened, path, now, trouble);
  if (usable) usable = take_back(*opened, stand_in_dir);
  if (!usable) {
    if (trouble == StoreTrouble::none) trouble = opened->trouble();
    if (!can_stand_in_for(trouble)) return usable.error();
    return stand_in(path, stand_in_dir, trouble, usable.error());
  }
  return OpenedStore{.store = *std::move(opened)};
}

Result<OpenedStore> open_moved(const fs::path& path, const fs::path& stand_in_dir, TimePoint now,
                               Store& old) {
  std::error_code ignored;
  const bool gone = fs::symlink_status(path, ignored).type() == fs::file_type::not_found;
  RAD_TRY(Database database, Database::open_memory());
  RAD_CHECK(store::migrate(database));
  OpenedStore memory{.store = StoreAccess::make(std::move(database), false),
                     .place = StorePlace::memory,
                     .trouble = StoreTrouble::moved};
  Database& from = StoreAccess::database(old);
  if (gone) {
    RAD_TRY(const auto all, store::transfer(from, StoreAccess::database(memory.store), false));
    take_over(memory, all);
  } else {
    (void)from.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  // Two connections of one process that know different logs by the same name spoil both.
  { const Store closed = std::move(old); }
  auto opened = open_or_set_aside(path, stand_in_dir, now);
  Status usable = opened ? Status() : opened.error();
  if (usable && gone) usable = opened->store.adopt(memory.store);
  if (usable) return opened;
  memory.error = std::move(usable).error();
  return memory;
}

}  // namespace rad
