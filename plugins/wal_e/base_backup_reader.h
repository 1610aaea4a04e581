// All tar partitions of one base backup in one pass: decode -> tar -> page checksums -> files or
// nothing. Partitions run in parallel; memory is bounded by their number, not by the backup.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/object_stream.h"

namespace rad::wal_e {

/// A relation page whose checksum does not match its content.
struct SuspectPage {
  std::string path;         ///< member name of the file, e.g. "base/16384/16385.1"
  std::uint64_t block = 0;  ///< block number in the relation fork, segments counted
  bool partial = false;     ///< the file ends inside this page
};

struct ReadOptions {
  std::vector<object_store::ObjectInfo> partitions;  ///< in the order of their numbers
  unsigned parallel = 0;         ///< partitions at once; 0: as many as there are cores
  std::filesystem::path target;  ///< where files go; empty: nothing is written
  /// Directories for tablespaces by OID, absolute; needed for every OID that members name.
  std::map<std::string, std::filesystem::path> tablespaces;
  std::uint64_t max_member_bytes = 0;  ///< refuse larger claims (unsafe_content); 0: no bound
  bool keep_going = false;  ///< verify: read the other partitions after a fault and list them all
  /// Called from any reader thread, often: bytes as stored, done so far over all partitions.
  std::function<void(std::uint64_t)> on_progress;
};

/// What was found in the tars. Small: texts of files that matter, counts, lists of odd things.
struct BaseBackupContent {
  std::uint64_t members = 0;
  std::uint64_t member_bytes = 0;  ///< sum of the sizes of all members
  std::uint64_t stored_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t pages_checked = 0;    ///< with a checksum field that is set
  std::uint64_t pages_unset = 0;      ///< not empty and without checksum
  std::uint64_t pages_empty = 0;      ///< all zero: never written
  std::vector<SuspectPage> suspects;  ///< at most 100 000
  std::vector<SuspectPage> unset;     ///< at most 100 000 of pages_unset
  bool suspects_cut = false;
  std::string pg_version;  ///< text of PG_VERSION, trimmed, "" if missing
  std::string pg_control;  ///< bytes of global/pg_control, "" if missing
  std::string backup_label;
  std::string tablespace_map;
  std::vector<std::string> tablespaces_seen;  ///< OIDs below pg_tblspc with members
  std::vector<std::string> links_left_out;    ///< "name -> target" of symbolic links not created
  std::uint64_t links_not_listed = 0;         ///< further ones
  std::vector<std::uint64_t> members_per_partition;
  std::vector<std::uint64_t> bytes_per_partition;  ///< member sizes
  std::vector<std::string> init_forks;             ///< "base/16384/16390": unlogged relations
  bool encrypted_any = false;
  bool plain_any = false;
  std::vector<std::string> key_ids;
  std::vector<std::string> gpg_notes;
  std::vector<Error> faults;  ///< in the order of partition numbers; empty if all is well
};

/// Reads everything. Faults of the backup are in `faults`; the returned Error is for the host's
/// troubles and for a stop (cancelled, scratch_full, tool_missing, key_unavailable, ...).
Result<BaseBackupContent> read_base_backup(object_store::Storage& storage,
                                           const DecodeContext& context,
                                           const ReadOptions& options);

}  // namespace rad::wal_e
