#include "agent/schedule/attempts.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

bool counts(const PlannedSchedule& schedule, const PastRun& run, const Slot& slot, TimePoint end) {
  if (run.depth < schedule.depth) return false;
  const bool own = run.schedule == schedule.name;
  if (own && run.slot) return *run.slot == slot.at;
  if (schedule.trigger == ScheduleTrigger::after_backup && !slot.backup.empty() &&
      run.backup == slot.backup) {
    return true;
  }
  return run.begun_at >= (own ? slot.opens : slot.due) && run.begun_at < end;
}

std::string name_of(const PastRun& run) {
  const auto id = run.id.empty() ? std::string("a run") : "run " + run.id;
  return run.schedule == "manual" ? id + " by hand" : fmt::format("{} of {}", id, run.schedule);
}

/// A run that was still in the target when the slot ended, and not for its sake.
const PastRun* holder(const PlannedSchedule& schedule, const std::vector<PastRun>& runs,
                      const Slot& slot, TimePoint end) {
  for (const PastRun& run : runs) {
    if (run.schedule == schedule.name && run.begun_at >= slot.opens) continue;
    if (run.begun_at < end && run.ended_at.value_or(TimePoint::max()) >= end) return &run;
  }
  return nullptr;
}

std::string tried(const Attempts& attempts) {
  const PastRun& last = *attempts.last;
  const std::string_view why = last.interrupted ? "interrupted"
                               : last.reason    ? to_string(*last.reason)
                                                : "inconclusive";
  return fmt::format("{} {}, the last one was {}: {}", attempts.count,
                     attempts.count == 1 ? "attempt" : "attempts", name_of(last), why);
}

}  // namespace

Attempts attempts_at(const PlannedSchedule& schedule, const std::vector<PastRun>& runs,
                     const Slot& slot, TimePoint end) {
  Attempts attempts;
  for (const PastRun& run : runs) {
    if (!counts(schedule, run, slot, end)) continue;
    if (!run.verdict) {
      attempts.running = &run;
      continue;
    }
    const bool conclusive = *run.verdict == Verdict::pass || *run.verdict == Verdict::fail;
    if (conclusive && (attempts.answer == nullptr || run.begun_at < attempts.answer->begun_at)) {
      attempts.answer = &run;
    }
    if (run.schedule != schedule.name) continue;
    ++attempts.count;
    attempts.first_begun = std::min(attempts.first_begun, run.begun_at);
    if (attempts.last == nullptr || run.begun_at > attempts.last->begun_at) attempts.last = &run;
  }
  if (attempts.last == nullptr || !attempts.last->interrupted) return attempts;
  TimePoint conclusive_end = TimePoint::min();
  for (const PastRun& run : runs) {
    if (run.schedule == schedule.name && counts(schedule, run, slot, end) && !run.interrupted) {
      conclusive_end = std::max(conclusive_end, run.begun_at);
    }
  }
  for (const PastRun& run : runs) {
    if (run.schedule == schedule.name && counts(schedule, run, slot, end) && run.interrupted &&
        run.begun_at >= conclusive_end) {
      ++attempts.interrupted;
    }
  }
  return attempts;
}

TimePoint next_attempt(const Attempts& attempts, const Slot& slot, TimePoint now) {
  if (attempts.last == nullptr) return slot.due;
  const PastRun& last = *attempts.last;
  // A run may seem to have begun before its slot: the clock was set back.
  if (last.interrupted && attempts.interrupted == 1) return std::max(slot.due, last.begun_at);
  const auto step = std::min<std::size_t>(attempts.count, kRetryDelays.size()) - 1;
  const auto ended = last.ended_at.value_or(last.begun_at);
  return std::max(slot.due, ended > now ? last.begun_at : ended) + kRetryDelays[step];
}

EndedSlot missed_slot(const PlannedSchedule& schedule, const ScheduleFacts& facts,
                      const Moment& moment, const Slot& slot, TimePoint end,
                      const Attempts& attempts) {
  EndedSlot ended{.slot = slot.at, .last_slot = slot.at};
  const bool agent_was_away = slot.due < moment.running_since;
  const auto* in_its_place = holder(schedule, facts.runs, slot, std::min(end, moment.now));
  if (attempts.last != nullptr) {
    const PastRun& last = *attempts.last;
    ended.run = last.id;
    ended.target = last.target;
    const bool cancelled = last.verdict == Verdict::cancelled && !last.interrupted;
    ended.cause = cancelled ? MissCause::cancelled : MissCause::inconclusive_to_the_end;
    ended.detail = cancelled ? name_of(last) + " was cancelled" : tried(attempts);
  } else if (slot.due + std::chrono::minutes(1) >= end && !slot.backup.empty()) {
    ended.cause = MissCause::backup_early;
    ended.detail = fmt::format("due at {}, but the next backup came before it could begin",
                               format_rfc3339(slot.due));
  } else if (facts.pause != nullptr && facts.pause->since < end) {
    ended.cause = MissCause::paused;
    ended.detail = describe(*facts.pause);
  } else if (facts.hindrance != nullptr) {
    ended.cause = facts.hindrance->cause;
    ended.detail = facts.hindrance->detail;
  } else if (in_its_place != nullptr) {
    ended.cause = MissCause::target_busy;
    ended.detail = fmt::format("{} held the target, begun {}", name_of(*in_its_place),
                               format_rfc3339(in_its_place->begun_at));
  } else {
    ended.cause =
        agent_was_away && moment.after_jump ? MissCause::clock_jump : MissCause::agent_down;
    ended.detail = fmt::format("{} {}",
                               ended.cause == MissCause::clock_jump ? "the clock jumped over it, to"
                               : agent_was_away ? "the agent has been running only since"
                                                : "the agent did not come to it before",
                               format_rfc3339(agent_was_away ? moment.running_since : moment.now));
  }
  return ended;
}

}  // namespace rad
