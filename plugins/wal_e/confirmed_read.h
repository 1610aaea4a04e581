// Reading all partitions so that a fault counts only when two reads have seen it, and saying whose
// fault it is.
#pragma once

#include <functional>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/base_backup_reader.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/pinned_backup.h"

namespace rad::wal_e {

/// The context for reading `objects` objects with `parallel` threads in all: what is not needed to
/// read several at once decodes the blocks of each.
DecodeContext context_for(const DecodeContext& context, unsigned parallel, std::size_t objects);

class ConfirmedRead {
 public:
  /// All are borrowed.
  ConfirmedRead(object_store::Storage& storage, const DecodeContext& context, unsigned parallel,
                const PinnedBackup& pinned);

  /// Reads every partition; again from the start if a fault was not seen twice.
  /// \param options  target, tablespaces and on_progress; the rest is set here
  /// \param start_over  makes the target empty again
  /// \return the first cause, with further faults in its detail.
  Result<BaseBackupContent> read(ReadOptions options, const std::function<Status()>& start_over);

  /// backup_removed when an object and the backup's sentinel are both gone; the verdict on keys.
  Error whose_fault(Error error) const;
  /// The first of them, the messages of the others in its detail.
  Error first_of(std::vector<Error> faults) const;

  /// read_error_not_repeated
  const std::vector<Finding>& findings() const noexcept { return findings_; }

 private:
  Result<BaseBackupContent> pass(ReadOptions options) const;
  bool confirm(std::vector<Error>& faults);
  bool seen_again(const Error& fault) const;

  object_store::Storage& storage_;
  const DecodeContext& context_;
  unsigned parallel_;
  const PinnedBackup& pinned_;
  std::vector<Finding> findings_;
};

}  // namespace rad::wal_e
