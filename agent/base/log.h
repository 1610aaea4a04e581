// Log lines on stderr, with journald priorities ("<4>") when stderr is the journal.
//
// Library code does not log: it returns. agent/run, agent/control and main say things, once.
// Messages never hold secrets or row values. Thread-safe. The only user of spdlog is log.cc.
#pragma once

#include <string>
#include <string_view>

namespace rad::log {

enum class Level { debug, info, warning, error };

/// Lines below `level` are dropped. Called once, before threads start.
void init(Level level);
/// Changes the level later on. Thread-safe.
void set_level(Level level);
void write(Level level, std::string_view message);
inline void debug(std::string_view message) {
  write(Level::debug, message);
}
inline void info(std::string_view message) {
  write(Level::info, message);
}
inline void warning(std::string_view message) {
  write(Level::warning, message);
}
inline void error(std::string_view message) {
  write(Level::error, message);
}

}  // namespace rad::log
