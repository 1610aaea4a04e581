#include "plugins/postgresql/process_tree.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

namespace rad::postgresql {
namespace {

struct Stat {
  pid_t parent = 0;
  char state = '?';
  std::uint64_t start_time = 0;
};

std::optional<Stat> read_stat(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The command's name may hold blanks and brackets; the fields go on after its last bracket.
  const auto bracket = line.rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(bracket + 1));
  Stat stat;
  fields >> stat.state >> stat.parent;
  std::string skipped;
  for (int field = 5; field < 22; ++field) fields >> skipped;
  fields >> stat.start_time;
  return fields ? std::optional<Stat>(stat) : std::nullopt;
}

// In a PID namespace with the /proc of another one the numbers mean other processes.
bool proc_is_ours() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self", error);
  return !error && self.string() == std::to_string(::getpid());
}

}  // namespace

std::vector<ProcessId> descendants(pid_t root) {
  if (!proc_is_ours()) return {};
  std::multimap<pid_t, ProcessId> children;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc{} || end != name.data() + name.size()) continue;
    if (const auto stat = read_stat(pid))
      children.emplace(stat->parent, ProcessId{pid, stat->start_time});
  }
  std::vector<ProcessId> found;
  std::vector<pid_t> parents{root};
  while (!parents.empty()) {
    const pid_t parent = parents.back();
    parents.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      found.push_back(child->second);
      parents.push_back(child->second.pid);
    }
  }
  return found;
}

bool is_alive(const ProcessId& process) {
  const auto stat = read_stat(process.pid);
  return stat && stat->start_time == process.start_time && stat->state != 'Z';
}

void kill_processes(const std::vector<ProcessId>& processes) {
  for (const ProcessId& process : processes) {
    if (is_alive(process)) ::kill(process.pid, SIGKILL);
  }
}

std::string process_title(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
  std::string title(std::istreambuf_iterator<char>(file), {});
  for (char& c : title) {
    if (c == '\0') c = ' ';
  }
  return title;
}

std::uint64_t bytes_read_by(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/io", pid));
  std::string key;
  std::uint64_t value = 0;
  while (file >> key >> value) {
    if (key == "rchar:") return value;
  }
  return 0;
}

}  // namespace rad::postgresql
