#include "agent/config/config.h"

namespace rad {

const TargetConfig* Config::find_target(std::string_view name) const noexcept {
  for (const auto& target : targets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace rad
