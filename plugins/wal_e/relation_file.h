// Which files of a data directory consist of pages with checksums.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rad::wal_e {

inline constexpr std::uint32_t kPageSize = 8192;
/// Pages in one segment file: 1 GiB, PostgreSQL's default; WAL-E cannot back up larger ones.
inline constexpr std::uint64_t kPagesPerSegment = (std::uint64_t{1} << 30U) / kPageSize;

/// A file of a relation: base/<db>/<n>, global/<n> or pg_tblspc/<oid>/PG_*/<db>/<n>, with _fsm, _vm
/// or _init and ".<segment>". Temporary relations (t<n>_<n>), pg_filenode.map, PG_VERSION,
/// pg_internal.init and pg_control are none: their pages carry no checksum or are no pages.
struct RelationFile {
  std::string relation;  ///< without fork and segment: "base/16384/16385"
  std::string fork;      ///< "", "fsm", "vm" or "init"
  std::uint32_t segment = 0;

  /// Number of the file's first page in the fork: what the checksum is mixed with.
  std::uint64_t first_page() const noexcept { return segment * kPagesPerSegment; }
};

/// \param path  a member's name relative to the data directory.
std::optional<RelationFile> parse_relation_file(std::string_view path);

}  // namespace rad::wal_e
