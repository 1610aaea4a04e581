#include "plugins/postgresql/page_report.h"

#include <charconv>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

constexpr std::size_t kMaxLines = 1000;

// The number that `text` begins with, after blanks; `text` is cut to what follows.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

// "  12/345 MB (3%) computed"
std::optional<std::pair<std::uint64_t, std::uint64_t>> progress_in(std::string_view line) {
  const auto done = take_number(line);
  if (!done || !line.starts_with('/')) return std::nullopt;
  line.remove_prefix(1);
  const auto total = take_number(line);
  if (!total || !line.starts_with(" MB ")) return std::nullopt;
  return std::pair{*done, *total};
}

std::optional<std::uint64_t> count_in(std::string_view line, std::string_view key) {
  if (!line.starts_with(key)) return std::nullopt;
  line.remove_prefix(key.size());
  return take_number(line);
}

}  // namespace

std::optional<std::pair<std::uint64_t, std::uint64_t>> PageReport::take(std::string_view line,
                                                                        std::string_view data_dir) {
  if (const auto progress = progress_in(line)) return progress;
  if (const auto scanned = count_in(line, "Files scanned:")) files += *scanned;
  if (const auto scanned = count_in(line, "Blocks scanned:")) blocks += *scanned;
  constexpr std::string_view kBad = "checksum verification failed in file \"";
  const auto at = line.find(kBad);
  if (at == std::string_view::npos) {
    if (line.find("error: ") != std::string_view::npos) last_error = printable(line, 300);
    return std::nullopt;
  }
  ++bad_pages;
  std::string_view rest = line.substr(at + kBad.size());
  if (rest.starts_with(data_dir)) rest.remove_prefix(data_dir.size());
  if (rest.starts_with('/')) rest.remove_prefix(1);
  const auto end = rest.find("\", ");
  const std::string file = printable(rest.substr(0, end), 300);
  if (first_file.empty()) first_file = file;
  if (lines.size() < kMaxLines && end != std::string_view::npos) {
    lines.push_back(fmt::format("{}, {}", file, printable(rest.substr(end + 3), 200)));
  }
  if (lines.empty()) lines.push_back(file);
  return std::nullopt;
}

}  // namespace rad::postgresql
