#include "agent/schedule/slots.h"

#include <algorithm>

namespace rad {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::size_t kIntervalsLookedAt = 7;

std::uint64_t fnv1a(std::uint64_t hash, std::string_view bytes) {
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  }
  return hash;
}

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

void sort_by_end(std::vector<SeenBackup>& backups) {
  std::sort(backups.begin(), backups.end(),
            [](const SeenBackup& a, const SeenBackup& b) { return a.finished_at < b.finished_at; });
}

}  // namespace

milliseconds jitter_of(std::string_view target, std::string_view schedule, TimePoint at,
                       milliseconds most) {
  if (most <= milliseconds(0)) return milliseconds(0);
  auto hash = fnv1a(0xcbf29ce484222325ULL, target);
  hash = fnv1a(hash, std::string_view("\0", 1));
  hash = fnv1a(hash, schedule);
  hash = fnv1a(hash, std::string_view("\0", 1));
  hash = fnv1a(hash, std::to_string(at.time_since_epoch().count()));
  return milliseconds(mixed(hash) % static_cast<std::uint64_t>(most.count()));
}

milliseconds default_window(std::optional<milliseconds> interval) noexcept {
  return interval && *interval > hours(7 * 24) ? milliseconds(hours(7 * 24)) : hours(6);
}

std::optional<milliseconds> backup_interval(const std::vector<SeenBackup>& backups) {
  std::vector<milliseconds> intervals;
  for (std::size_t i = backups.size(); i > 1 && intervals.size() < kIntervalsLookedAt; --i) {
    intervals.push_back(backups[i - 1].finished_at - backups[i - 2].finished_at);
  }
  if (intervals.empty()) return std::nullopt;
  std::sort(intervals.begin(), intervals.end());
  return intervals.size() < 4 ? intervals.front() : intervals[1];
}

milliseconds automatic_lead(std::optional<milliseconds> last_duration) {
  if (!last_duration) return hours(2);
  return *last_duration * 3 / 2 + minutes(15);
}

Slots::Slots(const PlannedSchedule& schedule, const std::vector<SeenBackup>& backups,
             std::optional<milliseconds> last_duration)
    : schedule_(schedule) {
  std::optional<milliseconds> interval;
  if (schedule.trigger == ScheduleTrigger::cron) {
    interval = schedule.cron->longest_interval();
  } else {
    make_backup_slots(backups, last_duration);
    if (expected_ && !backup_slots_.empty()) interval = expected_->at - backup_slots_.back().at;
  }
  window_ = schedule.timing.window.value_or(default_window(interval));
}

void Slots::make_backup_slots(std::vector<SeenBackup> backups,
                              std::optional<milliseconds> last_duration) {
  sort_by_end(backups);
  const bool before_next = schedule_.trigger == ScheduleTrigger::before_next_backup;
  const auto lead = schedule_.lead.value_or(automatic_lead(last_duration));
  const auto jitter_at = [&](TimePoint at) {
    return jitter_of(schedule_.target, schedule_.name, at, schedule_.timing.jitter);
  };
  std::vector<SeenBackup> until_then;
  for (const auto& backup : backups) {
    until_then.push_back(backup);
    const auto interval = backup_interval(until_then);
    Slot slot{.at = backup.finished_at, .opens = {}, .due = {}, .backup = backup.name};
    if (before_next) {
      if (!interval) continue;
      slot.opens = std::max(backup.finished_at, backup.first_seen);
      slot.due = std::max(slot.opens, backup.finished_at + *interval - lead);
    } else {
      slot.due = std::max(backup.finished_at + schedule_.after_backup + jitter_at(slot.at),
                          backup.first_seen);
      slot.opens = slot.due;
    }
    // One that the next backup replaced before anybody could have tested it is no slot.
    while (!backup_slots_.empty() && backup_slots_.back().opens >= slot.opens) {
      backup_slots_.pop_back();
    }
    backup_slots_.push_back(std::move(slot));
  }
  if (const auto interval = backup_interval(backups)) {
    const auto at = backups.back().finished_at + *interval;
    expected_ = Slot{.at = at, .opens = at, .due = at, .backup = {}};
    expected_->due += before_next ? std::max(milliseconds(0), *interval - lead)
                                  : schedule_.after_backup + jitter_at(at);
  }
}

Slot Slots::cron_slot(TimePoint at) const {
  const auto& jitter = schedule_.timing.jitter;
  auto due = at;
  if (jitter > milliseconds(0)) {
    // Never as late as the next one, so that slots keep their order.
    const auto most = std::min<milliseconds>(jitter, schedule_.cron->next(at) - at);
    due += jitter_of(schedule_.target, schedule_.name, at, most);
  }
  return {.at = at, .opens = due, .due = due, .backup = {}};
}

std::optional<Slot> Slots::current(TimePoint now) const {
  if (schedule_.cron) {
    const auto at = schedule_.cron->previous(now);
    if (at == TimePoint::min()) return std::nullopt;
    auto slot = cron_slot(at);
    return slot.opens <= now ? slot : before(slot);
  }
  const auto later = std::find_if(backup_slots_.begin(), backup_slots_.end(),
                                  [&](const Slot& slot) { return slot.opens > now; });
  if (later == backup_slots_.begin()) return std::nullopt;
  return *std::prev(later);
}

std::optional<Slot> Slots::before(const Slot& slot) const {
  if (schedule_.cron) {
    const auto at = schedule_.cron->previous(slot.at - milliseconds(1));
    if (at == TimePoint::min()) return std::nullopt;
    return cron_slot(at);
  }
  const auto found = std::find_if(backup_slots_.begin(), backup_slots_.end(),
                                  [&](const Slot& other) { return other.at >= slot.at; });
  if (found == backup_slots_.begin()) return std::nullopt;
  return *std::prev(found);
}

std::optional<Slot> Slots::after(const Slot& slot) const {
  if (schedule_.cron) {
    const auto at = schedule_.cron->next(slot.at);
    if (at == TimePoint::max()) return std::nullopt;
    return cron_slot(at);
  }
  const auto found = std::find_if(backup_slots_.begin(), backup_slots_.end(),
                                  [&](const Slot& other) { return other.at > slot.at; });
  if (found == backup_slots_.end()) return std::nullopt;
  return *found;
}

std::optional<Slot> Slots::upcoming(TimePoint now) const {
  if (schedule_.cron) {
    const auto slot = current(now);
    return slot ? after(*slot) : std::nullopt;
  }
  const auto later = std::find_if(backup_slots_.begin(), backup_slots_.end(),
                                  [&](const Slot& slot) { return slot.opens > now; });
  if (later != backup_slots_.end()) return *later;
  return expected_;
}

}  // namespace rad
