// Whether the end of an archive is one that an archiver leaves, or damage that looks like an end.
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

enum class EndKind : std::uint8_t {
  switched,  ///< the last record is a segment switch
  full,      ///< the last record ends with the segment
  crosses,   ///< a record goes on in a segment that is not archived yet
  damaged,   ///< a record claims to go on, but its successor stands in this segment
};

struct WalEnd {
  EndKind kind = EndKind::damaged;
  Lsn next = 0;  ///< where the next record begins
};

/// Judges what follows the last proved record of the last segment, after pg_waldump has read to the
/// end of it. A damaged length makes a record claim the next segment, which nothing there can
/// refute; but its true successor still points back at it. \param segment  content of the last
/// segment; \param begin  its LSN \param last_record  start of the last proved record; may be in an
/// earlier segment
WalEnd judge_end(std::span<const std::byte> segment, Lsn begin, Lsn last_record);

}  // namespace rad::wal_e
