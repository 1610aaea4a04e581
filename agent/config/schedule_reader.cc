#include "agent/config/schedule_reader.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

std::chrono::milliseconds duration_at(const SectionReader& reader, const std::string& path) {
  const auto value = parse_duration(reader.text(path));
  return value ? *value : std::chrono::milliseconds(0);
}

std::optional<std::chrono::milliseconds> unless_auto(const SectionReader& reader,
                                                     const std::string& path) {
  if (reader.text(path) == "auto") return std::nullopt;
  return duration_at(reader, path);
}

TimingConfig timing_at(const SectionReader& reader, const std::string& path) {
  return {.jitter = duration_at(reader, path + ".jitter"),
          .catch_up = reader.text(path + ".catch_up") == "skip" ? CatchUp::skip : CatchUp::once,
          .window = unless_auto(reader, path + ".window"),
          .priority = std::stoi(reader.text(path + ".priority"))};
}

CronExpression cron_at(const SectionReader& reader, const std::string& path) {
  auto cron = CronExpression::parse(reader.text(path));
  return cron ? *std::move(cron) : CronExpression{};
}

void must_be_free(SectionReader& reader, std::set<std::string>& seen, const std::string& name,
                  const std::string& path, std::string_view what) {
  if (name == "manual") {
    reader.complain(path, "found 'manual', which stands for runs by hand",
                    "choose another name, for example daily");
  }
  if (name.empty() || seen.insert(name).second) return;
  reader.complain(path, fmt::format("{} '{}' is here twice", what, name), "rename one of the two");
}

/// Exactly one of the three, and nothing that goes with another one.
ScheduleTrigger trigger_at(SectionReader& reader, const std::string& path) {
  std::vector<std::string_view> found;
  if (reader.mentions(path + ".cron")) found.push_back("cron");
  if (reader.mentions(path + ".after_backup")) found.push_back("after_backup");
  if (reader.text(path + ".before_next_backup") == "true") found.push_back("before_next_backup");
  if (found.size() != 1) {
    reader.complain(
        path,
        fmt::format("found {}, expected exactly one of cron, after_backup and "
                    "before_next_backup",
                    found.empty() ? "none" : fmt::format("{}", fmt::join(found, " and "))),
        "for example cron: \"0 6 2 * *\"");
  }
  const auto trigger = found.empty() || found.front() == "cron" ? ScheduleTrigger::cron
                       : found.front() == "after_backup"        ? ScheduleTrigger::after_backup
                                                         : ScheduleTrigger::before_next_backup;
  const auto needs = [&](std::string_view key, bool fits, std::string_view what) {
    const auto key_path = fmt::format("{}.{}", path, key);
    const bool is_default =
        reader.text(key_path) == find_option(generic_path(key_path))->default_text;
    if (fits || found.size() != 1 || !reader.has(key_path) || is_default) return;
    reader.complain(key_path, fmt::format("has a meaning only with {}", what), "remove the key");
  };
  const bool before = trigger == ScheduleTrigger::before_next_backup;
  needs("time_zone", trigger == ScheduleTrigger::cron, "cron");
  needs("lead", before, "before_next_backup");
  needs("jitter", !before, "cron or after_backup");
  return trigger;
}

/// Adds the targets that a pattern matches and that are not there yet. \return whether it matches.
bool add_members(const Config& config, const std::string& pattern,
                 std::vector<std::string>& members) {
  std::set<std::string> found;
  for (const TargetConfig& target : config.targets) {
    if (matches(pattern, target.name)) found.insert(target.name);
  }
  for (const auto& name : found) {
    if (std::find(members.begin(), members.end(), name) == members.end()) members.push_back(name);
  }
  return !found.empty();
}

void resolve_members(SectionReader& reader, const Config& config, const std::string& path,
                     RotationConfig& rotation) {
  const auto text = reader.text(path);
  for (std::string_view rest = text; !rest.empty();) {
    const auto comma = rest.find(',');
    rotation.patterns.emplace_back(rest.substr(0, comma));
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  }
  std::vector<std::string> names;
  for (const TargetConfig& target : config.targets) names.push_back(target.name);
  for (std::size_t i = 0; i < rotation.patterns.size(); ++i) {
    const auto& pattern = rotation.patterns[i];
    if (add_members(config, pattern, rotation.members)) continue;
    const auto near = closest(pattern, names);
    reader.complain(fmt::format("{}[{}]", path, i),
                    fmt::format("'{}' matches no target", printable(pattern, 80)),
                    near ? fmt::format("did you mean '{}'?", *near)
                         : "targets are known by their names, those of conf.d too");
  }
}

bool is_member(const RotationConfig& rotation, const std::string& target) {
  return std::find(rotation.members.begin(), rotation.members.end(), target) !=
         rotation.members.end();
}

/// The name stands for the rotation in the store and for its runs in metrics.
void check_rotation_name(SectionReader& reader, const Config& config, const std::string& path,
                         const RotationConfig& rotation) {
  if (config.find_target(rotation.name) != nullptr) {
    reader.complain(path, fmt::format("'{}' is also the name of a target", rotation.name),
                    "rename the rotation");
  }
  for (const TargetConfig& target : config.targets) {
    if (!is_member(rotation, target.name)) continue;
    for (const ScheduleConfig& schedule : target.schedules) {
      if (schedule.name != rotation.name) continue;
      reader.complain(path,
                      fmt::format("'{}' is also the name of a schedule of its member '{}'",
                                  rotation.name, target.name),
                      "rename the rotation");
      return;
    }
  }
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) noexcept {
  std::size_t p = 0;
  std::size_t n = 0;
  auto star = std::string_view::npos;
  std::size_t star_took = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_took = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_took;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<ScheduleConfig> read_schedules(SectionReader& reader, const std::string& list,
                                           const std::string& time_zone) {
  std::vector<ScheduleConfig> schedules;
  std::set<std::string> names;
  for (std::size_t i = 0; i < reader.count(list); ++i) {
    const auto path = fmt::format("{}[{}]", list, i);
    ScheduleConfig schedule;
    schedule.at = reader.mark(path);
    schedule.name = reader.text(path + ".name");
    must_be_free(reader, names, schedule.name, path + ".name", "schedule");
    schedule.trigger = trigger_at(reader, path);
    if (schedule.trigger == ScheduleTrigger::cron) schedule.cron = cron_at(reader, path + ".cron");
    if (schedule.trigger == ScheduleTrigger::after_backup) {
      schedule.after_backup = duration_at(reader, path + ".after_backup");
    }
    schedule.lead = unless_auto(reader, path + ".lead");
    const auto zone_path = path + ".time_zone";
    schedule.time_zone = reader.has(zone_path) ? reader.text(zone_path) : time_zone;
    schedule.depth = parse_depth(reader.text(path + ".depth")).value_or(Depth::restore);
    schedule.timing = timing_at(reader, path);
    schedules.push_back(std::move(schedule));
  }
  return schedules;
}

void read_rotations(SectionReader& reader, Config& config) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < reader.count("rotations"); ++i) {
    const auto path = fmt::format("rotations[{}]", i);
    RotationConfig rotation;
    rotation.at = reader.mark(path);
    rotation.name = reader.text(path + ".name");
    must_be_free(reader, names, rotation.name, path + ".name", "rotation");
    rotation.cron = cron_at(reader, path + ".cron");
    const auto zone_path = path + ".time_zone";
    rotation.time_zone = reader.has(zone_path) ? reader.text(zone_path) : config.agent.time_zone;
    rotation.depth = parse_depth(reader.text(path + ".depth")).value_or(Depth::verify);
    rotation.order =
        reader.text(path + ".order") == "random" ? RotationOrder::random : RotationOrder::rotate;
    rotation.timing = timing_at(reader, path);
    resolve_members(reader, config, path + ".targets", rotation);
    check_rotation_name(reader, config, path + ".name", rotation);
    config.rotations.push_back(std::move(rotation));
  }
}

void warn_of_schedules(const Config& config, std::vector<Diagnostic>& warnings) {
  for (const TargetConfig& target : config.targets) {
    bool tested = !target.schedules.empty();
    bool restored = std::any_of(target.schedules.begin(), target.schedules.end(),
                                [](const auto& one) { return one.depth == Depth::restore; });
    for (const RotationConfig& rotation : config.rotations) {
      if (!is_member(rotation, target.name)) continue;
      tested = true;
      restored = restored || rotation.depth == Depth::restore;
    }
    if (restored) continue;
    const auto key = target.path + ".schedules";
    if (!tested) {
      warnings.push_back(
          {.at = target.at,
           .key = key,
           .message =
               fmt::format("target '{}' has no schedule: it is tested only by hand", target.name),
           .hint = "`rad-agent explain targets.schedules` shows an example"});
    } else {
      warnings.push_back(
          {.at = target.schedules_at,
           .key = key,
           .message =
               fmt::format("no schedule of target '{}' has depth restore: nothing is ever restored",
                           target.name),
           .hint = "add {name: rad, cron: \"0 6 2 * *\", depth: restore}"});
    }
  }
}

}  // namespace rad
