// What a held instance is made of beside the store: the order that the run's end writes and the
// holder (holder.h) carries out, the line that people connect with, and how a holder is called.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/model/artifact.h"
#include "agent/model/operations.h"

namespace rad {

/// Everything that a holder has to know, whatever becomes of the configuration meanwhile.
struct HoldOrder {
  std::string run_id;
  std::string target;
  std::string plugin;  ///< role instance
  boost::json::object options;
  Artifact artifact;  ///< recovered and stopped
  std::string backup_version;
};

/// Whether the text is made like the ids of runs; nothing else becomes part of a path.
bool is_run_id(std::string_view text) noexcept;

/// state_dir/runs/RUN/hold.json, 0600. \return the file's error.
Status write_hold_order(const AgentOptions& options, const HoldOrder& order);
/// \return config_invalid when there is none or it is damaged.
Result<HoldOrder> read_hold_order(const AgentOptions& options, const std::string& run_id);

/// Why a hold was lost, beside its order: the store's row has no room for it. Best effort.
void write_hold_failure(const AgentOptions& options, const std::string& run_id,
                        const std::string& why) noexcept;
std::string read_hold_failure(const AgentOptions& options, const std::string& run_id);

/// Removes both files.
void forget_hold(const AgentOptions& options, const std::string& run_id) noexcept;

/// The line for a shell; names that came out of a backup are quoted, for it and for psql. "" while
/// the instance cannot be reached.
std::string psql_line(const Hold& hold);

/// Lets the members of agent.operator_group through to a plugin's runtime directory, and nobody
/// else but root, the agent and agent.plugin_user: by an access control list of the directory above
/// it, which is the agent's own. \return host_unfit.
Status open_to_operators(const AgentOptions& options, const std::filesystem::path& runtime_dir);

/// Has a process of its own carry the order out: the service behind runtime_dir/hold.sock when the
/// service manager offers one, else a process that has left this one's session. Returns at once.
/// \param config  the configuration file for the process
/// \return host_unfit when none can be started.
Status call_holder(const AgentOptions& options, const std::filesystem::path& config,
                   const std::string& run_id);

}  // namespace rad
