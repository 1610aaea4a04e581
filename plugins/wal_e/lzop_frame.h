// The lzop container: a header, blocks that are independent of one another, an end mark.
//
// Read from lzop 1.04's behaviour; all numbers are big-endian. A file is one or more streams:
//   magic(9) version(2) library(2) [needed(2)] method(1) [level(1)] flags(4) [filter(4)] mode(4)
//   mtime_low(4) [mtime_high(4)] name_length(1) name checksum(4) [extra field]
//   { plain_size(4) stored_size(4) [plain adler] [plain crc] [stored adler] [stored crc] data }*
//   0(4)
// The bracketed header fields depend on version and flags; a block with stored_size = plain_size is
// not compressed and has no sums of the stored data. Filters and multi-part files are refused:
// nothing that makes backups writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "agent/base/error.h"
#include "plugins/wal_e/byte_source.h"

namespace rad::wal_e {

inline constexpr std::array<std::uint8_t, 9> kLzopMagic{0x89, 0x4C, 0x5A, 0x4F, 0x00,
                                                        0x0D, 0x0A, 0x1A, 0x0A};
/// lzop's own limit; what it writes has 256 KiB.
inline constexpr std::uint32_t kMaxLzopBlock = 64U << 20U;

/// Memory that is aligned for direct I/O, not initialised, and grows without keeping its content.
class BlockBuffer {
 public:
  /// Room for at least `size` bytes and kLzoSlack behind them. Throws std::bad_alloc.
  std::byte* ensure(std::size_t size);
  std::byte* data() const noexcept { return data_.get(); }
  std::size_t capacity() const noexcept { return capacity_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t capacity_ = 0;
};

/// One block as stored, with the sums that its stream carries.
struct LzopBlock {
  std::uint64_t offset = 0;  ///< of the block in the lzop file
  std::uint32_t plain_size = 0;
  std::uint32_t stored_size = 0;
  std::optional<std::uint32_t> plain_adler, plain_crc, stored_adler, stored_crc;
  BlockBuffer stored;  ///< its first stored_size bytes
};

/// Cuts an lzop file into blocks without decoding them. Errors have `offset` set to the position in
/// the lzop file: `truncated` before the end mark, `decompress_failed` for what is no lzop file,
/// has a field out of range or goes on after its end; errors of the source are passed through.
class LzopReader {
 public:
  /// \param source  borrowed; read a little ahead.
  explicit LzopReader(ByteSource& source) : source_(source) {}

  /// Reads the next block into `block`, whose buffer is used again.
  /// \return false at the proved end: end mark read and nothing after it.
  Result<bool> next(LzopBlock& block);
  std::uint64_t position() const noexcept { return position_; }

 private:
  class HeaderFields;

  Result<bool> begin_stream();
  Status read_header();
  Status read_extra_field();
  Result<std::uint32_t> read_u32(const char* what);
  Status read_exactly(std::span<std::byte> target, const char* what);
  Result<std::size_t> read_up_to(std::span<std::byte> target);
  Error damaged(std::string message) const;

  ByteSource& source_;
  std::array<std::byte, 4096> ahead_;
  std::size_t ahead_begin_ = 0;
  std::size_t ahead_end_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t streams_ = 0;
  std::uint32_t flags_ = 0;
  bool in_stream_ = false;
};

/// Decodes one block and checks every sum it carries. Pure; any thread.
/// \param plain  block.plain_size bytes for the content; kLzoSlack bytes behind them are clobbered.
/// \return decompress_failed or checksum_mismatch with the block's offset.
Status decode_block(const LzopBlock& block, std::span<std::byte> plain);

}  // namespace rad::wal_e
