// What the content of a base backup says of itself, and whether it agrees with its name, its
// sentinel and the archive. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/wal_e/backup_label.h"
#include "plugins/wal_e/base_backup_reader.h"
#include "plugins/wal_e/pg_control.h"
#include "plugins/wal_e/pinned_backup.h"

namespace rad::wal_e {

struct BaseFacts {
  int major = 0;  ///< 15; 96 for 9.6
  std::string version_text;
  PgControl control;
  std::optional<BackupLabel> label;  ///< nothing: an offline backup
  bool offline = false;
  Lsn start = 0;  ///< where recovery begins: label's start, else pg_control's redo
  Lsn stop = 0;   ///< 0 for offline backups
  bool has_checksums = false;
};

/// \return metadata_invalid or missing_object with the file or object at fault.
Result<BaseFacts> learn_facts(const BaseBackupContent& content, const PinnedBackup& pinned);

/// Tablespaces that the sentinel names and that have no members: missing_object.
Status check_tablespaces(const BaseBackupContent& content, const PinnedBackup& pinned);

struct SizeVerdict {
  std::optional<Error> error;      ///< metadata_invalid (more bytes), missing_object (a partition)
  std::optional<Finding> finding;  ///< fewer_bytes
};
/// Sum of member sizes against the sentinel. A file that vanishes between planning and reading is
/// counted and absent, so fewer bytes are normal on a busy cluster. They are a missing partition
/// where the last one was full as WAL-E counts (6144 members, or the shortfall would have filled it
/// to 1.5 GiB) and no relation was dropped meanwhile. \param dropped_relations  in the WAL between
/// start and stop
SizeVerdict judge_size(const BaseBackupContent& content, const PinnedBackup& pinned,
                       std::uint64_t dropped_relations);

}  // namespace rad::wal_e
