// Names and numbers of PostgreSQL's write-ahead log: LSNs, segment names, WAL-E's backup names,
// timeline histories. Pure; every text is hostile input.
// Source of the formats: PostgreSQL's xlog_internal.h, WAL-E's storage layout "005".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"

namespace rad::wal_e {

using Lsn = std::uint64_t;

inline constexpr std::uint64_t kDefaultSegmentBytes = std::uint64_t{16} << 20U;

/// "0/5000028".
std::string format_lsn(Lsn lsn);
std::optional<Lsn> parse_lsn(std::string_view text) noexcept;

/// Segment sizes that initdb allows: powers of two from 1 MiB to 1 GiB.
bool is_segment_size(std::uint64_t bytes) noexcept;

/// The three 32-bit numbers of a segment's file name, whatever the segment size.
struct SegmentName {
  std::uint32_t timeline = 0;
  std::uint32_t log = 0;
  std::uint32_t seg = 0;
  friend auto operator<=>(const SegmentName&, const SegmentName&) = default;
};

std::string to_string(const SegmentName& name);
/// Exactly 24 upper-case hex digits.
std::optional<SegmentName> parse_segment_name(std::string_view text) noexcept;

/// Consecutive number of a segment over all logs. \return nothing if `seg` is too large for the
/// size.
std::optional<std::uint64_t> segment_number(const SegmentName& name,
                                            std::uint64_t segment_bytes) noexcept;
SegmentName segment_name(std::uint32_t timeline, std::uint64_t number,
                         std::uint64_t segment_bytes) noexcept;

/// "base_<24 hex>_<8 digits>": the segment and the decimal byte offset of the backup's start. In
/// offline backups of WAL-E both are wrong and the offset may hold hex digits.
struct BackupName {
  std::string text;
  SegmentName start;
  std::optional<std::uint32_t> offset;  ///< nothing if it is not a decimal number
};
std::optional<BackupName> parse_backup_name(std::string_view text);

enum class WalFileKind : std::uint8_t { segment, partial, history, backup_history };

/// A file that PostgreSQL archives, by its name without WAL-E's ".lzo".
struct WalFileName {
  WalFileKind kind = WalFileKind::segment;
  SegmentName segment;       ///< history: only the timeline is set
  std::uint32_t offset = 0;  ///< backup_history: offset of the start in the segment
};
std::optional<WalFileName> parse_wal_file_name(std::string_view name) noexcept;

/// One line of a history: `timeline` was left at `switch_point`.
struct TimelineSwitch {
  std::uint32_t timeline = 0;
  Lsn switch_point = 0;
};

/// The ancestors of `timeline`, oldest first.
/// \return metadata_invalid naming the line; ancestors must ascend and be older than `timeline`.
Result<std::vector<TimelineSwitch>> parse_history(std::string_view text, std::uint32_t timeline,
                                                  std::string_view object);

/// "wal_005/<name>.lzo".
std::string wal_key(std::string_view name);
inline std::string wal_key(const SegmentName& name) {
  return wal_key(to_string(name));
}

}  // namespace rad::wal_e
