// global/pg_control: what the cluster says of itself. Pure; hostile input.
//
// Versions differ in where the later fields are, so those are found by the float constant that each
// version keeps just before them, and the CRC-32C by the only place where it fits. This reads every
// major since 9.5 on a little-endian 64-bit source. Source: PostgreSQL's catalog/pg_control.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

/// DBState in pg_control.h.
enum class ClusterState : std::uint32_t {
  starting_up = 0,
  shut_down = 1,
  shut_down_in_recovery = 2,
  shutting_down = 3,
  in_crash_recovery = 4,
  in_archive_recovery = 5,
  in_production = 6,
};

struct PgControl {
  std::uint64_t system_identifier = 0;
  std::uint32_t version = 0;          ///< e.g. 1300
  std::uint32_t catalog_version = 0;  ///< e.g. 202209061
  ClusterState state = ClusterState::starting_up;
  Lsn checkpoint = 0;
  Lsn redo = 0;
  std::uint32_t timeline = 0;
  std::uint32_t block_bytes = 0;
  std::uint32_t segment_bytes = 0;          ///< of WAL
  std::uint32_t data_checksum_version = 0;  ///< 0: the cluster has no data checksums
};

/// \return metadata_invalid when the CRC fits nowhere or a field contradicts itself,
///   version_unsupported for another byte order or another block size than 8192.
Result<PgControl> parse_pg_control(std::string_view bytes);

}  // namespace rad::wal_e
