// The artifact that this plugin makes an instance of, and what has to be put right in it before a
// server may be started on it. Everything in it came out of a backup and is hostile.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/artifact.h"

namespace rad::postgresql {

inline constexpr const char* kArtifactKind = "postgresql_data_directory";

/// Where recovery shall end.
struct RecoverTo {
  enum class Kind { latest, immediate, time, lsn, name };
  Kind kind = Kind::latest;
  std::string value;         ///< time (RFC 3339 or PostgreSQL's form), LSN or restore point name
  std::string text() const;  ///< "latest", "time 2026-…"
};

/// The end of the archive as the restore plugin saw it.
struct ArchiveEnd {
  std::string segment;  ///< name of the last segment on the timeline that recovery follows
  std::uint32_t timeline = 0;
  std::uint64_t last_record_lsn = 0;  ///< where the last whole record in it starts
  bool clean = true;                  ///< false: after it come bytes that are damaged
};

struct Tablespace {
  std::string oid;
  std::filesystem::path path;
};

struct SuspectPage {
  std::string path;         ///< relative to the data directory
  std::uint64_t block = 0;  ///< in the relation fork, segments counted
};

/// The properties of the artifact, checked.
struct DataDirectory {
  std::filesystem::path path;
  int major = 0;
  std::string system_identifier;  ///< "" if the restore plugin does not know it
  std::vector<Tablespace> tablespaces;
  std::vector<std::string> restore_command;  ///< empty: no archive
  std::string backup_start_lsn;              ///< "" for an offline backup
  std::string backup_stop_lsn;               ///< "" for an offline backup
  bool offline = false;
  RecoverTo recover_to;
  std::optional<ArchiveEnd> archive_end;
  std::uint64_t wal_segment_bytes = 16U << 20U;
  std::vector<SuspectPage> suspects;
  bool suspects_cut = false;  ///< any page may be suspect, not only those
};

/// \return plugin_protocol naming the property; config_invalid for a recovery target that cannot
/// be.
Result<DataDirectory> data_directory_from(const Artifact& artifact);

/// PG_VERSION of the directory. \return metadata_invalid when it is missing or no number.
Result<int> data_directory_major(const std::filesystem::path& path);

/// Puts right what would let the backup's own settings, links or slots act on this host: takes away
/// postmaster.pid, signal files, recovery.conf, replication slots; sets postgresql.auto.conf aside
/// as postgresql.auto.conf.from-backup. Idempotent, so that a second start works.
/// \return unsafe_content when pg_wal or a tablespace leads out of the artifact, host_unfit when
///   this account may not change the directory.
Status prepare_data_directory(const DataDirectory& data);

}  // namespace rad::postgresql
