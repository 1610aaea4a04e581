// What the agent says to rad-accept (rad_accept.cc) beside the lines that are for the plugin. A
// line of the protocol cannot hold any of these bytes: JSON escapes them.
#pragma once

namespace rad {

inline constexpr char kEndOfInput = '\x04';  ///< the plugin's input ends; the connection stays
inline constexpr char kTerminate = '\x03';   ///< SIGTERM to the plugin
inline constexpr char kKill = '\x00';        ///< SIGKILL to the plugin and what it started

}  // namespace rad
