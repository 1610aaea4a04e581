// Members of a tar (GNU or PAX) as libarchive reads them, and the strictness that it lacks.
//
// libarchive takes any end at a member's boundary for the end of the archive. Here the end is two
// zero blocks and nothing but zeros after them; what stops before is `truncated`, a block that is
// no header is metadata_invalid with its offset in the decoded stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "agent/base/error.h"

namespace rad::wal_e {

enum class TarType : std::uint8_t { file, directory, symlink, hardlink, other };

/// One member. Everything in it is untrusted.
struct TarMember {
  std::string name;  ///< as stored, "/" at the end of a directory included
  TarType type = TarType::other;
  std::string link;          ///< target of a symbolic or hard link
  std::uint64_t size = 0;    ///< claimed
  bool sparse = false;       ///< claims holes
  std::uint64_t offset = 0;  ///< of its first header in the decoded stream
};

/// Reads members in order from a stream that is pulled. One thread at a time.
class TarStream {
 public:
  /// The next piece of the decoded stream, valid until the next call; empty at its proved end.
  using Pull = std::function<Result<std::span<const std::byte>>()>;

  explicit TarStream(Pull pull);
  ~TarStream();
  TarStream(const TarStream&) = delete;
  TarStream& operator=(const TarStream&) = delete;

  /// The next member; what is left of the one before is skipped.
  /// \return false at the proved end of tar and stream; Pull's error unchanged.
  Result<bool> next(TarMember& member);

  /// The next piece of the present file, valid until the next call; empty at its end, when exactly
  /// the claimed size has come. Mostly a part of Pull's own piece, not a copy.
  Result<std::span<const std::byte>> data();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad::wal_e
