#include "agent/schedule/pause.h"

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {

TimePoint end_of(const Pause& pause) noexcept {
  return pause.until.value_or(TimePoint::max());
}

const Pause* pause_of(const std::vector<Pause>& pauses, std::string_view target,
                      std::string_view schedule, TimePoint now) noexcept {
  const Pause* found = nullptr;
  for (const Pause& pause : pauses) {
    const bool names_it = (pause.target == kEvery || pause.target == target) &&
                          (pause.schedule == kEvery || pause.schedule == schedule);
    if (!names_it || now >= end_of(pause)) continue;
    if (found == nullptr || end_of(pause) > end_of(*found)) found = &pause;
  }
  return found;
}

std::string describe(const Pause& pause) {
  return fmt::format("paused by {} {}: {}", printable(pause.owner, 80),
                     pause.until ? "until " + format_rfc3339(*pause.until) : "with no end",
                     printable(pause.reason, 200));
}

}  // namespace rad
