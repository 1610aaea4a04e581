// backup_label of a base backup and the ".backup" object of the archive, which has the same lines
// and the end of the backup besides. Pure; hostile input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

struct BackupLabel {
  Lsn start = 0;
  SegmentName start_segment;
  Lsn checkpoint = 0;
  std::optional<std::uint32_t> timeline;  ///< since PostgreSQL 11
  bool from_standby = false;
  std::optional<Lsn> stop;             ///< .backup only
  std::optional<TimePoint> stop_time;  ///< .backup only, and only if its zone is UTC or an offset
  std::string stop_time_text;          ///< as written
};

/// \return metadata_invalid naming the line that is missing or contradicts another.
Result<BackupLabel> parse_backup_label(std::string_view text, std::string_view object);

}  // namespace rad::wal_e
