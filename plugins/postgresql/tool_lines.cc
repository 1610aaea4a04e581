#include "plugins/postgresql/tool_lines.h"

#include <array>

#include <poll.h>
#include <unistd.h>

namespace rad::postgresql {
namespace {

constexpr int kPollMs = 100;
constexpr std::size_t kMaxLine = 8192;

}  // namespace

Result<ExitStatus> run_tool_lines(ChildSpec spec, std::stop_token stop,
                                  const std::function<void(std::string_view)>& on_line) {
  RAD_TRY(Pipe pipe, make_pipe());
  spec.stdout_fd = pipe.write_end.get();
  spec.stderr_fd = pipe.write_end.get();
  RAD_TRY(ChildProcess child, ChildProcess::start(spec));
  pipe.write_end.reset();
  std::string line;
  std::array<char, 4096> buffer{};
  for (;;) {
    if (stop.stop_requested()) {
      child.kill();
      child.wait();
      return fail(Reason::cancelled, "stopped on request");
    }
    pollfd entry{pipe.read_end.get(), POLLIN, 0};
    if (::poll(&entry, 1, kPollMs) <= 0) continue;
    const ssize_t got = ::read(pipe.read_end.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    for (const char c : std::string_view(buffer.data(), static_cast<std::size_t>(got))) {
      if (c == '\n' || c == '\r') {
        if (!line.empty()) on_line(line);
        line.clear();
      } else if (line.size() < kMaxLine) {
        line += c;
      }
    }
  }
  if (!line.empty()) on_line(line);
  return child.wait();
}

}  // namespace rad::postgresql
