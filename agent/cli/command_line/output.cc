#include "agent/cli/command_line/output.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::cli {

namespace {

int stdout_error = 0;  // the first errno, 0 if none

}  // namespace

void write_out(std::FILE* stream, std::string_view text) noexcept {
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size();
  const bool flushed = std::fflush(stream) == 0;
  if (stream == stdout && !(written && flushed) && stdout_error == 0) stdout_error = errno;
}

std::string output_failure() {
  return stdout_error == 0 || stdout_error == EPIPE ? "" : std::strerror(stdout_error);
}

void print_problem(std::string_view message, std::string_view hint) {
  write_out(stderr, fmt::format("error: {}\n", printable(message)));
  if (!hint.empty()) write_out(stderr, fmt::format("hint: {}\n", printable(hint)));
}

}  // namespace rad::cli
