// What the request `backups` tells of a store: names, sizes and times of its listing alone.
#pragma once

#include <vector>

#include "plugins/protocol/messages.h"
#include "plugins/wal_e/store_layout.h"

namespace rad::wal_e {

/// Newest first by timeline and LSN, as `latest` chooses, at most protocol::kMaxBackups.
/// finished_at is the time of the sentinel, and the note says so, or when an unfinished backup last
/// grew.
std::vector<protocol::ListedBackup> list_backups(const StoreListing& listing);

}  // namespace rad::wal_e
