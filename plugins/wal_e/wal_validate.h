// All WAL from the backup's start to the end of the archive, decoded and proved record by record by
// the matching major's pg_waldump, as one chain: each window of segments is read on from the last
// record that the window before it has proved, so that no record at a seam is left out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/wal_archive.h"
#include "plugins/wal_e/wal_end.h"
#include "plugins/wal_e/wal_segment.h"

namespace rad::wal_e {

/// Finds pg_waldump of `major`. \param pattern  directory with "{major}" in it, e.g.
/// "/usr/lib/postgresql/{major}/bin". \return nothing if this host has none.
std::optional<std::filesystem::path> find_waldump(const std::string& pattern, int major);

struct ChainOptions {
  std::filesystem::path waldump;  ///< empty: the records stay unproved, but every byte is read
  int major = 0;
  std::filesystem::path directory;      ///< scratch for a few segments; made and removed here
  Lsn start = 0;                        ///< where a record begins; in path.first
  Lsn stop = 0;                         ///< records before it are shown to `on_record`; 0: none
  Lsn show_from = 0;                    ///< windows that end before it are not shown
  std::uint64_t system_identifier = 0;  ///< 0: taken from the first segment
  unsigned parallel = 1;                ///< segments decoded at once
  /// One line of pg_waldump for each record that begins before `stop`.
  std::function<void(std::string_view)> on_record;
  std::function<void(std::uint64_t)> on_progress;  ///< stored bytes of one more segment; any thread
};

struct ChainResult {
  std::uint64_t segments = 0;
  std::uint64_t stored_bytes = 0;
  Lsn last_record = 0;  ///< the last good one; 0 when the records stay unproved
  WalEnd end;           ///< valid if `proved` and there is no damage
  bool proved = false;
  std::optional<Error> damage;    ///< wal_damaged naming the object: records end before the archive
  std::vector<Finding> findings;  ///< read_error_not_repeated
};

/// \param path  must have no gap from its first step on.
/// \return the first object at fault: decode_object()'s reasons, truncated, wal_damaged. Damage
/// among
///   records is in the result. Each was seen twice.
Result<ChainResult> validate_chain(object_store::Storage& storage, const DecodeContext& context,
                                   const WalPath& path, const ChainOptions& options);

}  // namespace rad::wal_e
