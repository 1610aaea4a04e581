// The messages between the agent and a plugin, version 1, as values. The specification is
// PROTOCOL.md; codec.h turns them into lines and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/model/artifact.h"
#include "agent/model/outcome.h"
#include "agent/model/plugin_schema.h"
#include "agent/model/words.h"

namespace rad::protocol {

inline constexpr int kVersion = 1;
/// Longest line in either direction, newline included. A longer one is plugin_protocol.
inline constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20U;
/// More outcomes than this go to a file in scratch that CheckResult names.
inline constexpr std::size_t kMaxOutcomes = 1000;
/// The newest of a longer list are told.
inline constexpr std::size_t kMaxBackups = 1000;

/// Values of agent/model under the names that the specification has for them.
using OptionInfo = PluginOption;
using CheckInfo = PluginCheck;

/// What a plugin says of itself in the answer to `initialize`.
struct PluginInfo {
  int protocol_version = kVersion;
  std::string name;
  std::string version;
  std::vector<Role> roles;
  std::vector<std::string> produces;  ///< artifact kinds (restore), endpoint kinds (instance)
  std::vector<std::string> consumes;  ///< artifact kinds (instance), endpoint kinds (check)
  std::vector<OptionInfo> options;
  std::vector<CheckInfo> checks;
};

/// One configured check, as the target's `checks:` list has it.
struct CheckSpec {
  std::string name;
  std::string check;
  boost::json::object options;
};

/// `initialize`. With an empty run_id the plugin only describes itself: options are not looked at
/// and nothing is created.
struct InitializeParams {
  std::vector<int> versions{kVersion};
  std::string run_id;
  std::string target;
  Depth depth = Depth::restore;
  std::string scratch_dir;  ///< the run's own directory for this plugin; exists, 0700, may be large
  std::string runtime_dir;  ///< short path (<= 60 bytes) for sockets and keyrings; exists, 0700
  std::string account;      ///< user to become when started as root; "" if not root
  boost::json::object options;
  std::vector<CheckSpec> checks;  ///< those of this plugin, defaults included
  /// Version of the pinned backup ("15"), for plugins that start after the restore plugin's
  /// preflight, so that they can say at once what this host lacks; "" if not known.
  std::string backup_version;
};

struct PreflightResult {
  BackupRef backup;                        ///< restore role; empty name otherwise
  std::uint64_t scratch_bytes_needed = 0;  ///< at this depth, WAL and margin included
  std::string isolation;                   ///< what is in force, in words
  std::vector<Finding> findings;
};

/// `inspect`, `verify`.
struct ReadResult {
  std::uint64_t bytes_read = 0;  ///< from storage, as stored
  std::vector<Finding> findings;
};

struct RestoreResult {
  Artifact artifact;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_restored = 0;
  std::vector<Finding> findings;
};

struct StartResult {
  Endpoint endpoint;
  RecoveryPoint recovery;
  std::vector<Finding> findings;
};

/// One base backup as `backups` lists it.
struct ListedBackup {
  std::string name;
  std::optional<TimePoint> started_at;   ///< at the source, as far as it is known
  std::optional<TimePoint> finished_at;  ///< likewise; of an incomplete one: when it last grew
  std::uint32_t timeline = 0;            ///< 0 if unknown
  std::string start_lsn;                 ///< "0/3000028", "" if unknown
  std::string version;                   ///< of the server, "" if unknown without reading it
  std::uint64_t stored_bytes = 0;        ///< as stored, without WAL
  bool complete = false;
  std::string note;  ///< what is odd about it, one sentence; "" if nothing
};

/// `backups`.
struct BackupsResult {
  /// No aggregate, for the sake of Result<BackupsResult>.
  BackupsResult() = default;
  std::vector<ListedBackup> backups;  ///< newest first, at most kMaxBackups
};

struct CheckParams {
  std::optional<Endpoint> endpoint;  ///< nothing at depths without an instance
  std::vector<CheckSpec> checks;
};
struct CheckResult {
  std::vector<CheckOutcome> outcomes;
  std::string outcomes_file;  ///< file in scratch with a JSON array, when there are too many
};

/// `diagnose`: another plugin's stage failed; does this one know an earlier cause?
struct DiagnoseParams {
  Stage stage = Stage::recover;
  Error error;
};
struct DiagnoseResult {
  /// No aggregate: else an Error converts to it and Result<DiagnoseResult> is ambiguous.
  DiagnoseResult() = default;
  std::optional<Error> cause;
};

struct CleanupResult {
  std::uint64_t removed_bytes = 0;
};

/// `gc`: remove what runs that are not alive have left outside their scratch directories.
struct GcParams {
  std::vector<std::string> live_runs;
};
struct GcResult {
  std::vector<std::string> removed;  ///< one line each
};

/// Notifications of a plugin.
struct Progress {
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;  ///< 0 if unknown
  std::string note;               ///< what is being worked on, for people
};
struct LogLine {
  std::string level;  ///< debug, info, warning, error
  std::string message;
};

}  // namespace rad::protocol
