#include "agent/schedule/standing.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/schedule/attempts.h"

namespace rad {
namespace {

using std::chrono::milliseconds;

/// More slots than these that end at once are told as one.
constexpr std::size_t kToldApart = 200;

/// A clock that is set back by less than this brings nothing back, not even the slots of a schedule
/// that has many in that time; one that was further ahead than this silences nothing for longer.
constexpr std::chrono::hours kTrustedAhead{3};

/// A slot as it is at this moment.
struct View {
  std::optional<EndedSlot> ended;
  SlotState state = SlotState::waiting;
  TimePoint start_at{};
  TimePoint changes_at = TimePoint::max();  ///< by time alone
  Attempts attempts;
};

class Evaluator {
 public:
  Evaluator(const PlannedSchedule& schedule, const ScheduleFacts& facts, const Moment& moment)
      : schedule_(schedule),
        facts_(facts),
        moment_(moment),
        slots_(schedule, facts.backups,
               schedule.trigger == ScheduleTrigger::before_next_backup && !schedule.lead
                   ? last_duration(facts.runs, schedule.depth)
                   : std::nullopt) {
    moment_.running_since = std::min(moment.running_since, moment.now);
  }

  Evaluation evaluate();

 private:
  void put_memory_right(const Slot& current, const std::optional<Slot>& next);
  bool is_settled(const Slot& slot) const;
  bool is_recorded(const Slot& slot) const;
  View look_at(const Slot& slot, TimePoint end, bool is_current) const;
  View not_begun_or_again(const Slot& slot, TimePoint end, View view) const;
  View settled_view(const Slot& slot, TimePoint end) const;
  void settle(const Slot& current, const View& view);
  std::vector<Slot> unsettled_before(const Slot& current);

  const PlannedSchedule& schedule_;
  const ScheduleFacts& facts_;
  Moment moment_;
  Slots slots_;
  Evaluation result_;
};

Evaluation Evaluator::evaluate() {
  auto& standing = result_.standing;
  result_.memory = facts_.memory;
  result_.memory.known_since = std::min(facts_.memory.known_since, moment_.now);
  const auto current = slots_.current(moment_.now);
  const auto next =
      current && schedule_.cron ? slots_.after(*current) : slots_.upcoming(moment_.now);
  standing.next_slot = next ? next->due : TimePoint::max();
  standing.start_at = standing.next_slot;
  result_.wake = next && next->opens > moment_.now ? next->opens : TimePoint::max();
  if (!current || current->opens < result_.memory.known_since) return std::move(result_);

  put_memory_right(*current, next);
  standing.slot = current->at;
  const auto end = schedule_.cron && next ? next->opens : TimePoint::max();
  const bool ended_before = is_settled(*current) || is_recorded(*current);
  const auto view = ended_before ? settled_view(*current, end) : look_at(*current, end, true);
  if (!is_settled(*current)) settle(*current, view);
  standing.state = view.state;
  standing.attempts = view.attempts.count;
  if (view.attempts.last != nullptr) standing.last_target = view.attempts.last->target;
  const bool is_open = !ended_before && !view.ended;
  if (is_open && view.state != SlotState::running) standing.start_at = view.start_at;
  if (standing.state == SlotState::due) standing.late = moment_.now - standing.start_at;
  if (is_open) result_.wake = std::min(result_.wake, view.changes_at);
  return std::move(result_);
}

void Evaluator::put_memory_right(const Slot& current, const std::optional<Slot>& next) {
  auto& memory = result_.memory;
  if (!memory.settled || !schedule_.cron || !next) return;
  if (*memory.settled <= std::max(next->at, moment_.now + kTrustedAhead)) return;
  result_.rewound = true;
  const auto before = slots_.before(current);
  memory.settled = before ? std::optional(before->at) : std::nullopt;
}

bool Evaluator::is_settled(const Slot& slot) const {
  return result_.memory.settled && slot.at <= *result_.memory.settled;
}

/// Left by a crash before the memory was kept, or by a clock that was set back.
bool Evaluator::is_recorded(const Slot& slot) const {
  return std::any_of(facts_.missed.begin(), facts_.missed.end(), [&](const auto& missed) {
    return missed.first == slot.at && missed.second <= moment_.now;
  });
}

View Evaluator::settled_view(const Slot& slot, TimePoint end) const {
  View view;
  view.attempts = attempts_at(schedule_, facts_.runs, slot, end);
  const auto& attempts = view.attempts;
  if (attempts.answer != nullptr) {
    view.state = SlotState::answered;
  } else if (attempts.last == nullptr) {
    view.state = SlotState::missed;
  } else if (attempts.last->verdict == Verdict::cancelled && !attempts.last->interrupted) {
    view.state = SlotState::cancelled;
  } else {
    view.state = SlotState::given_up;
  }
  return view;
}

View Evaluator::look_at(const Slot& slot, TimePoint end, bool is_current) const {
  View view;
  view.attempts = attempts_at(schedule_, facts_.runs, slot, end);
  const auto& attempts = view.attempts;
  if (attempts.answer != nullptr) {
    view.state = SlotState::answered;
    view.ended = EndedSlot{.slot = slot.at,
                           .last_slot = slot.at,
                           .answered = true,
                           .run = attempts.answer->id,
                           .target = attempts.answer->target};
  } else if (attempts.running != nullptr) {
    view.state = SlotState::running;
  } else if (attempts.last != nullptr && attempts.last->verdict == Verdict::cancelled &&
             !attempts.last->interrupted) {
    view.state = SlotState::cancelled;
    view.ended = missed_slot(schedule_, facts_, moment_, slot, end, attempts);
  } else if (!is_current) {
    view.state = SlotState::missed;
    view.ended = missed_slot(schedule_, facts_, moment_, slot, end, attempts);
  } else {
    view = not_begun_or_again(slot, end, view);
  }
  return view;
}

View Evaluator::not_begun_or_again(const Slot& slot, TimePoint end, View view) const {
  const auto now = moment_.now;
  const bool tried = view.attempts.last != nullptr;
  const bool once = schedule_.timing.catch_up == CatchUp::once;
  const auto attempt = next_attempt(view.attempts, slot, now);
  const auto window_end = (tried ? view.attempts.first_begun : slot.due) + slots_.window();
  // The time in which the agent was down is not taken from the window.
  auto closes = window_end;
  if (once && attempt < moment_.running_since) {
    closes = std::max(closes, moment_.running_since + slots_.window());
  }
  closes = std::min(closes, end);
  const bool no_time_left = tried && (attempt >= window_end || attempt >= end);
  const bool came_in_absence = !tried && attempt < moment_.running_since - kInTime;
  const bool skipped = !once && !tried && now >= attempt && (came_in_absence || facts_.pause);
  view.start_at = attempt;
  if (no_time_left || skipped || now >= closes) {
    view.state = tried ? SlotState::given_up : SlotState::missed;
    view.ended = missed_slot(schedule_, facts_, moment_, slot, end, view.attempts);
    return view;
  }
  if (now < attempt) {
    view.state = tried ? SlotState::retrying : SlotState::waiting;
    view.changes_at = attempt;
    return view;
  }
  view.changes_at = closes;
  if (facts_.pause != nullptr) {
    view.state = SlotState::paused;
    view.start_at = std::max(attempt, end_of(*facts_.pause));
    view.changes_at = std::min(view.changes_at, end_of(*facts_.pause));
  } else {
    view.state = SlotState::due;
  }
  return view;
}

std::vector<Slot> Evaluator::unsettled_before(const Slot& current) {
  const auto& memory = result_.memory;
  const auto is_open = [&](const std::optional<Slot>& slot) {
    return slot && slot->opens >= memory.known_since &&
           (!memory.settled || slot->at > *memory.settled);
  };
  std::vector<Slot> slots;
  auto slot = slots_.before(current);
  for (; is_open(slot) && slots.size() < kToldApart; slot = slots_.before(slots.back())) {
    slots.push_back(*slot);
  }
  std::reverse(slots.begin(), slots.end());
  if (!is_open(slot)) return slots;

  // Nobody reads every minute of a year; the first and the last tell the story.
  const auto last = *slot;
  const auto base = memory.settled.value_or(memory.known_since);
  const auto near_first = memory.settled
                              ? slots_.after(Slot{.at = base, .opens = base, .due = base})
                              : slots_.upcoming(base - milliseconds(1));
  const Slot first = near_first.value_or(last);
  auto told = missed_slot(schedule_, facts_, moment_, first, last.opens, {});
  told.last_slot = last.at;
  told.detail += fmt::format("; this one and all others to {}", format_rfc3339(last.at));
  result_.ended.push_back(std::move(told));
  result_.memory.settled = last.at;
  return slots;
}

void Evaluator::settle(const Slot& current, const View& view) {
  const auto older = unsettled_before(current);
  for (std::size_t i = 0; i < older.size(); ++i) {
    const auto& following = i + 1 < older.size() ? older[i + 1] : current;
    if (!is_recorded(older[i])) {
      auto past = look_at(older[i], following.opens, false);
      if (!past.ended) return;  // a run that may answer it still goes on
      result_.ended.push_back(*std::move(past.ended));
    }
    result_.memory.settled = older[i].at;
  }
  if (view.ended) result_.ended.push_back(*view.ended);
  if (view.ended || is_recorded(current)) result_.memory.settled = current.at;
}

constexpr std::array<std::string_view, 9> kStates{"waiting",   "due",      "retrying",
                                                  "running",   "answered", "given_up",
                                                  "cancelled", "paused",   "missed"};
constexpr std::array<std::string_view, 10> kCauses{"agent_down",
                                                   "clock_jump",
                                                   "paused",
                                                   "target_busy",
                                                   "concurrency",
                                                   "scratch",
                                                   "inconclusive_to_the_end",
                                                   "cancelled",
                                                   "backup_early",
                                                   "cannot_begin"};

}  // namespace

std::string_view to_string(SlotState value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < kStates.size() ? kStates[index] : "?";
}

std::string_view to_string(MissCause value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < kCauses.size() ? kCauses[index] : "?";
}

std::optional<MissCause> parse_miss_cause(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kCauses.size(); ++i) {
    if (kCauses[i] == text) return static_cast<MissCause>(i);
  }
  return std::nullopt;
}

Evaluation evaluate(const PlannedSchedule& schedule, const ScheduleFacts& facts,
                    const Moment& moment) {
  return Evaluator(schedule, facts, moment).evaluate();
}

TimePoint oldest_needed(const PlannedSchedule& schedule, const ScheduleMemory& memory,
                        TimePoint now) {
  const milliseconds month = std::chrono::hours(31 * 24);
  const auto interval = schedule.cron ? schedule.cron->longest_interval() : month;
  const auto window = schedule.timing.window.value_or(default_window(interval));
  const auto recent = now - 2 * interval - window;
  return std::min(recent, memory.settled.value_or(memory.known_since));
}

std::optional<milliseconds> last_duration(const std::vector<PastRun>& runs, Depth depth) {
  const PastRun* last = nullptr;
  for (const PastRun& run : runs) {
    const bool conclusive = run.verdict == Verdict::pass || run.verdict == Verdict::fail;
    if (!conclusive || !run.ended_at || run.depth != depth) continue;
    if (last == nullptr || run.begun_at > last->begun_at) last = &run;
  }
  if (last == nullptr) return std::nullopt;
  return std::max(milliseconds(0), *last->ended_at - last->begun_at);
}

}  // namespace rad
