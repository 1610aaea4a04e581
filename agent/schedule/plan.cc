#include <algorithm>
#include <map>

#include "agent/schedule/tick.h"

namespace rad {
namespace {

/// The same expression in many targets is made ready once.
class CronMaker {
 public:
  Result<CronSchedule> make(const CronExpression& expression, const std::string& zone) {
    const auto key = std::pair(expression.text(), zone);
    if (const auto found = made_.find(key); found != made_.end()) return found->second;
    RAD_TRY(CronSchedule cron, CronSchedule::make(expression, zone));
    made_.emplace(key, cron);
    return cron;
  }

 private:
  std::map<std::pair<std::string, std::string>, CronSchedule> made_;
};

}  // namespace

Result<Plan> make_plan(const Config& config) {
  Plan plan;
  CronMaker maker;
  for (const TargetConfig& target : config.targets) {
    for (const ScheduleConfig& from : target.schedules) {
      PlannedSchedule schedule{.target = target.name,
                               .name = from.name,
                               .depth = from.depth,
                               .trigger = from.trigger,
                               .after_backup = from.after_backup,
                               .lead = from.lead,
                               .timing = from.timing};
      if (from.trigger == ScheduleTrigger::cron) {
        RAD_TRY(schedule.cron, maker.make(from.cron, from.time_zone));
      }
      plan.schedules.push_back(std::move(schedule));
    }
  }
  for (const RotationConfig& from : config.rotations) {
    PlannedSchedule schedule{
        .target = from.name, .name = from.name, .depth = from.depth, .timing = from.timing};
    RAD_TRY(schedule.cron, maker.make(from.cron, from.time_zone));
    plan.rotations.push_back({from, std::move(schedule)});
  }
  return plan;
}

OldestNeeded oldest_needed(const Plan& plan, const std::map<ScheduleKey, ScheduleMemory>& memories,
                           TimePoint now) {
  OldestNeeded oldest;
  const auto need = [&](const std::string& target, Depth at_least, TimePoint since) {
    for (const auto depth : {Depth::inspect, Depth::verify, Depth::restore}) {
      if (depth < at_least) continue;
      TimePoint& known = oldest.try_emplace({target, depth}, since).first->second;
      known = std::min(known, since);
    }
  };
  const auto since = [&](const PlannedSchedule& schedule) {
    const auto memory = memories.find({schedule.target, schedule.name});
    return oldest_needed(schedule,
                         memory == memories.end() ? ScheduleMemory{now, {}} : memory->second, now);
  };
  for (const auto& schedule : plan.schedules) {
    need(schedule.target, schedule.depth, since(schedule));
  }
  for (const auto& rotation : plan.rotations) {
    const auto& members = rotation.config.members;
    const auto needed =
        std::min(since(rotation.schedule), coverage_since(rotation.schedule, members.size(), now));
    for (const auto& member : members) need(member, rotation.schedule.depth, needed);
  }
  return oldest;
}

}  // namespace rad
