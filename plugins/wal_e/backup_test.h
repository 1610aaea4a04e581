// Reading a pinned backup: to nothing (verify) or to a data directory (restore).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/evidence.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/wal_e_options.h"

namespace rad::wal_e {

struct TestRequest {
  object_store::Storage& storage;
  DecodeContext context;
  const WalEOptions& options;
  std::filesystem::path scratch;
  /// Stored bytes read so far and in all; from any thread.
  std::function<void(std::uint64_t, std::uint64_t, std::string_view)> on_progress;
};

/// Reads every byte of the backup and of its WAL.
/// \param pinned  an offline backup's WAL is pinned here
/// \return the first cause, with further faults in its detail.
Result<ReadEvidence> verify_backup(const TestRequest& request, PinnedBackup& pinned);

struct RestoredBackup {
  ReadEvidence evidence;
  std::filesystem::path data;
  std::map<std::string, std::filesystem::path> tablespaces;
};

/// Unpacks into `scratch`/data and `scratch`/tablespaces and makes it fit to be started.
Result<RestoredBackup> restore_backup(const TestRequest& request, PinnedBackup& pinned);

/// For a recovery that ended early: proves the segment `number`, the last that it was handed, and
/// the one before, where a record may begin that is damaged in it. \return an object at fault;
/// damage among records is in the result.
Result<ChainResult> prove_wal_around(const TestRequest& request, PinnedBackup& pinned,
                                     const ReadEvidence& evidence, std::uint64_t number);

}  // namespace rad::wal_e
