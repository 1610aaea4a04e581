// What pg_controldata says of a data directory: the settings that a server must have to recover it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::postgresql {

/// Fields of global/pg_control. Source of the names: the text of pg_controldata with LC_ALL=C.
struct ControlData {
  std::string state;  ///< e.g. "in production", "shut down"
  std::string system_identifier;
  std::string checkpoint_lsn;   ///< "Latest checkpoint location"
  TimePoint checkpoint_time{};  ///< "Time of latest checkpoint"
  std::string wal_level;
  std::uint32_t timeline = 0;
  unsigned max_connections = 100;
  unsigned max_worker_processes = 8;
  unsigned max_wal_senders = 10;  ///< pg_control of PostgreSQL 12 and later has it
  unsigned max_prepared_transactions = 0;
  unsigned max_locks_per_transaction = 64;
  std::uint64_t wal_segment_bytes = 0;
  std::uint64_t block_bytes = 8192;
  std::uint64_t blocks_per_file = 131072;  ///< "Blocks per segment of large relation"
  bool track_commit_timestamp = false;
  bool data_checksums = false;
};

/// \return metadata_invalid when a field that is needed is missing or no number, or when the tool
///   warned that the checksum of pg_control is wrong.
Result<ControlData> parse_control_data(std::string_view text, std::string_view warnings = {});

/// Runs pg_controldata. \return tool_missing, host_unfit, or as parse_control_data().
Result<ControlData> read_control_data(const std::filesystem::path& bin_dir,
                                      const std::filesystem::path& data_dir);

}  // namespace rad::postgresql
