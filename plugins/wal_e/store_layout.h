// A listing of a WAL-E store, sorted into backups and WAL. Pure. The layout is WAL-E's "005":
//
//   basebackups_005/base_<SEG>_<OFF>_backup_stop_sentinel.json     written last: "complete"
//   basebackups_005/base_<SEG>_<OFF>/extended_version.txt          written first
//   basebackups_005/base_<SEG>_<OFF>/tar_partitions/part_<n>.tar.lzo
//   wal_005/<archived file name>.lzo
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

inline constexpr std::string_view kBackupsPrefix = "basebackups_005/";
inline constexpr std::string_view kWalPrefix = "wal_005/";

struct Partition {
  std::uint64_t number = 0;
  bool padded = true;  ///< eight digits, as WAL-E 0.7 and later write
  object_store::ObjectInfo object;
};

struct StoredBackup {
  BackupName name;
  std::optional<object_store::ObjectInfo> sentinel;
  std::optional<object_store::ObjectInfo> extended_version;
  std::vector<Partition> partitions;  ///< by number
  TimePoint last_change{};            ///< newest of its objects

  std::uint64_t stored_bytes() const;
};

/// A WAL object without its name's text: archives hold hundreds of thousands.
struct WalObject {
  SegmentName name;
  std::uint64_t size = 0;
  TimePoint modified{};
};

struct WalListing {
  std::vector<WalObject> segments;  ///< by timeline, log, seg
  std::vector<WalObject> partials;
  std::map<std::uint32_t, object_store::ObjectInfo> histories;       ///< by timeline
  std::map<std::string, object_store::ObjectInfo> backup_histories;  ///< by file name

  const WalObject* find(const SegmentName& name) const;
};

struct StoreListing {
  std::map<std::string, StoredBackup> backups;  ///< by name
  WalListing wal;
};

/// \param backups  listing of kBackupsPrefix; \param wal  listing of kWalPrefix
StoreListing arrange(const std::vector<object_store::ObjectInfo>& backups,
                     const std::vector<object_store::ObjectInfo>& wal);

std::string sentinel_key(std::string_view backup);
std::string partition_key(std::string_view backup, std::uint64_t number, bool padded);

/// Whether the numbers run from 0 without a gap, each once, all written the same way, none empty.
/// \return missing_object or truncated naming the object, metadata_invalid for two of one number.
Status check_partitions(const StoredBackup& backup);

}  // namespace rad::wal_e
