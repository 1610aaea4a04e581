#include "tests/soak/schedule/fleet.h"

namespace rad::sim {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

ScheduleConfig cron(std::string name, std::string_view text, std::string zone, Depth depth,
                    TimingConfig timing = {}) {
  ScheduleConfig schedule;
  schedule.name = std::move(name);
  schedule.cron = CronExpression::parse(text).value();
  schedule.time_zone = std::move(zone);
  schedule.depth = depth;
  schedule.timing = timing;
  return schedule;
}

ScheduleConfig rad(std::string zone, TimingConfig timing = {}) {
  return cron("rad", "0 6 2 * *", std::move(zone), Depth::restore, timing);
}

ScheduleConfig relative(std::string name, ScheduleTrigger trigger, Depth depth,
                        TimingConfig timing = {}) {
  ScheduleConfig schedule;
  schedule.name = std::move(name);
  schedule.trigger = trigger;
  schedule.after_backup = minutes(30);
  schedule.depth = depth;
  schedule.timing = timing;
  return schedule;
}

TargetConfig target(std::string name, std::vector<ScheduleConfig> schedules) {
  TargetConfig result;
  result.name = std::move(name);
  result.schedules = std::move(schedules);
  return result;
}

std::vector<TargetConfig> targets() {
  const TimingConfig skip{.catch_up = CatchUp::skip};
  const TimingConfig jittered{.jitter = hours(2)};
  const TimingConfig first{.priority = 5};
  return {
      target("berlin",
             {rad("Europe/Berlin"), cron("daily", "30 2 * * *", "Europe/Berlin", Depth::verify),
              cron("often", "17 */3 * * *", "UTC", Depth::inspect)}),
      target("new-york", {rad("America/New_York", jittered),
                          cron("daily", "30 2 * * *", "America/New_York", Depth::verify, skip)}),
      target("lord-howe", {rad("Australia/Lord_Howe", first),
                           relative("fresh", ScheduleTrigger::after_backup, Depth::verify)}),
      target("apia", {rad("Pacific/Apia")}),
      target("replay", {relative("longest", ScheduleTrigger::before_next_backup, Depth::verify)}),
      target("casablanca", {rad("Africa/Casablanca"),
                            cron("month-end", "0 23 L * *", "Africa/Casablanca", Depth::restore),
                            cron("busy", "*/30 8-9 * * 1-5", "Asia/Kathmandu", Depth::inspect)}),
      target("leap", {cron("leap", "0 0 29 2 *", "Europe/Berlin", Depth::inspect, jittered),
                      cron("friday", "0 20 * * 5L", "UTC", Depth::verify)}),
      target("disk-1", {}),
      target("disk-2", {cron("daily", "0 1 * * *", "UTC", Depth::inspect)}),
      target("disk-3", {}),
      target("disk-4", {}),
      target("disk-5", {rad("Asia/Kathmandu")}),
  };
}

RotationConfig rotation(std::string name, std::string_view text, RotationOrder order) {
  RotationConfig result;
  result.name = std::move(name);
  result.cron = CronExpression::parse(text).value();
  result.time_zone = "UTC";
  result.depth = Depth::verify;
  result.order = order;
  return result;
}

}  // namespace

std::vector<std::string> all_targets() {
  std::vector<std::string> names;
  for (const auto& one : targets()) names.push_back(one.name);
  return names;
}

std::vector<std::string> changing_targets() {
  return {"casablanca", "disk-2", "disk-3", "disk-5"};
}

Config fleet(const std::set<std::string>& absent) {
  Config config;
  config.rotations = {rotation("fleet", "7 */6 * * *", RotationOrder::random),
                      rotation("row", "0 12 * * *", RotationOrder::rotate)};
  config.rotations[0].timing.jitter = hours(1);
  for (auto& one : targets()) {
    if (absent.contains(one.name)) continue;
    if (one.name.starts_with("disk-")) {
      for (auto& each : config.rotations) each.members.push_back(one.name);
    }
    config.targets.push_back(std::move(one));
  }
  return config;
}

}  // namespace rad::sim
