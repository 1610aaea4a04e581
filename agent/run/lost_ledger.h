// A store whose first page is damaged is lost whole, its ledger too, and nobody would know what
// lies on the host. Then the marker files know. See docs/adr/0008.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/store/store.h"

namespace rad {

/// Name of the file beside the marker of a directory that is kept on purpose: until when, RFC 3339.
inline constexpr const char* kKeptName = ".rad-kept";

/// Writes it down in the kept directory itself. \return the file's error.
Status mark_kept(const std::filesystem::path& directory, TimePoint until);
/// \return nothing when the directory is not kept, or not in a way that can be understood.
std::optional<TimePoint> kept_until(const std::filesystem::path& directory);

/// Whether a damaged store lies in the state directory: rad.db.damaged-…, until somebody removes
/// it.
bool a_store_was_damaged(const std::filesystem::path& state_dir);

/// If a damaged store lies beside the store (rad.db.damaged-…, until somebody removes it), enters
/// into the ledger what is in scratch_dir and runtime_dir and not in it: directories that belong to
/// this user and hold a marker of this user's with the id of a run, in scratch that of their own
/// name. What is kept stays until its end. Nothing is removed here: that is the sweep's. Cheap, and
/// may be done again and again; never done when no store was damaged, since another agent's
/// directories look like our own.
/// \return a line for each thing that was entered or could not be.
std::vector<std::string> recover_ledger(const AgentOptions& options, Store& store);

}  // namespace rad
