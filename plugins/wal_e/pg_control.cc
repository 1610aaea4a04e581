#include "plugins/wal_e/pg_control.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <boost/crc.hpp>
#include <fmt/format.h>

namespace rad::wal_e {
namespace {

constexpr std::string_view kObject = "global/pg_control";
constexpr std::size_t kEarliestCrc = 200;
constexpr std::size_t kLatestCrc = 504;  // the structure must fit one 512-byte sector
constexpr double kFloatConstant = 1234567.0;

using Crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

template <class T>
T load(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

Error invalid(std::string message) {
  return fail(Reason::metadata_invalid, std::move(message),
              "the server refuses such a file; take a new base backup", std::string(kObject));
}

std::optional<std::size_t> find_crc(std::string_view bytes) {
  Crc32c crc;
  crc.process_bytes(bytes.data(), kEarliestCrc);
  for (std::size_t offset = kEarliestCrc; offset <= kLatestCrc; offset += 4) {
    if (crc.checksum() == load<std::uint32_t>(bytes, offset)) return offset;
    crc.process_bytes(bytes.data() + offset, 4);
  }
  return std::nullopt;
}

std::optional<std::size_t> find_float_constant(std::string_view bytes, std::size_t end) {
  for (std::size_t offset = 128; offset + 56 <= end; offset += 8) {
    if (load<double>(bytes, offset) == kFloatConstant) return offset;
  }
  return std::nullopt;
}

}  // namespace

Result<PgControl> parse_pg_control(std::string_view bytes) {
  if (bytes.size() < 512) {
    return invalid(fmt::format("'{}' has {} bytes, expected 8192", kObject, bytes.size()));
  }
  PgControl result;
  result.version = load<std::uint32_t>(bytes, 8);
  if (result.version != 0 && result.version % 65536 == 0) {
    return fail(Reason::version_unsupported,
                fmt::format("'{}' was written by a big-endian server", kObject),
                "test it on a host of the same architecture", std::string(kObject));
  }
  const auto crc = find_crc(bytes);
  if (!crc) return invalid(fmt::format("'{}' does not match its checksum", kObject));
  const auto constant = find_float_constant(bytes, *crc);
  if (!constant) return invalid(fmt::format("'{}' has no float constant", kObject));

  result.system_identifier = load<std::uint64_t>(bytes, 0);
  result.catalog_version = load<std::uint32_t>(bytes, 12);
  const auto state = load<std::uint32_t>(bytes, 16);
  if (state > 6) return invalid(fmt::format("'{}' has the unknown state {}", kObject, state));
  result.state = static_cast<ClusterState>(state);
  result.checkpoint = load<std::uint64_t>(bytes, 32);
  // Up to version 10 the place before the last checkpoint stands between the two.
  const std::size_t copy = result.version < 1100 ? 48 : 40;
  result.redo = load<std::uint64_t>(bytes, copy);
  result.timeline = load<std::uint32_t>(bytes, copy + 8);
  result.block_bytes = load<std::uint32_t>(bytes, *constant + 8);
  result.segment_bytes = load<std::uint32_t>(bytes, *constant + 20);
  result.data_checksum_version = load<std::uint32_t>(bytes, *constant + 44);
  if (!is_segment_size(result.segment_bytes)) {
    return invalid(
        fmt::format("'{}' gives {} bytes as WAL segment size", kObject, result.segment_bytes));
  }
  if (result.redo == 0 || result.redo > result.checkpoint || result.timeline == 0) {
    return invalid(fmt::format("'{}' has a checkpoint at {} that begins at {} on timeline {}",
                               kObject, format_lsn(result.checkpoint), format_lsn(result.redo),
                               result.timeline));
  }
  if (result.block_bytes != 8192) {
    return fail(Reason::version_unsupported,
                fmt::format("'{}' gives {} bytes as block size; only 8192 is supported", kObject,
                            result.block_bytes),
                "", std::string(kObject));
  }
  return result;
}

}  // namespace rad::wal_e
