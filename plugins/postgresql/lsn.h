// Positions in the write-ahead log and the names of the segments that hold them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rad::postgresql {

/// A byte position in the log. Text form as PostgreSQL prints it: "0/721B598".
using Lsn = std::uint64_t;

std::optional<Lsn> parse_lsn(std::string_view text);
std::string format_lsn(Lsn lsn);

/// Name of a WAL segment, taken apart.
struct Segment {
  std::uint32_t timeline = 0;
  std::uint64_t number = 0;  ///< position of its first byte divided by the segment size
};

/// `segment_bytes`: a power of two between 1 MiB and 1 GiB (initdb --wal-segsize).
/// \return nothing unless `name` is 24 upper-case hex digits that fit the segment size.
std::optional<Segment> parse_segment(std::string_view name, std::uint64_t segment_bytes);
std::string format_segment(const Segment& segment, std::uint64_t segment_bytes);
/// The segment on `timeline` that holds the byte at `lsn`.
std::string segment_at(std::uint32_t timeline, Lsn lsn, std::uint64_t segment_bytes);

bool valid_segment_bytes(std::uint64_t segment_bytes) noexcept;

}  // namespace rad::postgresql
