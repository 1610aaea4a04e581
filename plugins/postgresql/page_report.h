// What pg_checksums prints, line by line. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rad::postgresql {

struct PageReport {
  std::uint64_t bad_pages = 0;
  std::uint64_t files = 0;
  std::uint64_t blocks = 0;
  std::string first_file;          ///< of the first bad page, relative to the data directory
  std::vector<std::string> lines;  ///< one a bad page, at most 1000
  std::string last_error;          ///< last complaint that was not about a page

  /// \param data_dir cut off the front of file names
  /// \return MiB done and in all, if the line was about progress.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> take(std::string_view line,
                                                              std::string_view data_dir);
};

}  // namespace rad::postgresql
