// The tables of the store, and how a file of an older agent becomes one of this agent.
#pragma once

#include "agent/base/error.h"
#include "agent/store/database.h"

namespace rad::store {

/// PRAGMA application_id of our files: "radA".
inline constexpr std::int64_t kApplicationId = 0x72616441;

/// Brings the tables up to date in one transaction; several processes may do so at once.
/// \return host_unfit for a file of another program or of a newer agent; the file is not changed.
Status migrate(Database& database);

/// Lets a file of an agent before version 2 shrink again when rows are removed: rewrites it once,
/// if there is the space and nobody else has it open. The file is good either way.
void make_incremental(Database& database);

}  // namespace rad::store
