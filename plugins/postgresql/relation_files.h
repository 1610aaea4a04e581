// Files of relations in a data directory: a large relation is cut into segments of a fixed size,
// and a missing or short one in the middle hides everything after it without an error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace rad::postgresql {

/// A relation fork whose segments do not fit together.
struct BrokenFork {
  std::string path;  ///< of the segment at fault, relative to the directory
  std::string message;
};

/// Looks at base/, global/ and the tablespaces of a stopped or quiet server. Segments after the
/// first short one must be empty (truncation leaves such). Source: md.c of PostgreSQL.
/// \param segment_bytes block size times blocks per segment, from pg_control
std::vector<BrokenFork> find_broken_forks(const std::filesystem::path& data_dir,
                                          std::uint64_t segment_bytes);

}  // namespace rad::postgresql
