#include "plugins/postgresql/relation_files.h"

#include <charconv>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace rad::postgresql {
namespace {

namespace fs = std::filesystem;

struct ForkSegment {
  std::string fork;  ///< "16385", "16385_fsm"
  std::uint64_t number = 0;
};

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<ForkSegment> fork_segment(std::string_view name) {
  ForkSegment segment;
  const auto dot = name.find('.');
  std::string_view fork = name.substr(0, dot);
  segment.fork = fork;
  const auto underscore = fork.find('_');
  if (underscore != std::string_view::npos) {
    const std::string_view kind = fork.substr(underscore + 1);
    if (kind != "fsm" && kind != "vm" && kind != "init") return std::nullopt;
    fork = fork.substr(0, underscore);
  }
  if (!all_digits(fork)) return std::nullopt;
  if (dot == std::string_view::npos) return segment;
  const std::string_view digits = name.substr(dot + 1);
  if (!all_digits(digits) || digits.size() > 9) return std::nullopt;
  std::from_chars(digits.data(), digits.data() + digits.size(), segment.number);
  return segment;
}

using Sizes = std::map<std::uint64_t, std::uint64_t>;  // segment number -> bytes

void judge_fork(const std::string& path, const Sizes& sizes, std::uint64_t segment_bytes,
                std::vector<BrokenFork>& broken) {
  std::uint64_t last_used = 0;
  for (const auto& [number, bytes] : sizes) {
    if (bytes > 0) last_used = number;
  }
  for (std::uint64_t number = 0; number < last_used; ++number) {
    const auto found = sizes.find(number);
    const std::string name = number == 0 ? path : fmt::format("{}.{}", path, number);
    if (found == sizes.end()) {
      broken.push_back(
          {name, fmt::format("{} is missing, but segment {} is there", name, last_used)});
      return;
    }
    if (found->second != segment_bytes) {
      broken.push_back({name, fmt::format("{} has {} of {} bytes, but segment {} is there", name,
                                          found->second, segment_bytes, last_used)});
      return;
    }
  }
}

void scan_directory(const fs::path& root, const fs::path& directory, std::uint64_t segment_bytes,
                    std::vector<BrokenFork>& broken) {
  std::map<std::string, Sizes> forks;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const auto segment = fork_segment(entry.path().filename().string());
    if (!segment || !entry.is_regular_file(error)) continue;
    forks[segment->fork][segment->number] = entry.file_size(error);
  }
  for (const auto& [fork, sizes] : forks) {
    judge_fork((directory / fork).lexically_relative(root).string(), sizes, segment_bytes, broken);
  }
}

void scan_subdirectories(const fs::path& root, const fs::path& directory,
                         std::uint64_t segment_bytes, std::vector<BrokenFork>& broken) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_directory(error)) scan_directory(root, entry.path(), segment_bytes, broken);
  }
}

}  // namespace

std::vector<BrokenFork> find_broken_forks(const fs::path& data_dir, std::uint64_t segment_bytes) {
  std::vector<BrokenFork> broken;
  scan_directory(data_dir, data_dir / "global", segment_bytes, broken);
  scan_subdirectories(data_dir, data_dir / "base", segment_bytes, broken);
  std::error_code error;
  for (const auto& tablespace : fs::directory_iterator(data_dir / "pg_tblspc", error)) {
    for (const auto& version : fs::directory_iterator(tablespace.path(), error)) {
      scan_subdirectories(data_dir, version.path(), segment_bytes, broken);
    }
  }
  return broken;
}

}  // namespace rad::postgresql
