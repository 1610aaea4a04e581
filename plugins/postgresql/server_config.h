// The configuration of a test instance: ours alone, nothing of the backup's. Pure text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/postgresql/control_data.h"
#include "plugins/postgresql/data_directory.h"

namespace rad::postgresql {

/// Fixed, since a socket's directory is the instance's own.
inline constexpr int kPort = 5432;

struct ServerSettings {
  std::filesystem::path socket_dir;
  std::string shared_buffers = "128MB";
  std::uint64_t max_wal_bytes = std::uint64_t{1} << 30U;  ///< log kept between restartpoints
  std::vector<std::string> preload_libraries;  ///< only what the restored data cannot do without
};

/// postgresql.conf. Settings that the log demands come from `control`; nothing reaches out of the
/// instance (no TCP, no archiving, no replication, no logical workers); nothing is made durable
/// (fsync off: the instance is thrown away, and a crash of the host ends the run anyway).
/// hot_standby is off: with it a setting raised in mid-log would pause recovery for ever.
std::string server_conf(const DataDirectory& data, const ControlData& control,
                        const ServerSettings& settings);

/// What a held instance has after server_conf(): a standby without a primary, so that nothing can
/// be written; whoever reaches its socket may connect; who connects and what is asked goes to the
/// log.
std::string holding_conf(int major);

/// Recovery settings: part of postgresql.conf from PostgreSQL 12 on, recovery.conf before.
std::string recovery_conf(const DataDirectory& data);

/// pg_hba.conf: the socket's directory is 0700, which is the gate.
std::string hba_conf();
/// pg_hba.conf of a held instance: nobody but the reader, the superuser included.
std::string holding_hba_conf(const std::string& reader);

/// A value between single quotes as postgresql.conf wants it.
std::string conf_quote(std::string_view value);
/// restore_command for PostgreSQL: each word quoted for the shell, % doubled, "%f" and "%p" at the
/// end.
std::string restore_command_line(const std::vector<std::string>& words);

}  // namespace rad::postgresql
