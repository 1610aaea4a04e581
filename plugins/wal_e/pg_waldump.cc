#include "plugins/wal_e/pg_waldump.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

constexpr std::size_t kMaxErrorText = 16U << 10U;

/// The text between `before` and the next of `ends`.
std::string_view between(std::string_view text, std::string_view before, std::string_view ends) {
  const auto at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, std::min(text.find_first_of(ends), text.size()));
}

/// The last LSN that stands after "at " in the message.
Lsn blamed_lsn(std::string_view message) {
  Lsn result = 0;
  for (auto at = message.find(" at "); at != std::string_view::npos;
       at = message.find(" at ", at + 1)) {
    const auto word = message.substr(at + 4, message.find_first_of(" :,;\n", at + 4) - (at + 4));
    if (const auto lsn = parse_lsn(word)) result = *lsn;
  }
  return result;
}

std::string read_memory_file(int fd) {
  std::string text(kMaxErrorText, '\0');
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

/// Cuts what comes through the pipe into lines until its end.
void read_lines(int fd, const std::function<void(std::string_view)>& line) {
  std::string buffer;
  std::array<char, 1U << 16U> piece;
  while (true) {
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    buffer.append(piece.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (auto end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n', begin)) {
      line(std::string_view(buffer).substr(begin, end - begin));
      begin = end + 1;
    }
    buffer.erase(0, begin);
  }
  if (!buffer.empty()) line(buffer);
}

}  // namespace

std::optional<WaldumpEnd> parse_waldump_error(std::string_view text) {
  constexpr std::string_view kRecord = "error in WAL record at ";
  WaldumpEnd end;
  const auto record = text.find(kRecord);
  if (record != std::string_view::npos) {
    auto rest = text.substr(record + kRecord.size());
    const auto colon = std::min(rest.find(": "), rest.size());
    const auto lsn = parse_lsn(rest.substr(0, colon));
    if (!lsn) return std::nullopt;
    end.last_record = *lsn;
    rest.remove_prefix(std::min(colon + 2, rest.size()));
    end.message = printable(rest.substr(0, std::min(rest.find('\n'), rest.size())), 500);
  } else {
    const auto none = text.find("could not find a valid record after ");
    if (none == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(none);
    end.message = printable(rest.substr(0, std::min(rest.find('\n'), rest.size())), 500);
  }
  // "in log segment X, offset N" up to 15, "in WAL segment X, LSN A/B, offset N" since 16.
  end.at_segment = between(end.message, " segment ", ", ");
  const auto offset = between(end.message, ", offset ", " ,;");
  std::from_chars(offset.data(), offset.data() + offset.size(), end.at_offset);
  end.at_lsn = blamed_lsn(end.message);
  return end;
}

bool stopped_at(const WaldumpEnd& end, const SegmentName& end_mark) {
  return end.message.starts_with("invalid magic number 0000 in ") && end.at_offset == 0 &&
         end.at_segment == to_string(end_mark);
}

Result<WaldumpEnd> run_waldump(const WaldumpRun& run,
                               const std::function<void(std::string_view)>& line,
                               std::stop_token stop) {
  const UniqueFd errors(::memfd_create("pg_waldump errors", MFD_CLOEXEC));
  if (!errors) return fail(Reason::host_unfit, "cannot create a memory file for pg_waldump");
  ChildSpec spec;
  spec.program = run.program;
  constexpr int kFirstQuiet = 13;
  if (!line && run.major >= kFirstQuiet && run.major < 90) spec.args.push_back("--quiet");
  spec.args.push_back("--start=" + format_lsn(run.start));
  spec.args.push_back((run.directory / to_string(run.first)).string());
  spec.args.push_back((run.directory / to_string(run.end_mark)).string());
  spec.environment = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}};
  spec.stderr_fd = errors.get();
  Pipe pipe;
  if (line) {
    RAD_TRY(pipe, make_pipe(1U << 20U));
    spec.stdout_fd = pipe.write_end.get();
  }
  RAD_TRY(auto child, ChildProcess::start(spec));
  pipe.write_end.reset();
  ExitStatus status;
  {
    const std::stop_callback killer(stop, [&child] { child.kill(); });
    if (line) read_lines(pipe.read_end.get(), line);
    status = child.wait();
  }
  if (stop.stop_requested()) return fail(Reason::cancelled, "stopped while reading WAL records");
  const std::string text = read_memory_file(errors.get());
  auto end = parse_waldump_error(text);
  if (!end || status.signal != 0) {
    Error error = fail(Reason::check_error,
                       fmt::format("{} ended with {} and said nothing about the WAL",
                                   run.program.string(), status.text()),
                       "run it by hand on the same segments");
    error.detail = printable(text);
    return error;
  }
  return *std::move(end);
}

}  // namespace rad::wal_e
