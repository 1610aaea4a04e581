// Who asks for something through the control socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rad {

/// What somebody may do; ordered, each includes those before it.
enum class Access : std::uint8_t { none, viewer, manager };

/// The kernel's word for it (SO_PEERCRED), never the client's own.
struct Caller {
  std::uint32_t uid = 0;
  std::string user;  ///< name of the account, or "uid 1234" when it has none
  Access access = Access::none;
};

/// "none", "viewer", "operator": as in the configuration and the audit.
inline std::string_view to_string(Access value) noexcept {
  switch (value) {
    case Access::none:
      return "none";
    case Access::viewer:
      return "viewer";
    case Access::manager:
      return "operator";
  }
  return "?";
}

}  // namespace rad
