// Opening the store so that the agent goes on checking backups whatever has become of the file.
// Why so: docs/adr/0008-a-store-that-cannot-be-used.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/store/store.h"

namespace rad {

enum class StorePlace : std::uint8_t {
  file,      ///< where it belongs
  stand_in,  ///< a file in the runtime directory (tmpfs): survives the agent, not a reboot
  memory,    ///< gone with the process
};
std::string_view to_string(StorePlace value) noexcept;

/// A store that can be written, and what had to be done to have it.
struct OpenedStore {
  Store store;
  StorePlace place = StorePlace::file;
  /// What was wrong with the file; none: all is well. To be said in the log and in a metric.
  StoreTrouble trouble = StoreTrouble::none;
  std::optional<Error> error;               ///< the same with message and hint
  std::filesystem::path moved_to;           ///< where a damaged file lies now, "" if there was none
  std::uint64_t runs = 0;                   ///< taken over from the damaged or unwritable file
  std::uint64_t ledger_entries = 0;         ///< likewise
  std::vector<std::string> damaged_tables;  ///< of which not every row could be taken over
};

/// Opens the file, every page checked.
///   damaged          it is moved to `PATH.damaged-<UTC time>` (with -wal and -shm) after all rows
///                    that can be read have been copied to a new file, which takes its place
///   full, read-only, I/O error
///                    a stand-in in `stand_in_dir` is opened, with all that can be read of the
///                    file; Store::durable() is false and nothing is restored until the file can
///                    be written again. Call again now and then (a minute): when the file is back,
///                    it gets what the stand-in has, and the stand-in is removed
/// \return an error for everything else: a newer agent's or another program's file, no such
/// directory, no rights, held too long by another process.
///
/// A store that is open may be replaced: `store = std::move(opened.store)` keeps references to it
/// good. Do so when store.trouble() is damaged, full, read_only, io_error or moved.
///
/// \param now  names the damaged file. \param stand_in_dir  must exist, else memory is used.
Result<OpenedStore> open_or_set_aside(const std::filesystem::path& path,
                                      const std::filesystem::path& stand_in_dir, TimePoint now,
                                      StoreOptions options = {});

/// The same for a store whose file or log was moved or removed while it was open. `old` is closed:
/// what a lost log has goes into its file. If nothing lies at the path, all that `old` had goes to
/// the new file; if another file does, that one is taken as it is. Where that cannot be opened,
/// memory takes its place. \return an error if `old` could not be given up; it is good then, and
/// must be replaced otherwise.
Result<OpenedStore> open_moved(const std::filesystem::path& path,
                               const std::filesystem::path& stand_in_dir, TimePoint now,
                               Store& old);

}  // namespace rad
