#include "agent/schedule/tick.h"

#include <algorithm>
#include <set>

namespace rad {
namespace {

template <class Map, class Key>
const typename Map::mapped_type& value_or_none(const Map& map, const Key& key) {
  static const typename Map::mapped_type kNone{};
  const auto found = map.find(key);
  return found == map.end() ? kNone : found->second;
}

class Ticker {
 public:
  Ticker(const Plan& plan, const World& world, const Moment& moment)
      : plan_(plan), world_(world), moment_(moment) {
    for (const RunningRun& run : world.running) busy_.insert(run.target);
  }

  Tick take(const Limits& limits);

 private:
  Evaluation evaluated(const PlannedSchedule& schedule, const std::vector<PastRun>& runs);
  void look_at(const PlannedSchedule& schedule);
  void look_at(const Plan::Rotation& rotation);
  void want(const PlannedSchedule& schedule, const ScheduleStanding& standing, std::string target);
  std::vector<PastRun> runs_of(const Plan::Rotation& rotation) const;
  std::string member_of(const RotationConfig& rotation, const ScheduleStanding& standing,
                        RotationProgress& cursor) const;
  void forget();

  const Plan& plan_;
  const World& world_;
  const Moment moment_;
  std::set<std::string> busy_;
  std::vector<DueRun> due_;
  Tick result_;
};

Evaluation Ticker::evaluated(const PlannedSchedule& schedule, const std::vector<PastRun>& runs) {
  ScheduleKey key{schedule.target, schedule.name};
  const auto memory = world_.memories.find(key);
  const auto hindrance = world_.hindrances.find(key);
  const ScheduleFacts facts{
      .runs = runs,
      .backups = value_or_none(world_.backups, schedule.target),
      .missed = value_or_none(world_.missed, key),
      .memory = memory == world_.memories.end() ? ScheduleMemory{moment_.now, {}} : memory->second,
      .pause = pause_of(world_.pauses, schedule.target, schedule.name, moment_.now),
      .hindrance = hindrance == world_.hindrances.end() ? nullptr : &hindrance->second};
  auto evaluation = evaluate(schedule, facts, moment_);
  for (EndedSlot& slot : evaluation.ended) result_.ended.push_back({key, slot});
  if (memory == world_.memories.end() || memory->second != evaluation.memory) {
    result_.memories.emplace_back(key, evaluation.memory);
  }
  if (evaluation.rewound) result_.rewound.push_back(key);
  // The pause may be over when the slot ends.
  if (evaluation.standing.state == SlotState::paused && facts.pause != nullptr) {
    result_.hindrances[key] = {MissCause::paused, describe(*facts.pause)};
  }
  result_.wake = std::min(result_.wake, evaluation.wake);
  return evaluation;
}

void Ticker::want(const PlannedSchedule& schedule, const ScheduleStanding& standing,
                  std::string target) {
  DueRun run{.target = std::move(target),
             .schedule = schedule.name,
             .depth = schedule.depth,
             .priority = schedule.timing.priority,
             .since = standing.start_at,
             .slot = standing.slot};
  if (run.depth == Depth::restore) {
    run.scratch = value_or_none(world_.scratch, run.target);
    run.barred = world_.barriers.restores;
  }
  if (run.barred.empty()) {
    run.barred = value_or_none(world_.barriers.runs, std::pair(run.target, run.schedule));
  }
  due_.push_back(std::move(run));
}

void Ticker::look_at(const PlannedSchedule& schedule) {
  auto evaluation = evaluated(schedule, value_or_none(world_.runs, schedule.target));
  if (evaluation.standing.state == SlotState::due) {
    want(schedule, evaluation.standing, schedule.target);
  }
  result_.standings.push_back(
      {schedule.target, schedule.name, schedule.depth, std::move(evaluation.standing), {}});
}

std::vector<PastRun> Ticker::runs_of(const Plan::Rotation& rotation) const {
  const auto memory = world_.memories.find({rotation.config.name, rotation.config.name});
  const auto since = memory == world_.memories.end()
                         ? moment_.now
                         : oldest_needed(rotation.schedule, memory->second, moment_.now);
  std::vector<PastRun> runs;
  for (const auto& member : rotation.config.members) {
    for (const PastRun& run : value_or_none(world_.runs, member)) {
      if (run.begun_at < since || run.schedule != rotation.config.name) continue;
      runs.push_back(run);
      runs.back().target = member;
    }
  }
  return runs;
}

std::string Ticker::member_of(const RotationConfig& rotation, const ScheduleStanding& standing,
                              RotationProgress& cursor) const {
  const auto may_run = [&](const std::string& name) {
    return pause_of(world_.pauses, name, rotation.name, moment_.now) == nullptr;
  };
  // A retry is for the one that was tried.
  const auto& last = standing.last_target;
  if (!last.empty()) return may_run(last) ? last : "";
  const auto is_free = [&](const std::string& name) {
    return !busy_.contains(name) && !world_.barriers.runs.contains({name, rotation.name});
  };
  return choose_member(rotation, cursor, may_run, is_free).value_or("");
}

void Ticker::look_at(const Plan::Rotation& rotation) {
  auto evaluation = evaluated(rotation.schedule, runs_of(rotation));
  const auto found = world_.cursors.find(rotation.config.name);
  auto cursor = found == world_.cursors.end() ? RotationProgress{} : found->second;
  cursor.rotation = rotation.config.name;
  note_ended(cursor, evaluation.ended, moment_.now);
  std::string member;
  if (evaluation.standing.state == SlotState::due) {
    member = member_of(rotation.config, evaluation.standing, cursor);
    if (member.empty()) {
      evaluation.standing.state = SlotState::paused;
      result_.hindrances[{rotation.schedule.target, rotation.schedule.name}] = {
          MissCause::paused, "the member whose turn it is, or every one, is paused"};
    } else {
      want(rotation.schedule, evaluation.standing, member);
    }
  }
  if (found == world_.cursors.end() || found->second != cursor) result_.cursors.push_back(cursor);
  result_.standings.push_back({rotation.schedule.target, rotation.schedule.name,
                               rotation.schedule.depth, std::move(evaluation.standing),
                               std::move(member)});
}

void Ticker::forget() {
  std::set<ScheduleKey> known;
  for (const auto& schedule : plan_.schedules) known.emplace(schedule.target, schedule.name);
  for (const auto& rotation : plan_.rotations) {
    known.emplace(rotation.schedule.target, rotation.schedule.name);
  }
  for (const auto& [key, memory] : world_.memories) {
    if (!known.contains(key)) result_.forgotten.push_back(key);
  }
}

Tick Ticker::take(const Limits& limits) {
  for (const PlannedSchedule& schedule : plan_.schedules) look_at(schedule);
  for (const Plan::Rotation& rotation : plan_.rotations) look_at(rotation);
  forget();
  for (const Pause& pause : world_.pauses) {
    if (end_of(pause) > moment_.now) result_.wake = std::min(result_.wake, end_of(pause));
  }
  due_.insert(due_.end(), world_.requests.begin(), world_.requests.end());
  auto choice = choose(std::move(due_), world_.running, limits);
  result_.start = std::move(choice.start);
  result_.waiting = std::move(choice.waiting);
  std::set<std::string> rotations;
  for (const auto& rotation : plan_.rotations) rotations.insert(rotation.config.name);
  for (const HeldRun& waiting : result_.waiting) {
    if (!waiting.run.request.empty()) continue;
    const bool rotates = rotations.contains(waiting.run.schedule);
    result_
        .hindrances[{rotates ? waiting.run.schedule : waiting.run.target, waiting.run.schedule}] = {
        waiting.cause, waiting.detail};
  }
  return std::move(result_);
}

}  // namespace

Tick tick(const Plan& plan, const World& world, const Moment& moment, const Limits& limits) {
  return Ticker(plan, world, moment).take(limits);
}

}  // namespace rad
