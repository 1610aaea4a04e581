#include "agent/config/loader.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "agent/config/option_value.h"
#include "agent/config/schedule_reader.h"
#include "agent/config/section_reader.h"
#include "agent/config/yaml_document.h"

namespace rad {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileBytes = 1U << 20U;
/// More than a person will read; a file of rubbish can have one in every line.
constexpr std::size_t kMaxErrors = 500;

constexpr std::size_t kMaxSocket = 107;
/// A path of a unix socket has 108 bytes, the last one is 0. The longest below runtime_dir is
/// RUNTIME/<8 hex>/gnupg/S.gpg-agent.browser, with room for one more directory of 20 bytes.
constexpr std::size_t kMaxRuntimeDir =
    kMaxSocket - std::string_view("/12345678/gnupg/S.gpg-agent.browser").size() - 21;
static_assert(kMaxRuntimeDir == 51, "the option table names this number");

/// Turns one or more files into a Config. The getters of SectionReader answer a default where a
/// value was refused, so that building goes on and further mistakes are found.
class Loader {
 public:
  explicit Loader(const Environment& environment) : environment_(environment) {}

  LoadResult load(const fs::path& path);

 private:
  YamlDocument read_document(const fs::path& path);
  std::vector<fs::path> further_files(const fs::path& main_file);
  void build_agent(SectionReader& reader);
  void build_targets(SectionReader& reader);
  TargetConfig build_target(SectionReader& reader, const std::string& path);
  void build_checks(SectionReader& reader, const std::string& path, TargetConfig& target);
  void build_reporters(SectionReader& reader);
  void warn(const SourceMark& at, std::string key, std::string message, std::string hint) {
    result_.warnings.push_back(
        {.at = at, .key = std::move(key), .message = std::move(message), .hint = std::move(hint)});
  }

  const Environment& environment_;
  LoadResult result_;
};

std::chrono::milliseconds duration_at(const SectionReader& reader, const std::string& path) {
  const auto value = parse_duration(reader.text(path));
  return value ? *value : std::chrono::milliseconds(0);
}

std::optional<std::chrono::milliseconds> optional_duration(const SectionReader& reader,
                                                           const std::string& path) {
  if (!reader.has(path)) return std::nullopt;
  return duration_at(reader, path);
}

/// Complains if `name` is in `seen` already.
void must_be_unique(SectionReader& reader, std::set<std::string>& seen, const std::string& name,
                    const std::string& path, std::string_view what, std::string hint) {
  if (name.empty() || seen.insert(name).second) return;
  reader.complain(path, fmt::format("{} '{}' is here twice", what, name), std::move(hint));
}

PluginConfig plugin_at(const SectionReader& reader, const std::string& path) {
  return {.plugin = reader.text(path + ".plugin"),
          .options = reader.options(path),
          .at = reader.mark(path + ".plugin")};
}

LoadResult Loader::load(const fs::path& path) {
  std::string first_file = path.string();
  auto document = read_document(path);
  SectionReader main_reader(first_file, environment_, result_.errors);
  if (document.usable) {
    main_reader.read(document.root);
    build_agent(main_reader);
    build_targets(main_reader);
    build_reporters(main_reader);
  }
  for (const auto& file : further_files(path)) {
    auto further = read_document(file);
    if (!further.usable) continue;
    SectionReader reader(file.string(), environment_, result_.errors);
    reader.read(further.root, "targets");
    build_targets(reader);
  }
  read_rotations(main_reader, result_.config);
  warn_of_schedules(result_.config, result_.warnings);
  // Written as an empty list it is what a fresh installation has; left out it may be a mistake.
  if (result_.config.targets.empty() && result_.errors.empty()) {
    auto& found = main_reader.mentions("targets") ? result_.warnings : result_.errors;
    found.push_back({.at = {.file = first_file, .line = 0, .column = 0},
                     .key = "targets",
                     .message = "no target is configured, expected at least one",
                     .hint = "`rad-agent explain targets` shows what a target has"});
  }
  sort_by_position(result_.errors);
  sort_by_position(result_.warnings);
  if (const auto count = result_.errors.size(); count > kMaxErrors) {
    result_.errors.resize(kMaxErrors);
    result_.errors.push_back(
        {.at = {.file = first_file, .line = 0, .column = 0},
         .key = {},
         .message = fmt::format("{} further mistakes are not shown", count - kMaxErrors),
         .hint = {}});
  }
  return std::move(result_);
}

YamlDocument Loader::read_document(const fs::path& path) {
  YamlDocument document;
  auto text = read_file(path, kMaxFileBytes);
  result_.config.files.push_back(path);
  if (!text) {
    document.errors.push_back({.at = {.file = path.string(), .line = 0, .column = 0},
                               .key = {},
                               .message = text.error().message,
                               .hint = text.error().hint});
  } else {
    document = parse_yaml(*text, path.string());
  }
  result_.errors.insert(result_.errors.end(), document.errors.begin(), document.errors.end());
  return document;
}

std::vector<fs::path> Loader::further_files(const fs::path& main_file) {
  const auto folder = main_file.parent_path() / "conf.d";
  std::vector<fs::path> files;
  std::error_code error;
  fs::directory_iterator iterator(folder, error);
  if (error == std::errc::no_such_file_or_directory) return files;
  for (; !error && iterator != fs::directory_iterator(); iterator.increment(error)) {
    const auto& file = iterator->path();
    if (file.filename().string().starts_with('.')) continue;
    if (file.extension() == ".yaml") {
      files.push_back(file);
    } else if (file.extension() == ".yml") {
      warn({file.string(), 0, 0}, "", "is not read, expected a name that ends in .yaml",
           "rename it, or move it elsewhere");
    }
  }
  if (error) {
    result_.errors.push_back({.at = {.file = folder.string(), .line = 0, .column = 0},
                              .key = {},
                              .message = "cannot be listed: " + error.message(),
                              .hint = {}});
  }
  std::sort(files.begin(), files.end());
  return files;
}

void Loader::build_agent(SectionReader& reader) {
  auto& agent = result_.config.agent;
  agent.state_dir = reader.text("agent.state_dir");
  agent.scratch_dir = reader.has("agent.scratch_dir") ? fs::path(reader.text("agent.scratch_dir"))
                                                      : agent.state_dir / "scratch";
  agent.runtime_dir = reader.text("agent.runtime_dir");
  agent.control_socket = reader.has("agent.control_socket")
                             ? fs::path(reader.text("agent.control_socket"))
                             : agent.runtime_dir / "control.sock";
  agent.viewer_group = reader.text("agent.viewer_group");
  agent.operator_group = reader.text("agent.operator_group");
  agent.plugin_dir = reader.text("agent.plugin_dir");
  agent.libexec_dir = reader.text("agent.libexec_dir");
  agent.plugin_user = reader.text("agent.plugin_user");
  if (reader.text("agent.plugin_sockets") == "auto") {
    agent.socket_dir = agent.runtime_dir / "plugins";
  }
  agent.max_concurrent_runs = std::stoi(reader.text("agent.max_concurrent_runs"));
  if (const auto bytes = parse_bytes(reader.text("agent.scratch_reserve"))) {
    agent.scratch_reserve = *bytes;
  }
  agent.time_zone = reader.text("agent.time_zone");
  agent.stall_timeout = duration_at(reader, "agent.stall_timeout");
  agent.stop_timeout = duration_at(reader, "agent.stop_timeout");
  const auto level = reader.text("agent.log_level");
  agent.log_level = level == "debug"     ? log::Level::debug
                    : level == "warning" ? log::Level::warning
                    : level == "error"   ? log::Level::error
                                         : log::Level::info;
  if (auto address = parse_listen_address(reader.text("agent.metrics.listen"))) {
    agent.metrics_listen = *std::move(address);
  }

  if (agent.runtime_dir.native().size() > kMaxRuntimeDir) {
    reader.complain("agent.runtime_dir",
                    fmt::format("found a path of {} bytes, expected at most {}: sockets below it "
                                "would be longer than the 107 bytes that the kernel allows",
                                agent.runtime_dir.native().size(), kMaxRuntimeDir),
                    "for example /run/rad-agent");
  }
  if (agent.control_socket.native().size() > kMaxSocket) {
    reader.complain("agent.control_socket",
                    fmt::format("found a path of {} bytes, expected at most {}: the kernel allows "
                                "no longer one for a socket",
                                agent.control_socket.native().size(), kMaxSocket),
                    "for example /run/rad-agent/control.sock");
  }
  const auto plain = [](const fs::path& path) { return (path / "").lexically_normal(); };
  if (plain(agent.scratch_dir) == plain(agent.state_dir)) {
    reader.complain("agent.scratch_dir",
                    "is also agent.state_dir, expected a directory of its own: runs empty it",
                    "the default is <agent.state_dir>/scratch");
  }
}

void Loader::build_targets(SectionReader& reader) {
  for (std::size_t i = 0; i < reader.count("targets"); ++i) {
    const auto path = fmt::format("targets[{}]", i);
    auto target = build_target(reader, path);
    if (const auto* first = result_.config.find_target(target.name);
        first != nullptr && !target.name.empty()) {
      reader.complain(path + ".name",
                      fmt::format("target '{}' is here twice, first in {}:{}", target.name,
                                  first->at.file, first->at.line),
                      "rename one of the two");
    }
    result_.config.targets.push_back(std::move(target));
  }
}

TargetConfig Loader::build_target(SectionReader& reader, const std::string& path) {
  TargetConfig target;
  target.path = path;
  target.at = reader.mark(path);
  target.schedules_at = reader.mark(path + ".schedules");
  target.name = reader.text(path + ".name");
  target.restore = plugin_at(reader, path + ".restore");
  if (reader.has(path + ".instance")) target.instance = plugin_at(reader, path + ".instance");
  target.objectives.rto = optional_duration(reader, path + ".objectives.rto");
  target.objectives.rpo = optional_duration(reader, path + ".objectives.rpo");
  target.keep.on_pass = duration_at(reader, path + ".keep.on_pass");
  target.keep.on_fail = duration_at(reader, path + ".keep.on_fail");
  for (const auto stage : {Stage::preflight, Stage::fetch, Stage::restore, Stage::recover,
                           Stage::check, Stage::cleanup}) {
    const auto key = fmt::format("{}.timeouts.{}", path, to_string(stage));
    if (reader.has(key) && reader.text(key) != "auto") {
      target.timeouts[stage] = duration_at(reader, key);
    }
  }
  build_checks(reader, path, target);
  target.schedules = read_schedules(reader, path + ".schedules", result_.config.agent.time_zone);
  return target;
}

void Loader::build_checks(SectionReader& reader, const std::string& path, TargetConfig& target) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < reader.count(path + ".checks"); ++i) {
    const auto check_path = fmt::format("{}.checks[{}]", path, i);
    CheckConfig check;
    check.check = reader.text(check_path + ".check");
    const bool named = reader.has(check_path + ".name");
    check.name = named ? reader.text(check_path + ".name") : check.check;
    check.options = reader.options(check_path);
    check.at = reader.mark(check_path + ".check");
    must_be_unique(reader, names, check.name, check_path + (named ? ".name" : ".check"), "check",
                   "give each its own name: {check: …, name: …}");
    target.checks.push_back(std::move(check));
  }
}

void Loader::build_reporters(SectionReader& reader) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < reader.count("reporters"); ++i) {
    const auto path = fmt::format("reporters[{}]", i);
    if (!reader.has(path + ".reporter")) continue;
    ReporterConfig reporter;
    reporter.at = reader.mark(path);
    reporter.kind = reader.text(path + ".reporter");
    const bool named = reader.has(path + ".name");
    reporter.name = named ? reader.text(path + ".name") : reporter.kind;
    must_be_unique(reader, names, reporter.name, path + (named ? ".name" : ".reporter"), "reporter",
                   "give each its own name: {reporter: …, name: …}");
    reporter.issue_directory.path = reader.text(path + ".path");
    reporter.issue_directory.open_on_inconclusive =
        reader.text(path + ".open_on_inconclusive") == "true";
    result_.config.reporters.push_back(std::move(reporter));
  }
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

LoadResult load_config(const std::filesystem::path& path, const Environment& environment) {
  return Loader(environment).load(path);
}

}  // namespace rad
