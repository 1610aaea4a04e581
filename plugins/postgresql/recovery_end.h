// Where recovery ended, on which timeline, and whether it read what it should have. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/model/outcome.h"
#include "plugins/postgresql/lsn.h"
#include "plugins/postgresql/server_log.h"

namespace rad::postgresql {

/// Where and why recovery ended.
struct RecoveryEnd {
  RecoveryPoint point;
  Lsn lsn = 0;         ///< end of the last replayed record
  std::string reason;  ///< as the timeline's history file has it, "" without archive recovery
  RecoveryLog log;
  std::string replaced_segment;  ///< see replaced_segment()
};

/// One line of a timeline history file: `timeline` was left at `lsn`.
struct HistoryLine {
  std::uint32_t timeline = 0;
  Lsn lsn = 0;
  std::string reason;
};
/// Lines that are none are left out.
std::vector<HistoryLine> parse_history(std::string_view text);

/// PostgreSQL takes a segment of an older timeline when that of the newer one is not in the
/// archive, and replays records of a past that was abandoned. `history`: of the timeline that was
/// followed. \return the segment that should have been read at the end of recovery, "" if it was.
std::string replaced_segment(const RecoveryEnd& end, const std::vector<HistoryLine>& history,
                             std::uint64_t segment_bytes);

}  // namespace rad::postgresql
