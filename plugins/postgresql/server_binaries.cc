#include "plugins/postgresql/server_binaries.h"

#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace rad::postgresql {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestMajor = 10;
constexpr int kNewestMajor = 40;

fs::path expand(std::string pattern, int major) {
  constexpr std::string_view kMark = "{major}";
  for (auto at = pattern.find(kMark); at != std::string::npos; at = pattern.find(kMark)) {
    pattern.replace(at, kMark.size(), std::to_string(major));
  }
  return pattern;
}

bool is_complete(const fs::path& directory) {
  return ::access((directory / "postgres").c_str(), X_OK) == 0 &&
         ::access((directory / "pg_controldata").c_str(), X_OK) == 0;
}

}  // namespace

std::vector<std::string> default_bin_dirs() {
  return {"/usr/lib/postgresql/{major}/bin", "/usr/pgsql-{major}/bin",
          "/usr/local/pgsql-{major}/bin"};
}

std::vector<int> installed_majors(const std::vector<std::string>& patterns) {
  std::set<int> found;
  for (const std::string& pattern : patterns) {
    for (int major = kOldestMajor; major <= kNewestMajor; ++major) {
      if (is_complete(expand(pattern, major))) found.insert(major);
    }
  }
  return {found.begin(), found.end()};
}

Result<fs::path> find_bin_dir(const std::vector<std::string>& patterns, int major) {
  for (const std::string& pattern : patterns) {
    const fs::path directory = expand(pattern, major);
    if (is_complete(directory)) return directory;
  }
  const std::vector<int> installed = installed_majors(patterns);
  return fail(
      Reason::version_unsupported,
      fmt::format("the backup is of PostgreSQL {}, installed here: {}", major,
                  installed.empty() ? "none" : fmt::format("{}", fmt::join(installed, ", "))),
      fmt::format("install the server programs of PostgreSQL {} (Debian: postgresql-{}), or "
                  "name their directory in the option bin_dirs",
                  major, major));
}

}  // namespace rad::postgresql
