// Which backup is meant. WAL-E's own LATEST is the sentinel with the newest modification time,
// which copies, replication and tiering change; here it is the greatest (timeline, LSN), and a
// difference between the two is a finding.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/sentinel.h"
#include "plugins/wal_e/store_layout.h"

namespace rad::wal_e {

struct ChosenBackup {
  StoredBackup backup;
  Sentinel sentinel;
  std::vector<Finding> findings;  ///< latest_differs_by_time, sentinel_invalid, unfinished_backup
  std::optional<Error> overdue;   ///< no_backup: a newer one was begun long ago and never finished
};

/// Reads every sentinel.
/// \param wanted  "latest" or a backup's name
/// \return no_backup; metadata_invalid naming the chosen backup's sentinel; the storage's errors.
Result<ChosenBackup> choose_backup(object_store::Storage& storage, const StoreListing& listing,
                                   const std::string& wanted, TimePoint now,
                                   std::chrono::milliseconds unfinished_after);

/// Whole content of a small object that is never compressed nor encrypted.
/// \return the storage's errors, metadata_invalid when it is larger than `max_bytes`.
Result<std::string> read_plain_object(object_store::Storage& storage,
                                      const object_store::ObjectInfo& object,
                                      std::size_t max_bytes);

}  // namespace rad::wal_e
