// rad-remove: empties one directory for the agent, as the user that plugins are.
//
// Restored data belongs to the plugins' user and is closed to everybody else (0700), so the agent,
// which is no root, cannot remove what a killed plugin left. It connects to the socket of this
// program (standard input) and writes one line, the path of a directory; the answer is the line
// "ok", or "error: " and why. Only directories that belong to who asks are emptied: those that the
// agent makes for plugins, and nothing that a plugin could point to. docs/adr/0012.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"

namespace {

namespace fs = std::filesystem;
using rad::fail;
using rad::Reason;
using rad::Status;

constexpr std::size_t kMaxLine = 4096;
constexpr int kPatienceMilliseconds = 10'000;

/// Without its end; "" when none comes.
std::string read_line(int fd) {
  std::string line;
  pollfd wanted{fd, POLLIN, 0};
  while (line.size() < kMaxLine && ::poll(&wanted, 1, kPatienceMilliseconds) > 0) {
    std::array<char, 512> buffer{};
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count <= 0) break;
    line.append(buffer.data(), static_cast<std::size_t>(count));
    if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
  }
  return {};
}

Status empty_directory(const std::string& directory, uid_t client) {
  const fs::path path(directory);
  if (!path.is_absolute() || path.lexically_normal() != path || !path.has_filename()) {
    return fail(Reason::config_invalid, fmt::format("'{}' is not a plain path", directory));
  }
  std::error_code ec;
  if (fs::canonical(path, ec) != path) {
    return fail(Reason::config_invalid,
                fmt::format("'{}' is not there or leads over a link", directory));
  }
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return fail(Reason::config_invalid, fmt::format("'{}' is not a directory", directory));
  }
  if (info.st_uid != client && info.st_uid != ::geteuid()) {
    return fail(Reason::access_denied, fmt::format("'{}' belongs to user {}, not to user {}",
                                                   directory, info.st_uid, client));
  }
  std::vector<fs::path> entries;
  for (fs::directory_iterator it(path, ec), end; !ec && it != end; it.increment(ec)) {
    entries.push_back(it->path());
  }
  if (ec) {
    return fail(Reason::host_unfit, fmt::format("cannot list '{}': {}", directory, ec.message()));
  }
  Status first{};
  for (const fs::path& entry : entries) {
    Status removed = rad::remove_tree(entry);
    if (!removed && first) first = std::move(removed);
  }
  return first;
}

}  // namespace

int main() {
  ucred client{};
  socklen_t size = sizeof client;
  if (::getsockopt(STDIN_FILENO, SOL_SOCKET, SO_PEERCRED, &client, &size) != 0) {
    std::fprintf(stderr, "error: rad-remove: standard input is not a connection: %s\n",
                 std::strerror(errno));
    return 125;
  }
  const std::string line = read_line(STDIN_FILENO);
  if (line.empty()) return 0;
  const Status emptied = empty_directory(line, client.uid);
  const std::string answer = emptied ? "ok\n" : fmt::format("error: {}\n", emptied.error().message);
  std::fprintf(stderr, "%s: %s: %s", emptied ? "info" : "error", line.c_str(), answer.c_str());
  // Whoever asked may have gone meanwhile; the work is done nevertheless.
  (void)::send(STDIN_FILENO, answer.data(), answer.size(), MSG_NOSIGNAL);
  return emptied ? 0 : 1;
}
