#include "agent/control/session_list.h"

#include <algorithm>
#include <map>

namespace rad {

std::size_t SessionList::size() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [](const SessionEntry* entry) { return !entry->closed; }));
}

std::size_t SessionList::of_user(std::int64_t user) const noexcept {
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(),
      [user](const SessionEntry* entry) { return !entry->closed && entry->user == user; }));
}

std::size_t SessionList::unsent_bytes(std::int64_t user) const noexcept {
  std::size_t sum = 0;
  for (const SessionEntry* entry : entries_) {
    if (entry->user == user) sum += entry->unsent_bytes;
  }
  return sum;
}

void SessionList::close_all() {
  for (SessionEntry* entry : entries_) entry->close();
}

bool SessionList::make_room(std::int64_t user, std::size_t limit, std::size_t limit_per_user) {
  const std::size_t own = of_user(user);
  if (own >= limit_per_user) return close_oldest(user, false);
  if (size() < limit) return true;
  std::map<std::int64_t, std::size_t> counts;
  for (const SessionEntry* entry : entries_) {
    if (!entry->closed) ++counts[entry->user];
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == counts.end()) return false;
  // With one more the newcomer would have as many: he pays with one of his own.
  if (own + 1 >= most->second && own > 0) return close_oldest(user, false);
  if (close_oldest(most->first, false)) return true;
  return own + 1 < most->second && close_oldest(most->first, true);
}

bool SessionList::close_oldest_idle() {
  const auto oldest = std::find_if(entries_.begin(), entries_.end(), [](const SessionEntry* entry) {
    return !entry->answering && !entry->closed;
  });
  if (oldest == entries_.end()) return false;
  (*oldest)->close();
  return true;
}

bool SessionList::close_oldest(std::int64_t user, bool answering_too) {
  const auto oldest =
      std::find_if(entries_.begin(), entries_.end(), [&](const SessionEntry* entry) {
        return !entry->closed && entry->user == user && (answering_too || !entry->answering);
      });
  if (oldest == entries_.end()) return false;
  (*oldest)->close();
  return true;
}

}  // namespace rad
