// One WAL segment: from the store to a file, and what its first page says. Source of the layout and
// the magic numbers: PostgreSQL's xlog_internal.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

inline constexpr std::size_t kWalPageBytes = 8192;
inline constexpr std::size_t kLongHeaderBytes = 40;
inline constexpr std::size_t kShortHeaderBytes = 24;

/// The long header that begins every segment.
struct SegmentHead {
  std::uint16_t magic = 0;
  std::uint32_t timeline = 0;
  Lsn address = 0;
  std::uint32_t continued_bytes = 0;  ///< of a record that began in the segment before
  std::uint64_t system_identifier = 0;
  std::uint32_t segment_bytes = 0;
  std::uint32_t page_bytes = 0;
};

/// \return nothing if there are fewer than 40 bytes or no long header.
std::optional<SegmentHead> parse_segment_head(std::span<const std::byte> bytes) noexcept;

/// Major version of PostgreSQL that writes this magic: 9.5 is 95, 9.6 is 96, then 10, 11, ...
/// \return nothing for a magic that is not known here.
std::optional<int> major_of_magic(std::uint16_t magic) noexcept;

/// What a segment must agree with.
struct SegmentExpectation {
  SegmentName name;
  std::uint64_t segment_bytes = kDefaultSegmentBytes;
  std::uint64_t system_identifier = 0;  ///< 0: not known yet
  std::uint16_t magic = 0;              ///< 0: not known yet
};

/// \return wal_damaged naming the object: another segment's content, another cluster, no header.
Status check_segment_head(const std::optional<SegmentHead>& head, const SegmentExpectation& wanted,
                          const std::string& object);

struct DecodedSegment {
  SegmentHead head;
  DecodedInfo info;
};

/// Decodes one segment and checks its length and head.
/// \param fd  where the content goes; -1: nowhere. What was written counts only after success.
/// \return decode_object()'s reasons, truncated or wal_damaged for a wrong length, wal_damaged for
///   a wrong head, scratch_full.
Result<DecodedSegment> decode_segment(object_store::Storage& storage,
                                      const object_store::ObjectInfo& object,
                                      const DecodeContext& context,
                                      const SegmentExpectation& wanted, int fd);

/// Reads only the beginning of a segment; the rest of the object is not proved.
Result<SegmentHead> read_segment_head(object_store::Storage& storage,
                                      const object_store::ObjectInfo& object,
                                      const DecodeContext& context);

}  // namespace rad::wal_e
