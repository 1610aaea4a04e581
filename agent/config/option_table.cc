#include "agent/config/option_table.h"

#include <algorithm>
#include <array>
#include <chrono>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/config/schedule_rows.h"

namespace rad {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kDay = 24 * 3600 * kSecond;
constexpr std::int64_t kYear = 366 * kDay;

constexpr std::array kFirstRows{
    OptionRow{.path = "agent", .type = OptionType::section, .summary = "the agent itself"},
    OptionRow{.path = "agent.state_dir",
              .type = OptionType::path,
              .default_text = "/var/lib/rad-agent",
              .reloadable = false,
              .summary = "where the history of runs is kept",
              .detail = "Holds rad.db (SQLite) and what a run must find again after a crash."},
    OptionRow{.path = "agent.scratch_dir",
              .type = OptionType::path,
              .default_text = "<agent.state_dir>/scratch",
              .reloadable = false,
              .summary = "the only place where restored data may lie",
              .detail = "Put it on a file system of its own, large enough for the largest target. "
                        "It is production data: the directory is 0700, and runs empty it."},
    OptionRow{.path = "agent.scratch_reserve",
              .type = OptionType::bytes,
              .default_text = "1GiB",
              .min = 0,
              .summary = "bytes that a run must leave free in scratch_dir",
              .detail = "Preflight refuses a run that would need more than the rest."},
    OptionRow{.path = "agent.runtime_dir",
              .type = OptionType::path,
              .default_text = "/run/rad-agent",
              .reloadable = false,
              .summary = "where sockets and keyrings of runs lie, a short path",
              .detail = "At most 51 bytes long: a socket below it must stay under the 107 bytes "
                        "that the kernel allows. Best on a tmpfs."},
    OptionRow{.path = "agent.control_socket",
              .type = OptionType::path,
              .default_text = "<agent.runtime_dir>/control.sock",
              .reloadable = false,
              .summary = "where radctl reaches the agent, a unix socket",
              .detail = "At most 107 bytes long. Anybody may connect; the two groups below decide "
                        "who is answered."},
    OptionRow{.path = "agent.viewer_group",
              .type = OptionType::string,
              .default_text = "rad-viewer",
              .reloadable = false,
              .summary = "group whose members may look: status, runs, logs"},
    OptionRow{.path = "agent.operator_group",
              .type = OptionType::string,
              .default_text = "rad-operator",
              .reloadable = false,
              .summary = "group whose members may look and act: start, cancel, hold, pause, reload",
              .detail = "Root and the user that the agent runs as may act in any case."},
    OptionRow{.path = "agent.plugin_dir",
              .type = OptionType::path,
              .summary = "where plugins are found, one executable each",
              .detail = "Without it: plugins.d of the build tree that the agent was started from, "
                        "else /usr/lib/rad-agent/plugins.d. Files that anyone but root and the "
                        "owner may write are refused."},
    OptionRow{.path = "agent.libexec_dir",
              .type = OptionType::path,
              .summary = "where rad-launch and other helper programs are found",
              .detail = "Without it: libexec of the build tree that the agent was started from, "
                        "else /usr/lib/rad-agent/libexec."},
    OptionRow{.path = "agent.plugin_user",
              .type = OptionType::string,
              .default_text = "rad-plugin",
              .summary = "account that plugins become while the agent is root",
              .detail = "Behind sockets: the account that they are. An agent that is neither root "
                        "nor uses sockets does not use it."},
    OptionRow{.path = "agent.plugin_sockets",
              .type = OptionType::enumeration,
              .default_text = "auto",
              .allowed = "auto|off",
              .summary = "whether plugins are reached through sockets of the service manager",
              .detail = "auto: a plugin with a socket <agent.runtime_dir>/plugins/NAME.sock is a "
                        "service of its own, as the package installs it; all others are started "
                        "as child processes. off: all are child processes."},
    OptionRow{.path = "agent.max_concurrent_runs",
              .type = OptionType::integer,
              .default_text = "1",
              .min = 1,
              .max = 64,
              .summary = "runs at the same time",
              .detail = "Two runs of one target never overlap, whatever this says."},
    OptionRow{.path = "agent.stall_timeout",
              .type = OptionType::duration,
              .default_text = "10m",
              .min = kSecond,
              .max = kDay,
              .summary = "a stage that makes no progress for so long is ended",
              .detail = "The run is then inconclusive (reason timeout). Hours of progress are "
                        "normal; silence is not."},
    OptionRow{.path = "agent.stop_timeout",
              .type = OptionType::duration,
              .default_text = "2m",
              .min = kSecond,
              .max = kDay,
              .summary = "how long running tests may take to clean up when the agent is stopped",
              .detail = "They are cancelled at once. What is left after this time is cleaned up "
                        "by the next start; the unit's TimeoutStopSec must be longer."},
    OptionRow{.path = "agent.time_zone",
              .type = OptionType::time_zone,
              .default_text = "UTC",
              .example = "Europe/Berlin",
              .summary = "time zone of schedules that name none"},
    OptionRow{.path = "agent.log_level",
              .type = OptionType::enumeration,
              .default_text = "info",
              .allowed = "debug|info|warning|error",
              .summary = "what is written to stderr and the journal"},
    OptionRow{
        .path = "agent.metrics", .type = OptionType::section, .summary = "metrics for Prometheus"},
    OptionRow{.path = "agent.metrics.listen",
              .type = OptionType::listen_address,
              .default_text = "127.0.0.1:9735",
              .reloadable = false,
              .summary = "IP address and port that serve /metrics, or off",
              .detail = "Port 0 lets the kernel choose one. There is no login: keep it on the "
                        "loopback address or behind a firewall."},

    OptionRow{.path = "targets",
              .type = OptionType::list,
              .required = true,
              .summary = "the things whose backups are tested",
              .detail = "Files conf.d/*.yaml beside the main file add further ones, each file "
                        "with a list `targets:` of its own."},
    OptionRow{.path = "targets[].name",
              .type = OptionType::name,
              .required = true,
              .example = "customers-db",
              .summary = "name of the target, unique",
              .detail = "It is a label of metrics and part of issue titles: do not change it "
                        "lightly."},
    OptionRow{.path = "targets[].restore",
              .type = OptionType::section,
              .open = true,
              .required = true,
              .open_example = "envdir: /etc/wal-e.d/env",
              .summary = "how its backup is read and restored",
              .detail = "All keys but `plugin` are options of the plugin; its README.md "
                        "lists them."},
    OptionRow{.path = "targets[].restore.plugin",
              .type = OptionType::name,
              .required = true,
              .example = "wal_e",
              .summary = "plugin with the role restore"},
    OptionRow{.path = "targets[].instance",
              .type = OptionType::section,
              .open = true,
              .summary = "how the restored data is started for the checks",
              .detail = "Needed for checks that ask a running server. All keys but `plugin` are "
                        "options of the plugin."},
    OptionRow{.path = "targets[].instance.plugin",
              .type = OptionType::name,
              .required = true,
              .example = "postgresql",
              .summary = "plugin with the role instance"},
    OptionRow{.path = "targets[].checks",
              .type = OptionType::list,
              .open = true,
              .open_example = "max: 26h",
              .summary = "questions to the backup and to the restored data",
              .detail = "Plugins ask some by default; those are named here only to give them "
                        "options. All keys but `check` and `name` are options of the check."},
    OptionRow{.path = "targets[].checks[].check",
              .type = OptionType::name,
              .required = true,
              .example = "backup_age",
              .summary = "type of the check; the plugin that offers it is found by it"},
    OptionRow{.path = "targets[].checks[].name",
              .type = OptionType::name,
              .default_text = "<targets[].checks[].check>",
              .summary = "name of the check, unique in the target",
              .detail = "Needed only when one type is used twice."},
};

constexpr std::array kFurtherTargetRows{
    OptionRow{.path = "targets[].objectives",
              .type = OptionType::section,
              .summary = "what the measured times are compared with"},
    OptionRow{.path = "targets[].objectives.rto",
              .type = OptionType::duration,
              .min = kSecond,
              .max = kYear,
              .example = "4h",
              .summary = "recovery time objective: from the start to a server that answers"},
    OptionRow{.path = "targets[].objectives.rpo",
              .type = OptionType::duration,
              .min = kSecond,
              .max = kYear,
              .example = "15m",
              .summary = "recovery point objective: age of the last transaction recovered"},
    OptionRow{.path = "targets[].keep",
              .type = OptionType::section,
              .summary = "how long the test instance stays after a run"},
    OptionRow{.path = "targets[].keep.on_pass",
              .type = OptionType::duration,
              .default_text = "0s",
              .min = 0,
              .max = 30 * kDay,
              .summary = "after a pass; 0s removes it at once"},
    OptionRow{.path = "targets[].keep.on_fail",
              .type = OptionType::duration,
              .default_text = "0s",
              .min = 0,
              .max = 30 * kDay,
              .example = "8h",
              .summary = "after a fail; 0s removes it at once",
              .detail = "What is kept is a copy of production data: no longer than somebody needs "
                        "to look at it."},
    OptionRow{.path = "targets[].timeouts",
              .type = OptionType::section,
              .summary = "time limits of the stages",
              .detail = "auto is three times the last duration of the stage, with a floor."},
    OptionRow{.path = "targets[].timeouts.preflight",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kSecond,
              .max = 30 * kDay,
              .allowed = "auto",
              .summary = "limit of looking whether the run can work at all"},
    OptionRow{.path = "targets[].timeouts.fetch",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kSecond,
              .max = 30 * kDay,
              .allowed = "auto",
              .summary = "limit of reading the store at depth inspect and verify"},
    OptionRow{.path = "targets[].timeouts.restore",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kSecond,
              .max = 30 * kDay,
              .allowed = "auto",
              .summary = "limit of restoring the backup"},
    OptionRow{.path = "targets[].timeouts.recover",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kSecond,
              .max = 30 * kDay,
              .allowed = "auto",
              .summary = "limit of starting and recovering the instance"},
    OptionRow{.path = "targets[].timeouts.check",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kSecond,
              .max = 30 * kDay,
              .allowed = "auto",
              .summary = "limit of all checks together"},
    OptionRow{.path = "targets[].timeouts.cleanup",
              .type = OptionType::duration,
              .default_text = "auto",
              .min = kSecond,
              .max = 30 * kDay,
              .allowed = "auto",
              .summary = "limit of removing everything"},
};

constexpr std::array kReporterRows{
    OptionRow{.path = "reporters",
              .type = OptionType::list,
              .summary = "where results are told besides the metrics"},
    OptionRow{.path = "reporters[].reporter",
              .type = OptionType::enumeration,
              .allowed = "issue_directory",
              .required = true,
              .example = "issue_directory",
              .summary = "kind of reporter",
              .detail = "issue_directory writes one Markdown file an issue: opened when a run "
                        "fails, added to when it fails again, closed when it passes."},
    OptionRow{.path = "reporters[].name",
              .type = OptionType::name,
              .default_text = "<reporters[].reporter>",
              .summary = "name of the reporter, unique"},
    OptionRow{.path = "reporters[].path",
              .type = OptionType::path,
              .required = true,
              .example = "/var/lib/rad-agent/issues",
              .summary = "directory of the issues"},
    OptionRow{.path = "reporters[].open_on_inconclusive",
              .type = OptionType::boolean,
              .default_text = "true",
              .summary = "whether a run that could not tell opens an issue too",
              .detail = "Without it only a backup at fault does; the metrics always tell both."},
};

template <std::size_t... Sizes>
constexpr auto joined(const std::array<OptionRow, Sizes>&... parts) {
  std::array<OptionRow, (Sizes + ...)> all;
  auto next = all.begin();
  ((next = std::copy(parts.begin(), parts.end(), next)), ...);
  return all;
}

constexpr auto kTable =
    joined(kFirstRows, kScheduleRows, kFurtherTargetRows, kRotationRows, kReporterRows);

struct TypeWords {
  OptionType type;
  std::string_view name;
  std::string_view unit;
};

constexpr std::array kTypes{
    TypeWords{OptionType::section, "section", ""},
    TypeWords{OptionType::list, "list", ""},
    TypeWords{OptionType::string, "string", ""},
    TypeWords{OptionType::name, "name", ""},
    TypeWords{OptionType::path, "path", ""},
    TypeWords{OptionType::duration, "duration", "ms, s, m, h, d or w, e.g. 26h"},
    TypeWords{OptionType::bytes, "bytes", "bytes, KiB, MiB, GiB or TiB, e.g. 512MiB"},
    TypeWords{OptionType::integer, "integer", ""},
    TypeWords{OptionType::boolean, "boolean", ""},
    TypeWords{OptionType::enumeration, "word", ""},
    TypeWords{OptionType::time_zone, "time zone", "IANA name, e.g. Europe/Berlin"},
    TypeWords{OptionType::name_list, "list of names", ""},
    TypeWords{OptionType::cron, "cron expression", ""},
    TypeWords{OptionType::listen_address, "listen address", ""},
};

std::string bound_text(OptionType type, std::int64_t value) {
  if (type != OptionType::duration) return std::to_string(value);
  for (const auto& [unit, size] :
       {std::pair("d", kDay), {"h", 3600 * kSecond}, {"m", 60 * kSecond}}) {
    if (value != 0 && value % size == 0) return fmt::format("{}{}", value / size, unit);
  }
  return fmt::format("{}s", value / kSecond);
}

}  // namespace

std::span<const OptionRow> option_table() noexcept {
  return kTable;
}

const OptionRow* find_option(std::string_view path) noexcept {
  const auto* found = std::find_if(kTable.begin(), kTable.end(),
                                   [&](const OptionRow& row) { return row.path == path; });
  return found == kTable.end() ? nullptr : found;
}

std::vector<const OptionRow*> options_below(std::string_view path) {
  std::vector<const OptionRow*> rows;
  for (const auto& row : kTable) {
    const auto dot = row.path.rfind('.');
    const auto parent =
        dot == std::string_view::npos ? std::string_view{} : row.path.substr(0, dot);
    if (parent == path) rows.push_back(&row);
  }
  return rows;
}

std::string generic_path(std::string_view path) {
  std::string generic;
  bool in_index = false;
  for (const char c : path) {
    if (c == ']') in_index = false;
    if (!in_index) generic += c;
    if (c == '[') in_index = true;
  }
  return generic;
}

std::string_view last_word(std::string_view path) noexcept {
  const auto dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::vector<std::string> allowed_words(const OptionRow& row) {
  std::vector<std::string> words;
  auto rest = row.allowed;
  while (!rest.empty()) {
    const auto bar = rest.find('|');
    words.emplace_back(rest.substr(0, bar));
    rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
  }
  return words;
}

std::string_view to_string(OptionType type) noexcept {
  for (const auto& words : kTypes) {
    if (words.type == type) return words.name;
  }
  return "?";
}

std::string_view unit_text(OptionType type) noexcept {
  for (const auto& words : kTypes) {
    if (words.type == type) return words.unit;
  }
  return "";
}

std::string range_text(const OptionRow& row) {
  std::string text;
  const bool has_max = row.max != std::numeric_limits<std::int64_t>::max();
  if (has_max) {
    text = fmt::format("{} to {}", bound_text(row.type, row.min), bound_text(row.type, row.max));
  }
  if (row.type == OptionType::boolean) text = "true or false";
  if (row.type == OptionType::name) text = "a-z, 0-9, - and _; at most 63";
  if (row.type == OptionType::path) text = "absolute";
  const auto words = allowed_words(row);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!text.empty()) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace rad
