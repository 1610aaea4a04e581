#include "agent/model/operations.h"

namespace rad {

std::string_view to_string(HoldState value) noexcept {
  switch (value) {
    case HoldState::held:
      return "held";
    case HoldState::releasing:
      return "releasing";
    case HoldState::lost:
      return "lost";
  }
  return "lost";
}

std::optional<HoldState> parse_hold_state(std::string_view text) noexcept {
  for (const auto state : {HoldState::held, HoldState::releasing, HoldState::lost}) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

}  // namespace rad
