// Files and directories below a restore's target, never outside of it.
//
// Every path is walked from the target's descriptor with O_NOFOLLOW at each part, so that nothing
// that lies there, or is put there meanwhile, can lead out. Files get 0600, directories 0700.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad::wal_e {

/// One per thread; several may write below the same target. Paths are those of safe_path().
class TreeWriter {
 public:
  using Tablespaces = std::map<std::string, std::filesystem::path>;

  /// \param target  made, if it is missing, with its parents.
  /// \param tablespaces  directory by OID; what lies below pg_tblspc/<oid>/ goes there.
  static Result<TreeWriter> open(const std::filesystem::path& target,
                                 const Tablespaces& tablespaces);

  /// A new, empty file; directories above it are made. \return metadata_invalid if it exists or its
  /// tablespace is unknown, scratch_full, quota, access_denied, host_unfit.
  /// \param direct_size  not 0: room for so many bytes is made at once, and it is written past the
  ///   page cache where the file system can.
  Result<UniqueFd> create_file(std::string_view path, std::uint64_t direct_size = 0);
  /// No error if it is there already.
  Status make_directory(std::string_view path);
  /// A second name for a file below the target; a copy where a hard link is impossible.
  Status link_file(std::string_view path, std::string_view first_name);
  /// Writes all of the parts, one after the other, from `offset` on; through the page cache if they
  /// do not fit for more. `path` is for messages. Several threads may write to one file.
  Status write_at(const UniqueFd& file, std::uint64_t offset,
                  std::array<std::span<const std::byte>, 2> parts, std::string_view path) const;
  /// From now on.
  static void write_through_cache(const UniqueFd& file) noexcept;

 private:
  struct Place {
    const UniqueFd* root;   ///< the target or a tablespace
    std::string_view path;  ///< below it
  };

  Result<UniqueFd> open_root(const std::filesystem::path& path) const;
  Result<Place> place_of(std::string_view path) const;
  Result<int> directory(const Place& place);
  Status copy_file(int from_directory, const std::string& from, int to_directory,
                   const std::string& to, std::string_view path) const;
  Error system_error(int error, std::string_view action, std::string_view path) const;

  std::filesystem::path target_;
  UniqueFd root_;
  std::map<std::string, UniqueFd, std::less<>> tablespaces_;
  // The last directory: a tar comes directory by directory.
  const UniqueFd* last_root_ = nullptr;
  std::string last_path_;
  UniqueFd last_directory_;
};

}  // namespace rad::wal_e
