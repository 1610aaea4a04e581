// Preflight: what is tested, pinned. Costs seconds: listings, sentinels, the first bytes of
// objects, one probe of each key, and a few small objects.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/backup_catalog.h"
#include "plugins/wal_e/backup_label.h"
#include "plugins/wal_e/key_check.h"
#include "plugins/wal_e/keyring.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/store_layout.h"
#include "plugins/wal_e/wal_archive.h"
#include "plugins/wal_e/wal_e_options.h"

namespace rad::wal_e {

struct PinnedBackup {
  StoreListing listing;
  ChosenBackup chosen;
  KeyKnowledge keys;
  std::optional<BackupLabel> history;  ///< the ".backup" object of this backup
  Histories histories;
  std::optional<int> major;  ///< from extended_version.txt; 96 for 9.6
  std::string version_text;  ///< "15", "9.6", "" if unknown
  std::uint64_t segment_bytes = kDefaultSegmentBytes;
  std::uint64_t wal_system_identifier = 0;  ///< of the segment that was looked into; 0: none
  bool maybe_offline = false;               ///< its name says nothing about where WAL begins
  TimelinePlan timelines;
  WalPath path;                         ///< empty while maybe_offline
  std::optional<Error> gap_after_stop;  ///< wal_gap, only kept when recovery need not pass it
  std::optional<TimePoint> finished_at;
  bool finished_by_sentinel = false;  ///< finished_at is the sentinel's time: no STOP TIME is known
  std::vector<Finding> findings;
  std::uint64_t bytes_read = 0;

  const std::string& name() const { return chosen.backup.name.text; }
  std::uint32_t timeline() const { return chosen.backup.name.start.timeline; }
  /// LSN that the name gives; nothing for offline backups.
  std::optional<Lsn> start() const;
  /// Where the backup is consistent: STOP WAL LOCATION, else the sentinel's.
  std::optional<Lsn> stop() const;
  std::uint64_t stop_segment() const;
};

struct PinRequest {
  object_store::Storage& storage;
  const DecodeContext& context;
  const WalEOptions& options;
  const Keyring* keyring = nullptr;  ///< null when no gpg_home is set
  TimePoint now;
};

/// \return the first cause why this backup cannot be tested, or is at fault already.
Result<PinnedBackup> pin_backup(const PinRequest& request);

/// Plans timelines and follows WAL from `start`, and looks for gaps. Called by pin_backup(), and
/// again for offline backups once pg_control is known.
/// \return wal_gap or truncated naming the object.
Status pin_wal(PinnedBackup& pinned, Lsn start, const RecoverTo& recover_to);

}  // namespace rad::wal_e
