#include "plugins/wal_e/backup_list.h"

#include <algorithm>
#include <tuple>

namespace rad::wal_e {
namespace {

/// With segments of another size than the default the name does not tell.
std::string start_lsn(const BackupName& name) {
  const auto number = segment_number(name.start, kDefaultSegmentBytes);
  if (!number || !name.offset || *name.offset >= kDefaultSegmentBytes) return "";
  return format_lsn(*number * kDefaultSegmentBytes + *name.offset);
}

protocol::ListedBackup describe(const StoredBackup& stored) {
  protocol::ListedBackup backup;
  backup.name = stored.name.text;
  if (stored.extended_version) backup.started_at = stored.extended_version->modified;
  backup.finished_at = stored.sentinel ? stored.sentinel->modified : stored.last_change;
  backup.timeline = stored.name.start.timeline;
  backup.start_lsn = start_lsn(stored.name);
  backup.stored_bytes = stored.stored_bytes();
  const Status partitions = check_partitions(stored);
  backup.complete = stored.sentinel && partitions;
  if (!stored.sentinel) {
    backup.note = "no sentinel: it is being pushed, or the push has died";
  } else if (!partitions) {
    backup.note = partitions.error().message;
  } else {
    // STOP TIME would cost a decryption for each; `preflight` reads it for the one that it pins.
    backup.note = "its end is the time of the sentinel in the storage, which copying changes";
  }
  return backup;
}

}  // namespace

std::vector<protocol::ListedBackup> list_backups(const StoreListing& listing) {
  std::vector<const StoredBackup*> stored;
  for (const auto& [name, backup] : listing.backups) stored.push_back(&backup);
  std::ranges::sort(stored, [](const StoredBackup* one, const StoredBackup* other) {
    const auto place = [](const StoredBackup* backup) {
      return std::tuple(backup->name.start, backup->name.offset.value_or(0), backup->name.text);
    };
    return place(one) > place(other);
  });
  if (stored.size() > protocol::kMaxBackups) stored.resize(protocol::kMaxBackups);
  std::vector<protocol::ListedBackup> backups;
  backups.reserve(stored.size());
  for (const StoredBackup* one : stored) backups.push_back(describe(*one));
  return backups;
}

}  // namespace rad::wal_e
