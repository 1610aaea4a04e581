#include "plugins/postgresql/server_log.h"

#include <algorithm>
#include <array>
#include <csignal>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

struct Line {
  std::string_view severity;  ///< "" for a continuation or for text that is not the server's log
  std::string_view message;
};

constexpr std::array<std::string_view, 10> kSeverities{"LOG",     "FATAL",    "PANIC", "ERROR",
                                                       "WARNING", "DETAIL",   "HINT",  "CONTEXT",
                                                       "NOTICE",  "STATEMENT"};

Line split_line(std::string_view line) {
  // log_line_prefix '%m [%p] ' of server_config.cc; the first lines come before it is read.
  const auto bracket = line.find("] ");
  std::string_view rest = line;
  if (bracket != std::string_view::npos && line.substr(0, 2) == "20") {
    rest = line.substr(bracket + 2);
  }
  for (const std::string_view severity : kSeverities) {
    if (rest.starts_with(severity) && rest.substr(severity.size()).starts_with(":  ")) {
      return {severity, rest.substr(severity.size() + 3)};
    }
  }
  return {"", line};
}

std::vector<Line> split_lines(std::string_view log) {
  std::vector<Line> lines;
  while (!log.empty()) {
    const auto end = log.find('\n');
    lines.push_back(split_line(log.substr(0, end)));
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
  }
  return lines;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Rule {
  std::string_view text;  ///< part of a FATAL, PANIC or configuration line
  Reason reason;
  std::string_view hint;
};

// The host's troubles first: a full disk makes recovery fail too.
constexpr std::array kRules{
    Rule{"No space left on device", Reason::scratch_full, "make room in the scratch directory"},
    Rule{"Disk quota exceeded", Reason::quota, "raise the quota of the plugin's account"},
    Rule{"Cannot allocate memory", Reason::out_of_memory,
         "lower the option shared_buffers or give the host more memory"},
    Rule{"out of memory", Reason::out_of_memory, "give the host more memory"},
    Rule{"out of shared memory", Reason::out_of_memory, ""},
    Rule{"could not access file \"", Reason::library_missing,
         "install the package of that library for this major version, or take it out of "
         "preload_libraries"},
    Rule{"could not load library", Reason::library_missing,
         "install the package of that library for this major version"},
    Rule{"incompatible library", Reason::library_missing,
         "install the build of that library for this major version"},
    Rule{"database locale is incompatible", Reason::locale_missing,
         "generate the locale on this host (Debian: dpkg-reconfigure locales)"},
    Rule{"collation provider LIBC is not supported", Reason::locale_missing, ""},
    Rule{"invalid value for parameter \"lc_", Reason::locale_missing,
         "generate the locale on this host (Debian: dpkg-reconfigure locales)"},
    Rule{"database files are incompatible with server", Reason::version_unsupported,
         "install the server programs of the backup's major version, built alike"},
    Rule{"requested recovery stop point is before consistent recovery point",
         Reason::config_invalid, "choose a recovery target after the end of the base backup"},
    Rule{"from archive: child process", Reason::storage_unreachable,
         "the restore plugin's own messages say why the file could not be had"},
    Rule{"could not create semaphores", Reason::host_unfit, "raise kernel.sem"},
    Rule{"could not create shared memory segment", Reason::host_unfit,
         "raise kernel.shmmax and kernel.shmall"},
    Rule{"insufficient file descriptors", Reason::host_unfit, "raise the limit of open files"},
    Rule{"Too many open files", Reason::host_unfit, "raise the limit of open files"},
    Rule{"could not fork", Reason::host_unfit, "raise the limit of processes"},
    Rule{"has wrong ownership", Reason::host_unfit, ""},
    Rule{"has invalid permissions", Reason::host_unfit, ""},
    Rule{"could not create lock file", Reason::host_unfit, ""},
    Rule{"could not create any Unix-domain sockets", Reason::host_unfit, ""},
    Rule{"Unix-domain socket path", Reason::host_unfit, "choose a shorter runtime directory"},
    Rule{"Read-only file system", Reason::host_unfit, ""},
    Rule{"Input/output error", Reason::host_unfit, "look at the host's kernel log for disk errors"},
    Rule{"Permission denied", Reason::host_unfit, ""},
    Rule{"Operation not permitted", Reason::host_unfit, ""},
    // The host is ruled out.
    Rule{"has wrong size", Reason::wal_damaged, ""},
    Rule{"recovery ended before configured recovery target was reached", Reason::recovery_failed,
         "the archive ends, or is broken, before the target; or the target is not in it"},
    Rule{"WAL ends before", Reason::recovery_failed, ""},
    Rule{"checkpoint record", Reason::recovery_failed, ""},
    Rule{"requested timeline", Reason::recovery_failed, ""},
    Rule{"history file", Reason::recovery_failed, ""},
    Rule{"recovery target timeline", Reason::recovery_failed, ""},
    Rule{"WAL contains references to invalid pages", Reason::recovery_failed, ""},
    Rule{"WAL was generated with", Reason::recovery_failed, ""},
    Rule{"unexpected timeline ID", Reason::recovery_failed, ""},
    Rule{"WAL redo", Reason::recovery_failed, ""},
};

const Rule* rule_for(std::string_view message) {
  const auto* found =
      std::ranges::find_if(kRules, [&](const Rule& rule) { return has(message, rule.text); });
  return found == kRules.end() ? nullptr : &*found;
}

// What a backend says of its own connection is not why the server ends.
bool is_about_connection(std::string_view message) {
  constexpr std::array<std::string_view, 6> kStarts{"role \"",
                                                    "database \"",
                                                    "terminating connection",
                                                    "terminating background worker",
                                                    "the database system is",
                                                    "connection to client lost"};
  return std::ranges::any_of(kStarts,
                             [&](std::string_view text) { return message.starts_with(text); });
}

bool is_fatal(const Line& line) {
  return line.severity == "PANIC" ||
         (line.severity == "FATAL" && !is_about_connection(line.message));
}

// "startup process (PID 15764) was terminated by signal 9: Killed"
std::optional<int> child_signal(std::string_view message) {
  constexpr std::string_view kMark = "was terminated by signal ";
  const auto at = message.find(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  return std::atoi(std::string(message.substr(at + kMark.size(), 3)).c_str());
}

Error with_tail(Error error, std::string_view log) {
  error.detail = log_tail(log);
  return error;
}

Error from_signal(int signal, std::string_view message, std::string_view doing) {
  const std::string text = fmt::format("PostgreSQL ended while {}: {}", doing, printable(message));
  switch (signal) {
    case SIGKILL:
      return fail(Reason::host_unfit, text,
                  "something on this host killed it: look for the out-of-memory killer in the "
                  "kernel's log");
    case SIGSEGV:
    case SIGABRT:
      return fail(
          message.starts_with("startup process") ? Reason::recovery_failed : Reason::host_unfit,
          text);
    default:
      return fail(Reason::host_unfit, text);
  }
}

std::optional<TimePoint> time_after(std::string_view message, std::string_view mark) {
  if (!message.starts_with(mark)) return std::nullopt;
  const auto time = parse_time(message.substr(mark.size()));
  return time ? std::optional<TimePoint>(*time) : std::nullopt;
}

// A segment name after `mark`, or "".
std::string segment_after(std::string_view message, std::string_view mark) {
  const auto at = message.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view name = message.substr(at + mark.size(), 24);
  const bool hex = name.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
  return name.size() == 24 && hex ? std::string(name) : std::string{};
}

void read_restored(std::string_view message, RecoveryLog& result, std::uint64_t segment_bytes) {
  std::string name = segment_after(message, "restored log file \"");
  const auto segment = parse_segment(name, segment_bytes);
  if (!segment) return;
  result.restored[segment->number] = segment->timeline;
  result.last_restored_segment = std::move(name);
}

// Replay's complaints name a segment ("in log segment X, offset"; 16 and later: "in WAL segment X,
// LSN ...") or a position ("in record at 0/2000060", "invalid record length at 0/3000090").
void read_complaint(std::string_view message, RecoveryLog& result, std::uint64_t segment_bytes) {
  for (const std::string_view mark : {"in log segment ", "in WAL segment "}) {
    std::string segment = segment_after(message, mark);
    if (segment.empty()) continue;
    result.end_segment = std::move(segment);
    result.end_text = printable(message, 300);
    return;
  }
  constexpr std::array<std::string_view, 8> kComplaints{"incorrect resource manager data checksum",
                                                        "invalid record length",
                                                        "record with incorrect",
                                                        "invalid resource manager ID",
                                                        "invalid info bits",
                                                        "there is no contrecord flag",
                                                        "invalid contrecord length",
                                                        "record length"};
  const bool known = std::ranges::any_of(
      kComplaints, [&](std::string_view text) { return message.starts_with(text); });
  const auto at = message.find(" at ");
  if (!known || at == std::string_view::npos) return;
  const std::string_view rest = message.substr(at + 4);
  const auto lsn = parse_lsn(rest.substr(0, rest.find_first_of(":, ")));
  if (!lsn) return;
  const auto restored = parse_segment(result.last_restored_segment, segment_bytes);
  result.end_segment = restored ? segment_at(restored->timeline, *lsn, segment_bytes) : "";
  result.end_text = printable(message, 300);
}

}  // namespace

std::string log_tail(std::string_view log, std::size_t max_bytes) {
  if (log.size() > max_bytes) {
    log.remove_prefix(log.size() - max_bytes);
    const auto line = log.find('\n');
    if (line != std::string_view::npos) log.remove_prefix(line + 1);
  }
  std::string tail;
  while (!log.empty()) {
    const auto end = log.find('\n');
    if (!tail.empty()) tail += '\n';
    tail += printable(log.substr(0, end), 500);
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
  }
  return tail;
}

bool blames_data(std::string_view log) {
  return std::ranges::any_of(split_lines(log), [](const Line& line) {
    if (line.severity != "PANIC") return false;
    const Rule* rule = rule_for(line.message);
    return rule == nullptr || info(rule->reason).blame == Blame::backup;
  });
}

Error classify_server_end(std::string_view log, const ExitStatus& status, std::string_view doing) {
  const std::vector<Line> lines = split_lines(log);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!is_fatal(lines[i])) continue;
    std::string_view message = lines[i].message;
    // The configuration is ours: what is wrong with it stands one line above.
    if (message.starts_with("configuration file") && i > 0) message = lines[i - 1].message;
    const Rule* rule = rule_for(message);
    const Reason reason = rule != nullptr ? rule->reason : Reason::start_failed;
    Error error =
        fail(reason, fmt::format("PostgreSQL ended while {}: {}", doing, printable(message, 500)),
             rule != nullptr ? std::string(rule->hint) : std::string{});
    error.retryable = info(reason).blame == Blame::unknown;
    return with_tail(std::move(error), log);
  }
  for (const Line& line : lines) {
    const auto signal = child_signal(line.message);
    if (signal) return with_tail(from_signal(*signal, line.message, doing), log);
  }
  if (status.signal != 0) return with_tail(from_signal(status.signal, status.text(), doing), log);
  if (has(log, "could not find the database system")) {
    return with_tail(
        fail(Reason::start_failed,
             fmt::format("PostgreSQL ended while {}: global/pg_control is missing", doing), "",
             "global/pg_control"),
        log);
  }
  return with_tail(
      fail(Reason::host_unfit,
           fmt::format("PostgreSQL ended while {} without saying why ({})", doing, status.text())),
      log);
}

RecoveryLog parse_recovery_log(std::string_view log, std::uint64_t segment_bytes) {
  RecoveryLog result;
  for (const Line& line : split_lines(log)) {
    if (line.severity != "LOG") continue;
    const std::string_view message = line.message;
    if (message.starts_with("starting archive recovery") ||
        message.starts_with("starting point-in-time recovery")) {
      result.archive_recovery = true;
    } else if (message.starts_with("recovery stopping ")) {
      result.target_reached = true;
      result.stop_text = printable(message, 300);
    } else if (!result.redo_done && message.starts_with("restored log file \"")) {
      read_restored(message, result, segment_bytes);
    } else if (has(message, "doesn't exist, reading as zeroes")) {
      result.missing_status_files.push_back(printable(message, 200));
    } else if (message.starts_with("redo done at ")) {
      const std::string_view rest = message.substr(13);
      result.redo_done = parse_lsn(rest.substr(0, rest.find(' ')));
    } else if (const auto time =
                   time_after(message, "last completed transaction was at log time ")) {
      result.last_transaction = time;
    } else if (!result.redo_done) {
      read_complaint(message, result, segment_bytes);
    }
  }
  return result;
}

}  // namespace rad::postgresql
