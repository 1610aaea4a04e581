#include "agent/config/config.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {

const TargetConfig* Config::find_target(std::string_view name) const noexcept {
  for (const auto& target : targets) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

Error unknown_target(const Config& config, std::string_view name, std::vector<std::string> others) {
  constexpr std::size_t kNamed = 10;
  std::vector<std::string> names;
  for (const TargetConfig& target : config.targets) names.push_back(target.name);
  std::ranges::move(others, std::back_inserter(names));
  Error error = fail(Reason::config_invalid,
                     fmt::format("there is no target '{}'", printable(std::string(name), 100)));
  if (const auto close = closest(std::string(name), names)) {
    error.hint = fmt::format("did you mean '{}'?", *close);
  } else if (names.empty()) {
    error.hint = "no target is configured";
  } else {
    const std::size_t all = names.size();
    names.resize(std::min(all, kNamed));
    error.hint = fmt::format("the targets are: {}{}", fmt::join(names, ", "),
                             all > kNamed ? fmt::format(", … ({} in all)", all) : "");
  }
  return error;
}

}  // namespace rad
