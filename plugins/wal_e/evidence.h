// What a run has found out about one backup, for the answers to checks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "agent/model/words.h"
#include "plugins/wal_e/base_backup_reader.h"
#include "plugins/wal_e/base_facts.h"
#include "plugins/wal_e/pinned_backup.h"
#include "plugins/wal_e/wal_validate.h"

namespace rad::wal_e {

/// The result of `verify` or `restore`.
struct ReadEvidence {
  BaseBackupContent content;
  BaseFacts facts;
  std::optional<ChainResult> chain;      ///< verify: all WAL; restore: the archive's end only
  std::optional<Error> unproved;         ///< version_unsupported: no pg_waldump of this major
  std::vector<SuspectPage> unexplained;  ///< bad, and nothing excuses it
  std::vector<SuspectPage> to_judge;     ///< restore: must be good after recovery
  std::uint64_t suspects = 0;            ///< pages with a wrong checksum in the copy
  bool suspects_cut = false;             ///< there are more than could be kept
  std::uint64_t dropped_relations = 0;
  std::vector<Finding> findings;
  std::uint64_t bytes_read = 0;
};

struct Evidence {
  Depth depth = Depth::inspect;
  std::optional<PinnedBackup> pinned;
  std::optional<ReadEvidence> read;
  std::optional<Error> failure;  ///< of verify or restore
  bool to_archive_end = false;   ///< recovery is asked to go there
  std::uint64_t last_served =
      0;  ///< restore: number of the last segment handed to recovery; 0: none
};

}  // namespace rad::wal_e
