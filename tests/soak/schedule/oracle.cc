#include "tests/soak/schedule/oracle.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::sim {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

bool overlaps(const std::vector<Interval>& intervals, TimePoint begin, TimePoint end) {
  return std::any_of(intervals.begin(), intervals.end(),
                     [&](const Interval& one) { return one.begin <= end && one.end >= begin; });
}

bool is_rad(const ScheduleKey& key) {
  return key.second == "rad";
}

}  // namespace

const PlannedSchedule* find_schedule(const Plan& plan, const ScheduleKey& key) {
  for (const auto& schedule : plan.schedules) {
    if (schedule.target == key.first && schedule.name == key.second) return &schedule;
  }
  for (const auto& rotation : plan.rotations) {
    if (rotation.schedule.target == key.first && rotation.schedule.name == key.second) {
      return &rotation.schedule;
    }
  }
  return nullptr;
}

void Oracle::complain(const ScheduleKey& key, TimePoint slot, const std::string& what) {
  violations_.push_back(
      fmt::format("{}/{} slot {}: {}", key.first, key.second, format_rfc3339(slot), what));
}

void Oracle::ended(const Plan& plan, const World& world, const Truth& truth, const Ended& ended,
                   const RecordedEnd& record, bool may_repeat) {
  const auto& [key, slot] = ended;
  const auto* schedule = find_schedule(plan, key);
  if (schedule == nullptr) return complain(key, slot.slot, "ended, but is not configured");
  auto& ends = ends_[key];
  bool repeated = false;
  for (auto at = slot.slot; at <= slot.last_slot;) {
    const auto [found, is_new] = ends.try_emplace(at, record);
    repeated = repeated || !is_new;
    // After a far jump back what runs have answered is worked out anew.
    const bool same =
        !is_new && slot.answered && (!checks_causes_ || found->second.slot.run == slot.run);
    // A rotation's member may be gone by then, and its run with it.
    const bool worked_out_anew = !checks_causes_ && key.first == key.second;
    if (!is_new && !same && !may_repeat && !worked_out_anew && !found->second.clock_ahead &&
        !record.clock_ahead) {
      complain(key, at,
               fmt::format("ended twice: at {} ({}) and at {} ({})",
                           format_rfc3339(found->second.recorded_at),
                           found->second.slot.answered ? "answered" : found->second.slot.detail,
                           format_rfc3339(record.recorded_at),
                           slot.answered ? "answered" : slot.detail));
    }
    if (!is_new && (slot.answered || found->second.clock_ahead)) found->second = record;
    at = schedule->cron && at < slot.last_slot ? schedule->cron->next(at)
                                               : slot.last_slot + milliseconds(1);
  }
  if (slot.answered && checks_causes_) check_answer(world, *schedule, key, slot);
  if (repeated) return;
  if (slot.answered) {
    ++answered_;
    if (is_rad(key)) ++rad_answered_;
    return;
  }
  ++missed_[std::string(to_string(slot.cause))];
  if (is_rad(key)) ++rad_missed_;
  if (slot.detail.empty()) complain(key, slot.slot, "missed without a word");
  if (checks_causes_) check_cause(world, truth, *schedule, key, slot, record.recorded_at);
}

void Oracle::check_answer(const World& world, const PlannedSchedule& schedule,
                          const ScheduleKey& key, const EndedSlot& slot) {
  bool good = false;
  for (const auto& [target, runs] : world.runs) {
    for (const PastRun& run : runs) {
      if (run.id != slot.run) continue;
      good = run.depth >= schedule.depth &&
             (run.verdict == Verdict::pass || run.verdict == Verdict::fail) &&
             (target == key.first || target == slot.target);
    }
  }
  if (!good) complain(key, slot.slot, "run " + slot.run + " does not answer it");
}

void Oracle::check_cause(const World& world, const Truth& truth, const PlannedSchedule& schedule,
                         const ScheduleKey& key, const EndedSlot& slot, TimePoint until) {
  const auto begin = slot.slot;
  bool good = true;
  switch (slot.cause) {
    case MissCause::agent_down: {
      good = overlaps(truth.down, begin, until);
      // The last one before the agent came back is made up for.
      const bool once = schedule.timing.catch_up == CatchUp::once;
      if (once && schedule.cron && schedule.cron->next(begin) > until) good = false;
      break;
    }
    case MissCause::clock_jump:
      good = overlaps(truth.jumped, begin, until);
      break;
    case MissCause::cannot_begin:
      good = false;  // everything can begin here
      break;
    case MissCause::backup_early:
      good = schedule.trigger == ScheduleTrigger::before_next_backup;
      break;
    case MissCause::paused:
      good = std::any_of(truth.pauses.begin(), truth.pauses.end(), [&](const auto& known) {
        const auto& [pause, end] = known;
        return (pause.target == kEvery || pause.target == key.first) &&
               (pause.schedule == kEvery || pause.schedule == key.second) && pause.since <= until &&
               end >= begin;
      });
      break;
    case MissCause::target_busy:
    case MissCause::concurrency:
    case MissCause::scratch: {
      // Something else went on in the slot's life.
      good = false;
      for (const auto& [target, runs] : world.runs) {
        if (slot.cause == MissCause::target_busy && schedule.target != key.second &&
            target != key.first) {
          continue;
        }
        for (const PastRun& run : runs) {
          good = good || (run.begun_at <= until && run.ended_at.value_or(until) >= begin);
        }
      }
      break;
    }
    case MissCause::inconclusive_to_the_end:
    case MissCause::cancelled: {
      good = false;
      for (const auto& [target, runs] : world.runs) {
        for (const PastRun& run : runs) {
          if (run.id != slot.run || run.schedule != key.second) continue;
          good = slot.cause == MissCause::cancelled
                     ? run.verdict == Verdict::cancelled && !run.interrupted
                     : run.verdict == Verdict::inconclusive || run.interrupted;
          // One that ended with the agent is tried again as soon as the agent is back.
          const bool early = schedule.cron && schedule.cron->next(begin) > until;
          if (run.interrupted && early && slot.detail.starts_with("1 attempt,") &&
              until < run.begun_at + hours(1))
            good = false;
        }
      }
      break;
    }
  }
  if (!good)
    complain(key, begin,
             fmt::format("missed by {}, which is not so: {}", to_string(slot.cause), slot.detail));
}

/// A retry has waited, and what is not to be made up for came due while the agent was there.
void Oracle::check_attempt(const PlannedSchedule& schedule, const World& world, const Truth& truth,
                           const DueRun& run, TimePoint now) {
  const ScheduleKey key{run.target, run.schedule};
  unsigned tries = 0;
  TimePoint last_end{};
  bool last_interrupted = false;
  const auto runs = world.runs.find(run.target);
  for (const PastRun& past : runs == world.runs.end() ? std::vector<PastRun>{} : runs->second) {
    if (past.schedule != run.schedule || past.begun_at < *run.slot || !past.ended_at) continue;
    ++tries;
    last_end = *past.ended_at;
    last_interrupted = past.interrupted;
  }
  constexpr std::array<std::chrono::minutes, 4> kLadder{
      std::chrono::minutes(15), std::chrono::minutes(60), std::chrono::minutes(240),
      std::chrono::minutes(720)};
  if (tries > 0 && !last_interrupted &&
      now < last_end + kLadder[std::min<std::size_t>(tries, 4) - 1]) {
    complain(key, *run.slot,
             fmt::format("attempt {} at {}, too early after {}", tries + 1, format_rfc3339(now),
                         format_rfc3339(last_end)));
  }
  if (tries > 0 || schedule.timing.catch_up == CatchUp::once) return;
  for (const Interval& down : truth.down) {
    if (down.begin < *run.slot && down.end > *run.slot + hours(3)) {
      complain(key, *run.slot, "made up for, against catch_up skip");
    }
  }
}

void Oracle::started(const Plan& plan, const World& world, const Truth& truth, const DueRun& run,
                     TimePoint now, bool clock_ahead) {
  const ScheduleKey key{run.target, run.schedule};
  for (const RunningRun& other : world.running) {
    if (other.target == run.target) complain(key, now, "two runs of one target");
  }
  if (!run.slot) return;
  const auto* schedule = find_schedule(plan, key);
  if (schedule != nullptr && schedule->cron && truth.jumped.empty()) {
    check_attempt(*schedule, world, truth, run, now);
  }
  if (pause_of(world.pauses, run.target, run.schedule, now) != nullptr) {
    complain(key, *run.slot, "started while paused");
  }
  const auto ends = ends_.find(key);
  if (ends == ends_.end()) return;
  const auto end = ends->second.find(*run.slot);
  if (end == ends->second.end() || end->second.clock_ahead || clock_ahead) return;
  complain(key, *run.slot,
           "started at " + format_rfc3339(now) + ", but has ended at " +
               format_rfc3339(end->second.recorded_at));
}

void Oracle::rewound(const ScheduleKey& key, TimePoint now) {
  auto& ends = ends_[key];
  ends.erase(ends.upper_bound(now), ends.end());
}

void Oracle::ticked(const Tick& tick) {
  for (const Standing& standing : tick.standings) {
    if (standing.standing.state != SlotState::due) continue;
    const auto& target = standing.member.empty() ? standing.target : standing.member;
    const auto is_it = [&](const DueRun& run) {
      return run.target == target && run.schedule == standing.schedule;
    };
    const bool starts = std::any_of(tick.start.begin(), tick.start.end(), is_it);
    const bool waits = std::any_of(tick.waiting.begin(), tick.waiting.end(), [&](const auto& one) {
      return is_it(one.run) && !one.detail.empty();
    });
    if (starts == waits) {
      complain({standing.target, standing.schedule}, *standing.standing.slot,
               "is due and neither starts nor waits");
    }
  }
}

void Oracle::run_ended(const std::string& target, const PastRun& run) {
  if (run.schedule != "rad" || !run.slot) return;
  if (run.verdict != Verdict::pass && run.verdict != Verdict::fail) return;
  if (++rads_[{target, *run.slot}] > 1) {
    complain({target, "rad"}, *run.slot, "a second R.A.D. in the month, run " + run.id);
  }
}

void Oracle::turn_used(const std::string& rotation, std::uint64_t round, const std::string& member,
                       const std::function<bool(const std::string&)>& is_paused) {
  if (!turns_.insert(fmt::format("{} {} {}", rotation, round, member)).second && checks_causes_) {
    violations_.push_back(
        fmt::format("rotation {}: {} twice in round {}", rotation, member, round));
  }
  auto& turns = last_turn_[rotation];
  if (const auto before = turns.find(member); before != turns.end() && round < before->second) {
    violations_.push_back(
        fmt::format("rotation {}: round {} after {}", rotation, round, before->second));
  }
  turns[member] = round;
  // Members are away or paused for a round or two, not for ever.
  for (auto& [name, last] : turns) {
    if (is_paused(name)) last = round;
    const auto changing = name == "disk-2" || name == "disk-3" || name == "disk-5";
    if (!changing && round > last + 12) {
      violations_.push_back(fmt::format("rotation {}: {} is starved, last in round {} of {}",
                                        rotation, name, last, round));
    }
  }
}

void Oracle::finished(const Plan& plan, const World& world, const Truth& truth, TimePoint begin,
                      TimePoint last) {
  const auto check = [&](const PlannedSchedule& schedule, const std::vector<Interval>& configured) {
    if (!schedule.cron) return;
    auto end = last;
    for (const RunningRun& run : world.running) {
      if (run.target == schedule.target || run.schedule == schedule.name) {
        end = std::min(end, run.begun_at);
      }
    }
    const ScheduleKey key{schedule.target, schedule.name};
    const auto& ends = ends_[key];
    const auto& jitter = schedule.timing.jitter;
    for (auto at = schedule.cron->next(begin); at < end; at = schedule.cron->next(at)) {
      // Known from before its time to after its end.
      const auto next = schedule.cron->next(schedule.cron->next(at));
      const bool counts =
          std::any_of(configured.begin(), configured.end(), [&](const Interval& one) {
            return one.begin <= at && next + jitter + hours(2) < std::min(one.end, end);
          });
      if (counts && !ends.contains(at)) complain(key, at, "was lost: no pass, no fail, not missed");
    }
  };
  for (const auto& schedule : plan.schedules) {
    const auto configured = truth.configured.find(schedule.target);
    if (configured != truth.configured.end()) check(schedule, configured->second);
  }
  for (const auto& rotation : plan.rotations) check(rotation.schedule, {{begin, last}});
}

}  // namespace rad::sim
