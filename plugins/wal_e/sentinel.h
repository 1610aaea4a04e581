// "<backup>_backup_stop_sentinel.json": what WAL-E writes last, so that its presence means
// "complete". Hostile input, fuzzed (tests/fuzz/sentinel).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

/// Larger sentinels are refused: a real one has some hundred bytes and about 100 per tablespace.
inline constexpr std::size_t kMaxSentinelBytes = std::size_t{1} << 20U;

struct TablespaceSpec {
  std::string oid;       ///< decimal digits
  std::string location;  ///< directory on the source, for messages only
};

struct Sentinel {
  SegmentName stop_segment;
  std::optional<std::uint32_t> stop_offset;     ///< nothing if it is not a decimal number
  std::optional<std::uint64_t> expanded_bytes;  ///< sum of member sizes as planned
  std::string base_prefix;                      ///< data directory on the source
  std::vector<TablespaceSpec> tablespaces;
};

/// \param object  key, for messages
/// \return metadata_invalid naming the object and what is wrong with it.
Result<Sentinel> parse_sentinel(std::string_view text, std::string_view object);

}  // namespace rad::wal_e
