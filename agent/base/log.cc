#include "agent/base/log.h"

#include <cstdlib>
#include <memory>

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/text.h"

namespace rad::log {
namespace {

constexpr std::size_t kLongestLine = 16384;

/// Whether standard error goes to the journal: systemd names its stream in JOURNAL_STREAM.
bool is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  return stream != nullptr && ::fstat(STDERR_FILENO, &status) == 0 &&
         fmt::format("{}:{}", status.st_dev, status.st_ino) == stream;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// sd-daemon(3): 7 debug, 6 info, 4 warning, 3 err.
std::string_view journal_prefix(Level level) {
  switch (level) {
    case Level::debug:
      return "<7>";
    case Level::info:
      return "<6>";
    case Level::warning:
      return "<4>";
    case Level::error:
      return "<3>";
  }
  return "<3>";
}

struct Logger {
  spdlog::logger sink{"rad", std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  bool journal = is_journal();

  Logger() {
    // The journal stamps and ranks lines itself.
    sink.set_pattern(journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v",
                     spdlog::pattern_time_type::utc);
    sink.set_level(spdlog::level::info);
    sink.flush_on(spdlog::level::trace);
  }
};

Logger& logger() {
  static Logger instance;
  return instance;
}

}  // namespace

void init(Level level) {
  logger().sink.set_level(spdlog_level(level));
}

void set_level(Level level) {
  logger().sink.set_level(spdlog_level(level));
}

void write(Level level, std::string_view message) {
  Logger& target = logger();
  if (!target.sink.should_log(spdlog_level(level))) return;
  // Texts of plugins and servers end up here: one call is one line, whatever they hold.
  const std::string line = printable(message, kLongestLine);
  target.sink.log(spdlog_level(level), "{}{}", target.journal ? journal_prefix(level) : "", line);
}

}  // namespace rad::log
