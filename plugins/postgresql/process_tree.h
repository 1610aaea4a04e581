// The processes below one of ours: a postmaster that is killed leaves its children behind for a
// while, and a restore command for longer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

namespace rad::postgresql {

/// A process, told apart from a later one with the same number by its start time.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< clock ticks since boot, field 22 of /proc/PID/stat
};

/// All descendants of `root`, parents before children, `root` itself not included. Nothing when
/// /proc shows another PID namespace than ours; then the end of the namespace has to do.
std::vector<ProcessId> descendants(pid_t root);

/// SIGKILL to each that is still the same process.
void kill_processes(const std::vector<ProcessId>& processes);
bool is_alive(const ProcessId& process);

/// Title or command line of a process with blanks between the words, "" if it is gone.
std::string process_title(pid_t pid);

/// Bytes that a process has asked the kernel to read (rchar of /proc/PID/io), 0 if unknown.
std::uint64_t bytes_read_by(pid_t pid);

}  // namespace rad::postgresql
