// The commands of rad-agent. Each is a function from its options to an exit status; what a command
// answers goes to stdout, what it has to say on the way to stderr.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/cli/command_line/output.h"
#include "agent/config/config.h"
#include "agent/model/words.h"

namespace rad::cli {

/// Exit statuses beside those of an ended run (agent/model/run_report.h).
enum ExitStatus : int {
  kOk = 0,
  kUsage = 2,          ///< usage or configuration
  kInconclusive = 3,   ///< the run could not begin
  kInterrupted = 130,  ///< SIGINT
};

/// What all commands share.
struct CommonOptions {
  std::filesystem::path config = "/etc/rad-agent/rad.yaml";
  std::filesystem::path executable;  ///< of this program, links resolved
  bool json = false;
  bool allow_colour = true;
};

struct RunOptions {
  std::string target;
  Depth depth = Depth::restore;
  std::string backup;
  std::string recover_to;
  std::string note;
  std::string format = "terminal";  ///< terminal, json, markdown
  std::string if_busy = "queue";    ///< queue, refuse
  std::string requested_by;
  std::optional<std::chrono::milliseconds> hold;  ///< keep the instance for so long
  bool quiet = false;                             ///< no progress
};

struct HoldOptions {
  std::string run_id;   ///< "-": the first line of standard input says it
  bool detach = false;  ///< leave the caller: its process ends at once
};

int run_command(const CommonOptions& common, const RunOptions& options);
int hold_command(const CommonOptions& common, const HoldOptions& options);
/// \param with_plugins also starts the plugins and holds the configuration against what they say
int check_config_command(const CommonOptions& common, bool with_plugins);
/// Whether this host can tell a good backup of the target from a bad one (agent/run/selftest.h).
int selftest_command(const CommonOptions& common, const std::string& target);
int explain_command(const CommonOptions& common, const std::string& key);

/// `error: …` and, if there is one, `hint: …`, on stderr.
void print_error(const Error& error);
/// With --json {"error": {...}} on stdout: the one object of a command that could not begin.
void answer_error(const Error& error, const CommonOptions& common);

/// Loads the file and prints every mistake. \return nothing after printing; exit with kUsage.
std::optional<Config> load_or_explain(const CommonOptions& common);

/// \return nullptr after printing the error and answering it; exit with kUsage.
const TargetConfig* find_target_or_explain(const Config& config, const CommonOptions& common,
                                           const std::string& name);

/// Makes the directories that the agent keeps its state in. \return host_unfit or access_denied.
Status prepare_state(const AgentOptions& options);

}  // namespace rad::cli
