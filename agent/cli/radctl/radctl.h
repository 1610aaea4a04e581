// radctl: from words on the command line to an exit status.
#pragma once

#include <string>
#include <vector>

namespace rad::radctl {

/// What main knows of the surroundings.
struct Surroundings {
  std::string socket = "/run/rad-agent/control.sock";  ///< RAD_SOCKET or the default
  bool allow_colour = true;                            ///< NO_COLOR is not set, TERM is not dumb
};

/// \param words without the program's name
int run(const std::vector<std::string>& words, const Surroundings& surroundings);

}  // namespace rad::radctl
