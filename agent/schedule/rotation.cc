#include "agent/schedule/rotation.h"

#include <algorithm>
#include <map>

namespace rad {
namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<std::string> turns(const RotationConfig& rotation, std::uint64_t round) {
  auto members = rotation.members;
  if (rotation.order == RotationOrder::rotate) return members;
  constexpr std::chrono::milliseconds kAll = std::chrono::milliseconds::max();
  const TimePoint seed{std::chrono::milliseconds(static_cast<std::int64_t>(round))};
  std::map<std::string, std::chrono::milliseconds> places;
  for (const auto& name : members) places[name] = jitter_of(rotation.name, name, seed, kAll);
  std::sort(members.begin(), members.end(), [&](const std::string& a, const std::string& b) {
    return std::tie(places.at(a), a) < std::tie(places.at(b), b);
  });
  return members;
}

std::optional<std::string> choose_member(const RotationConfig& rotation, RotationProgress& cursor,
                                         const std::function<bool(const std::string&)>& may_run,
                                         const std::function<bool(const std::string&)>& is_free) {
  auto changed = cursor;
  changed.rotation = rotation.name;
  for (int tries = 0; tries < 2; ++tries) {
    std::optional<std::string> first;
    for (auto& name : turns(rotation, changed.round)) {
      if (contains(changed.done, name) || !may_run(name)) continue;
      if (is_free(name)) {
        cursor = std::move(changed);
        return name;
      }
      if (!first) first = std::move(name);
    }
    if (first) {
      cursor = std::move(changed);
      return first;
    }
    ++changed.round;
    changed.done.clear();
  }
  return std::nullopt;
}

void note_ended(RotationProgress& cursor, const std::vector<EndedSlot>& ended, TimePoint now) {
  for (const EndedSlot& slot : ended) {
    const bool ran_ahead = cursor.last_slot && *cursor.last_slot > now;
    if (cursor.last_slot && !ran_ahead && slot.last_slot <= *cursor.last_slot) continue;
    cursor.last_slot = slot.last_slot;
    if (!slot.target.empty() && !contains(cursor.done, slot.target)) {
      cursor.done.push_back(slot.target);
    }
  }
}

TimePoint coverage_since(const PlannedSchedule& rotation, std::size_t members, TimePoint now) {
  auto since = now;
  for (std::size_t i = 0; i < members; ++i) {
    const auto slot = rotation.cron->previous(since - std::chrono::milliseconds(1));
    if (slot == TimePoint::min()) break;
    since = slot;
  }
  return since;
}

Coverage coverage(
    const PlannedSchedule& planned, const RotationConfig& rotation, const RotationProgress& cursor,
    const std::function<std::optional<TimePoint>(const std::string&, Depth)>& last_answer,
    TimePoint now) {
  Coverage result;
  result.members = rotation.members.size();
  const auto since = coverage_since(planned, result.members, now);
  for (const auto& name : rotation.members) {
    if (contains(cursor.done, name)) ++result.in_round;
    const auto answered = last_answer(name, rotation.depth);
    if (answered && *answered >= since) ++result.proved;
  }
  if (result.members > 0) {
    result.ratio = static_cast<double>(result.proved) / static_cast<double>(result.members);
  }
  return result;
}

}  // namespace rad
