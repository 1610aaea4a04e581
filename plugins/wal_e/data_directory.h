// What a restored data directory needs before a server may start on it, as far as its files go. The
// server's own configuration is the instance plugin's.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "agent/base/error.h"

namespace rad::wal_e {

/// In this order, and nothing of it follows a link:
///  - pg_wal and pg_replslot are real directories and empty, so that recovery neither writes into
///    the source's path nor takes WAL or slots that came along in old backups;
///  - links in pg_tblspc point to `tablespaces`, and tablespace_map, which wins over them, says so;
///  - standby.signal, recovery.signal, recovery.conf, postmaster.pid and the like are removed;
///  - postgresql.auto.conf is set aside as postgresql.auto.conf.from-backup;
///  - directories that a server needs and that empty-directory-less copies lack are made;
///  - the data directory has mode 0700.
/// \param tablespaces  OID -> directory of ours
/// \return host_unfit or scratch_full naming the file.
Status put_right(const std::filesystem::path& data,
                 const std::map<std::string, std::filesystem::path>& tablespaces);

}  // namespace rad::wal_e
