// The configuration as typed values, defaults filled in. Made by load_config() (loader.h) and by
// tests; immutable afterwards, safe to share between threads. Meaning, default and range of every
// field stand in the option table (option_table.cc), and only there.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/log.h"
#include "agent/config/cron_expression.h"
#include "agent/config/diagnostic.h"
#include "agent/model/words.h"

namespace rad {

/// Options that only a plugin understands: every key of a section that the agent does not know.
/// Scalars are typed as in YAML 1.2 (quoted: string); "${NAME}" has been replaced.
struct PluginOptions {
  boost::json::object values;
  /// Where the top-level keys and their values stand, for error messages.
  std::map<std::string, SourceMark> marks;
  std::map<std::string, SourceMark> value_marks;
};

/// `restore:` and `instance:`.
struct PluginConfig {
  std::string plugin;
  PluginOptions options;
  SourceMark at;  ///< of the plugin's name
};

struct CheckConfig {
  std::string name;   ///< unique in the target; default: the check's type
  std::string check;  ///< the check's type
  PluginOptions options;
  SourceMark at;  ///< of the check's type
};

/// What makes a schedule due.
enum class ScheduleTrigger : std::uint8_t { cron, after_backup, before_next_backup };
/// A time that was missed while the agent was down: run it once, late, or not at all.
enum class CatchUp : std::uint8_t { once, skip };
/// Whose turn it is in a rotation: in the order of the list, or shuffled anew each round.
enum class RotationOrder : std::uint8_t { rotate, random };

/// What schedules and rotations have in common.
struct TimingConfig {
  std::chrono::milliseconds jitter{0};
  CatchUp catch_up = CatchUp::once;
  std::optional<std::chrono::milliseconds> window;  ///< nothing: auto
  int priority = 0;                                 ///< higher first
};

struct ScheduleConfig {
  std::string name;  ///< unique in the target; never "manual"
  ScheduleTrigger trigger = ScheduleTrigger::cron;
  CronExpression cron;                            ///< trigger cron only, else empty
  std::chrono::milliseconds after_backup{0};      ///< trigger after_backup only
  std::optional<std::chrono::milliseconds> lead;  ///< before_next_backup only; nothing: auto
  std::string time_zone;                          ///< IANA name, known to this host
  Depth depth = Depth::restore;
  TimingConfig timing;
  SourceMark at;
};

/// One member of a set of targets at each time: for a fleet too large to test all of it at once.
struct RotationConfig {
  std::string name;  ///< unique; no schedule of a member has it
  CronExpression cron;
  std::string time_zone;
  Depth depth = Depth::restore;
  std::vector<std::string> patterns;  ///< names, or globs with * and ?
  /// The targets that match, in the order of the patterns and, for a glob, of their names; each
  /// once, never none.
  std::vector<std::string> members;
  RotationOrder order = RotationOrder::rotate;
  TimingConfig timing;
  SourceMark at;
};

struct ObjectivesConfig {
  std::optional<std::chrono::milliseconds> rto;
  std::optional<std::chrono::milliseconds> rpo;
};

/// How long a test instance and its data stay after a run.
struct KeepConfig {
  std::chrono::milliseconds on_pass{0};
  std::chrono::milliseconds on_fail{0};
};

struct TargetConfig {
  std::string name;  ///< [a-z0-9][a-z0-9_-]{0,62}, unique
  PluginConfig restore;
  std::optional<PluginConfig> instance;
  std::vector<CheckConfig> checks;
  std::vector<ScheduleConfig> schedules;
  ObjectivesConfig objectives;
  KeepConfig keep;
  /// Time limits of stages; a stage that is missing here has the automatic limit (three times its
  /// last duration, with a floor).
  std::map<Stage, std::chrono::milliseconds> timeouts;
  std::string path;  ///< "targets[0]", of its own file; checks and schedules keep their order
  SourceMark at;
  SourceMark schedules_at;  ///< of the list, of the target if it has none
};

struct ListenAddress {
  std::string host;  ///< IP address or name, without brackets
  std::uint16_t port = 0;
};

struct AgentOptions {
  std::filesystem::path state_dir;
  std::filesystem::path scratch_dir;
  std::filesystem::path runtime_dir;
  std::filesystem::path control_socket;
  std::string viewer_group;    ///< its members may look
  std::string operator_group;  ///< its members may look and act
  /// "": not configured; main asks default_program_dirs() (program_dirs.h).
  std::filesystem::path plugin_dir;
  std::filesystem::path libexec_dir;  ///< likewise
  std::string plugin_user;            ///< account of plugins while the agent is root
  std::filesystem::path socket_dir;   ///< NAME.sock of plugins that are services; "": none is
  int max_concurrent_runs = 1;
  std::uint64_t scratch_reserve = 0;  ///< bytes that a run must leave free in scratch_dir
  std::string time_zone;              ///< for schedules that name none
  log::Level log_level = log::Level::info;
  std::chrono::milliseconds stall_timeout{0};
  std::chrono::milliseconds stop_timeout{0};    ///< for running tests to clean up at a stop
  std::optional<ListenAddress> metrics_listen;  ///< nothing: metrics are not served
};

/// Writes one Markdown file an issue into a directory.
struct IssueDirectoryConfig {
  std::filesystem::path path;
  bool open_on_inconclusive = true;
};

struct ReporterConfig {
  std::string name;  ///< unique; default: the kind
  std::string kind;  ///< "issue_directory"
  IssueDirectoryConfig issue_directory;
  SourceMark at;
};

struct Config {
  AgentOptions agent;
  std::vector<TargetConfig> targets;  ///< rad.yaml first, then conf.d in order of file names
  std::vector<RotationConfig> rotations;
  std::vector<ReporterConfig> reporters;
  std::vector<std::filesystem::path> files;  ///< everything that was read

  /// \return nullptr if there is no such target.
  const TargetConfig* find_target(std::string_view name) const noexcept;
};

/// "there is no target 'x'", with the one that was meant, or those that there are.
/// \param others names that would do as well
Error unknown_target(const Config& config, std::string_view name,
                     std::vector<std::string> others = {});

}  // namespace rad
