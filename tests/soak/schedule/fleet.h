// The configuration that is simulated: many zones, every kind of schedule, two rotations.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/config/config.h"

namespace rad::sim {

/// All targets that there ever are.
std::vector<std::string> all_targets();
/// Those that a reload may take away and bring back.
std::vector<std::string> changing_targets();

/// The configuration without the targets in `absent`.
Config fleet(const std::set<std::string>& absent);

}  // namespace rad::sim
