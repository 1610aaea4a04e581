#include "tests/contract/survivors.h"

#include <cerrno>
#include <csignal>
#include <fstream>
#include <iterator>
#include <sstream>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace rad::contract {
namespace {

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  // A process may end while its file in /proc is read; the stream then throws from inside the
  // buffer, and what was read until then is all there was.
  std::string text;
  char part[4096];
  try {
    while (file.read(part, sizeof part) || file.gcount() > 0) {
      text.append(part, static_cast<std::size_t>(file.gcount()));
    }
  } catch (const std::ios_base::failure&) {
    return {};
  }
  return text;
}

std::vector<pid_t> children(pid_t parent) {
  std::vector<pid_t> pids;
  std::error_code ec;
  const std::filesystem::path tasks = "/proc/" + std::to_string(parent) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, ec)) {
    std::istringstream list(slurp(task.path() / "children"));
    for (pid_t pid = 0; list >> pid;) pids.push_back(pid);
  }
  return pids;
}

std::string command_line(pid_t pid) {
  std::string text = slurp("/proc/" + std::to_string(pid) + "/cmdline");
  for (char& c : text) c = c == '\0' ? ' ' : c;
  return text.empty() ? "pid " + std::to_string(pid) : text;
}

}  // namespace

void adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

std::vector<std::string> survivors() {
  for (int tries = 0; tries < 100; ++tries) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    if (children(::getpid()).empty()) return {};
    ::poll(nullptr, 0, 20);
  }
  std::vector<std::string> left;
  for (const pid_t pid : children(::getpid())) {
    left.push_back(command_line(pid));
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  return left;
}

std::set<std::string> entries(const std::filesystem::path& dir) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    names.insert(std::filesystem::relative(entry.path(), dir).string());
  }
  return names;
}

std::string visible_text(pid_t root) {
  const std::string proc = "/proc/" + std::to_string(root);
  std::string text = slurp(proc + "/cmdline") + "\n" + slurp(proc + "/environ") + "\n";
  for (const pid_t child : children(root)) text += visible_text(child);
  return text;
}

}  // namespace rad::contract
