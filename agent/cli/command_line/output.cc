#include "agent/cli/command_line/output.h"

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::cli {

void write_out(std::FILE* stream, std::string_view text) noexcept {
  (void)std::fwrite(text.data(), 1, text.size(), stream);
  (void)std::fflush(stream);
}

void print_problem(std::string_view message, std::string_view hint) {
  write_out(stderr, fmt::format("error: {}\n", printable(message)));
  if (!hint.empty()) write_out(stderr, fmt::format("hint: {}\n", printable(hint)));
}

}  // namespace rad::cli
