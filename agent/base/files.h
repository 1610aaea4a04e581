// Small files and directories. Nothing here follows a symbolic link out of a tree that it removes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/base/unique_fd.h"

namespace rad {

/// Reads a whole regular file of at most `max_bytes`; a link to one is followed. \return
/// access_denied, config_invalid (missing, too large) or host_unfit; the message names the path and
/// the system's error.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t max_bytes = 16U << 20U);

/// As read_file(), for a file below a directory that others may write to: no part of `file`, a
/// relative path, may be a symbolic link or lead out of `directory` at the moment of opening.
Result<std::string> read_file_beneath(const std::filesystem::path& directory,
                                      const std::filesystem::path& file, std::size_t max_bytes);

/// Writes a file so that readers see the old or the new content, never a part: temporary file in
/// the same directory, fsync, rename. \return scratch_full on ENOSPC, else host_unfit.
Status write_file_atomic(const std::filesystem::path& path, std::string_view content,
                         unsigned mode = 0644);

/// Removes a tree without following links out of it and without stopping at directories that lack
/// rights or at the first trouble; a missing tree is a success. File systems mounted below `path`
/// are left alone. Any depth, few descriptors. \return host_unfit naming what could not be removed.
Status remove_tree(const std::filesystem::path& path);

/// Bytes on disk below `path` (st_blocks), 0 if it is missing; links are not followed, a file with
/// several names counts once.
std::uint64_t tree_bytes(const std::filesystem::path& path);

/// Bytes free for an unprivileged writer on the file system that `path` is on, or will be on once
/// it is made.
Result<std::uint64_t> free_bytes(const std::filesystem::path& path);

/// Exclusive advisory lock on a file that stays locked while the descriptor lives, across
/// processes. The file is created when missing. \return target_busy when another process holds it.
Result<UniqueFd> lock_file(const std::filesystem::path& path);

/// 8 random lower-case hex digits (for short socket directories) or more.
std::string random_hex(std::size_t digits = 8);

}  // namespace rad
