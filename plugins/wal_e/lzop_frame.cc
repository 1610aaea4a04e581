#include "plugins/wal_e/lzop_frame.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include <fmt/format.h>
#include <libdeflate.h>
#include <lzo/lzo1x.h>
#include <sys/mman.h>

#include "plugins/wal_e/lzo1x.h"

namespace rad::wal_e {
namespace {

constexpr std::uint32_t kAdlerPlain = 0x0001;
constexpr std::uint32_t kAdlerStored = 0x0002;
constexpr std::uint32_t kExtraField = 0x0040;
constexpr std::uint32_t kCrcPlain = 0x0100;
constexpr std::uint32_t kCrcStored = 0x0200;
constexpr std::uint32_t kMultipart = 0x0400;
constexpr std::uint32_t kFilter = 0x0800;
constexpr std::uint32_t kHeaderCrc = 0x1000;

constexpr std::uint32_t kMaxExtraField = 64U << 10U;
constexpr std::uint16_t kFirstVersion = 0x0900;
constexpr std::uint16_t kVersionWithLevel = 0x0940;
constexpr std::uint16_t kNewestVersion = 0x1040;
constexpr std::uint8_t kFirstMethod = 1;
constexpr std::uint8_t kLastMethod = 3;

std::uint32_t big_endian(const std::byte* bytes, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t at = 0; at < size; ++at) {
    value = value << 8U | std::to_integer<std::uint32_t>(bytes[at]);
  }
  return value;
}

std::uint32_t adler32(std::span<const std::byte> data) {
  return libdeflate_adler32(1, data.data(), data.size());
}

std::uint32_t crc32(std::span<const std::byte> data) {
  return libdeflate_crc32(0, data.data(), data.size());
}

std::uint32_t header_sum(std::uint32_t flags, std::span<const std::byte> data) {
  return (flags & kHeaderCrc) != 0 ? crc32(data) : adler32(data);
}

Error at_offset(Reason reason, std::uint64_t offset, std::string message) {
  Error error = fail(reason, std::move(message));
  error.offset = offset;
  return error;
}

bool lzo_ready() {
  static const bool ready = lzo_init() == LZO_E_OK;
  return ready;
}

}  // namespace

std::byte* BlockBuffer::ensure(std::size_t size) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kHugePage = 2U << 20U;
  if (size > capacity_) {
    const std::size_t rounded = (size + kLzoSlack + kPage - 1) / kPage * kPage;
    data_.reset();
    capacity_ = 0;
    const std::size_t alignment = rounded > kHugePage ? kHugePage : kPage;
    void* memory = nullptr;
    if (::posix_memalign(&memory, alignment, rounded) != 0) throw std::bad_alloc();
    data_.reset(static_cast<std::byte*>(memory));
    // Fewer page faults, and a device takes one piece instead of 512. It need not work.
    const std::size_t huge = rounded / kHugePage * kHugePage;
    if (huge > 0) ::madvise(data_.get(), huge, MADV_HUGEPAGE);
    capacity_ = size;
  }
  return data_.get();
}

Error LzopReader::damaged(std::string message) const {
  return at_offset(Reason::decompress_failed, position_, std::move(message));
}

Result<std::size_t> LzopReader::read_up_to(std::span<std::byte> target) {
  std::size_t done = std::min(target.size(), ahead_end_ - ahead_begin_);
  std::memcpy(target.data(), ahead_.data() + ahead_begin_, done);
  ahead_begin_ += done;
  while (done < target.size()) {
    const std::span<std::byte> rest = target.subspan(done);
    RAD_TRY(const std::size_t got, source_.read(rest, ahead_));
    if (got == 0) break;
    const std::size_t wanted = std::min(got, rest.size());
    done += wanted;
    ahead_begin_ = 0;
    ahead_end_ = got - wanted;
  }
  position_ += done;
  return done;
}

Status LzopReader::read_exactly(std::span<std::byte> target, const char* what) {
  RAD_TRY(const std::size_t got, read_up_to(target));
  if (got == target.size()) return {};
  return at_offset(
      Reason::truncated, position_,
      fmt::format("the lzop stream ends at byte {}, in {}, before its end mark", position_, what));
}

Result<std::uint32_t> LzopReader::read_u32(const char* what) {
  std::byte bytes[4];
  RAD_CHECK(read_exactly(bytes, what));
  return big_endian(bytes, sizeof bytes);
}

/// The header as it is read, kept for its checksum.
class LzopReader::HeaderFields {
 public:
  explicit HeaderFields(LzopReader& reader) : reader_(reader) {}
  Result<std::uint32_t> take(std::size_t size) {
    RAD_CHECK(skip(size));
    return big_endian(bytes_.data() + bytes_.size() - size, size);
  }
  Status skip(std::size_t size) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + size);
    return reader_.read_exactly(std::span(bytes_).subspan(at), "its header");
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  LzopReader& reader_;
  std::vector<std::byte> bytes_;
};

Result<bool> LzopReader::begin_stream() {
  std::array<std::byte, kLzopMagic.size()> magic{};
  const std::uint64_t begin = position_;
  RAD_TRY(const std::size_t got, read_up_to(magic));
  if (got == 0 && streams_ > 0) return false;
  const bool matches = std::memcmp(magic.data(), kLzopMagic.data(), got) == 0;
  if (got == magic.size() && matches) {
    RAD_CHECK(read_header());
    in_stream_ = true;
    return true;
  }
  if (streams_ > 0) {
    return at_offset(
        Reason::decompress_failed, begin,
        fmt::format("there are bytes after the end mark of the lzop stream, at byte {}", begin));
  }
  if (matches) {
    return at_offset(Reason::truncated, got,
                     got == 0 ? std::string("the lzop stream is empty")
                              : fmt::format("the lzop stream ends at byte {}, in its magic", got));
  }
  return at_offset(Reason::decompress_failed, 0, "it does not begin with lzop's magic bytes");
}

Status LzopReader::read_header() {
  HeaderFields fields(*this);
  RAD_TRY(const std::uint32_t version, fields.take(2));
  if (version < kFirstVersion)
    return damaged(fmt::format("lzop version {:#06x} is not known", version));
  RAD_CHECK(fields.skip(2));
  if (version >= kVersionWithLevel) {
    RAD_TRY(const std::uint32_t needed, fields.take(2));
    if (needed > kNewestVersion || needed < kFirstVersion) {
      return damaged(
          fmt::format("the lzop header asks for version {:#06x}, newest known is {:#06x}", needed,
                      kNewestVersion));
    }
  }
  RAD_TRY(const std::uint32_t method, fields.take(1));
  if (method < kFirstMethod || method > kLastMethod) {
    return damaged(fmt::format("lzop method {} is not known, 1 to 3 are", method));
  }
  if (version >= kVersionWithLevel) RAD_CHECK(fields.skip(1));
  RAD_TRY(flags_, fields.take(4));
  if ((flags_ & (kFilter | kMultipart)) != 0) {
    return damaged("the lzop stream uses a filter or is one of several parts, which is not read");
  }
  RAD_CHECK(fields.skip(version >= kVersionWithLevel ? 12 : 8));
  RAD_TRY(const std::uint32_t name_length, fields.take(1));
  RAD_CHECK(fields.skip(name_length));
  const std::uint32_t found = header_sum(flags_, fields.bytes());
  RAD_TRY(const std::uint32_t stated, read_u32("its header"));
  if (found != stated) {
    return at_offset(Reason::checksum_mismatch, position_,
                     fmt::format("the lzop header has checksum {:08x}, its content gives {:08x}",
                                 stated, found));
  }
  if ((flags_ & kExtraField) != 0) RAD_CHECK(read_extra_field());
  return {};
}

Status LzopReader::read_extra_field() {
  HeaderFields fields(*this);
  RAD_TRY(const std::uint32_t size, fields.take(4));
  if (size > kMaxExtraField) {
    return damaged(fmt::format("the lzop header has an extra field of {} bytes, {} are allowed",
                               size, kMaxExtraField));
  }
  RAD_CHECK(fields.skip(size));
  const std::uint32_t found = header_sum(flags_, fields.bytes());
  RAD_TRY(const std::uint32_t stated, read_u32("its extra field"));
  if (found == stated) return {};
  return at_offset(Reason::checksum_mismatch, position_,
                   fmt::format("the lzop extra field has checksum {:08x}, its content gives {:08x}",
                               stated, found));
}

Result<bool> LzopReader::next(LzopBlock& block) {
  for (;;) {
    if (!in_stream_) {
      RAD_TRY(const bool more, begin_stream());
      if (!more) return false;
    }
    block.offset = position_;
    RAD_TRY(block.plain_size, read_u32("the head of a block"));
    if (block.plain_size != 0) break;
    in_stream_ = false;
    ++streams_;
  }
  if (block.plain_size > kMaxLzopBlock) {
    return at_offset(Reason::decompress_failed, block.offset,
                     fmt::format("the lzop block at byte {} claims {} bytes, {} are allowed",
                                 block.offset, block.plain_size, kMaxLzopBlock));
  }
  RAD_TRY(block.stored_size, read_u32("the head of a block"));
  if (block.stored_size == 0 || block.stored_size > block.plain_size) {
    return at_offset(Reason::decompress_failed, block.offset,
                     fmt::format("the lzop block at byte {} claims to hold {} bytes in {}",
                                 block.offset, block.plain_size, block.stored_size));
  }
  const bool compressed = block.stored_size < block.plain_size;
  struct Sum {
    std::optional<std::uint32_t>& value;
    bool present;
  };
  for (const Sum& sum : {Sum{block.plain_adler, (flags_ & kAdlerPlain) != 0},
                         Sum{block.plain_crc, (flags_ & kCrcPlain) != 0},
                         Sum{block.stored_adler, compressed && (flags_ & kAdlerStored) != 0},
                         Sum{block.stored_crc, compressed && (flags_ & kCrcStored) != 0}}) {
    sum.value.reset();
    if (!sum.present) continue;
    RAD_TRY(sum.value, read_u32("the head of a block"));
  }
  std::byte* const stored = block.stored.ensure(block.stored_size);
  RAD_CHECK(read_exactly({stored, block.stored_size}, "a block"));
  return true;
}

namespace {

Status check_sum(const LzopBlock& block, std::optional<std::uint32_t> stated, std::uint32_t found,
                 const char* what) {
  if (!stated || *stated == found) return {};
  return at_offset(Reason::checksum_mismatch, block.offset,
                   fmt::format("the lzop block at byte {} has {} {:08x}, its content gives {:08x}",
                               block.offset, what, *stated, found));
}

Status decode_slowly(const LzopBlock& block, std::span<std::byte> plain) {
  if (!lzo_ready()) return fail(Reason::library_missing, "liblzo2 does not fit this program");
  lzo_uint written = block.plain_size;
  const int result = lzo1x_decompress_safe(
      reinterpret_cast<const unsigned char*>(block.stored.data()), block.stored_size,
      reinterpret_cast<unsigned char*>(plain.data()), &written, nullptr);
  if (result == LZO_E_OK && written == block.plain_size) return {};
  return at_offset(Reason::decompress_failed, block.offset,
                   fmt::format("the lzop block at byte {} holds damaged data (liblzo2 error {}, "
                               "{} of {} bytes)",
                               block.offset, result, written, block.plain_size));
}

}  // namespace

Status decode_block(const LzopBlock& block, std::span<std::byte> plain) {
  const std::span<const std::byte> stored(block.stored.data(), block.stored_size);
  if (block.stored_adler) {
    RAD_CHECK(check_sum(block, block.stored_adler, adler32(stored), "stored Adler-32"));
  }
  if (block.stored_crc) {
    RAD_CHECK(check_sum(block, block.stored_crc, crc32(stored), "stored CRC-32"));
  }
  if (block.stored_size == block.plain_size) {
    std::memcpy(plain.data(), stored.data(), stored.size());
  } else if (!lzo1x_decode(stored, plain)) {
    // liblzo2 has the last word on what the faster decoder refuses, and the sums on what it takes.
    RAD_CHECK(decode_slowly(block, plain));
  }
  if (block.plain_adler) {
    RAD_CHECK(check_sum(block, block.plain_adler, adler32(plain), "Adler-32"));
  }
  if (block.plain_crc) RAD_CHECK(check_sum(block, block.plain_crc, crc32(plain), "CRC-32"));
  return {};
}

}  // namespace rad::wal_e
