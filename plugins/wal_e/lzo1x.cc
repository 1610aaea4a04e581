#include "plugins/wal_e/lzo1x.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace rad::wal_e {
namespace {

static_assert(std::endian::native == std::endian::little, "words are loaded as they lie");

using Byte = unsigned char;

constexpr unsigned kAfterRun = 4;  // the state after a run of literals

template <std::size_t size>
[[gnu::always_inline]] inline void copy(Byte* to, const Byte* from) {
  std::array<Byte, size> piece;
  std::memcpy(piece.data(), from, size);
  std::memcpy(to, piece.data(), size);
}

[[gnu::always_inline]] inline std::uint32_t load32(const Byte* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// A pattern shorter than 16 bytes, repeated. Writes up to 16 bytes too many.
void repeat(Byte* to, std::size_t distance, std::size_t length) {
  Byte* const end = to + length;
  if (distance == 1) {
    std::memset(to, to[-1], length);
    return;
  }
  // From 16 bytes on, a multiple of the pattern's length is far enough back for whole pieces.
  const std::size_t stride = (15 / distance + 1) * distance;
  const Byte* const begin = to;
  while (to < end && to < begin + stride) {
    *to = to[-static_cast<std::ptrdiff_t>(distance)];
    ++to;
  }
  for (; to < end; to += 16) copy<16>(to, to - stride);
}

/// Writes up to 31 bytes too many.
[[gnu::always_inline]] inline void copy_match(Byte* to, std::size_t distance, std::size_t length) {
  if (distance < 16) {
    repeat(to, distance, length);
    return;
  }
  const Byte* from = to - distance;
  copy<16>(to, from);
  if (length <= 16) return;
  Byte* const end = to + length;
  if (distance < 32) {
    for (to += 16, from += 16; to < end; to += 16, from += 16) copy<16>(to, from);
    return;
  }
  constexpr std::size_t kLong = 256;
  if (length > kLong && distance >= length) {
    std::memcpy(to, from, length);
    return;
  }
  for (to += 16, from += 16; to < end; to += 32, from += 32) copy<32>(to, from);
}

class Decoder {
 public:
  Decoder(std::span<const std::byte> stored, std::span<std::byte> plain)
      : in_(reinterpret_cast<const Byte*>(stored.data())),
        in_end_(in_ + stored.size()),
        begin_(reinterpret_cast<Byte*>(plain.data())),
        out_(begin_),
        out_end_(begin_ + plain.size()) {}

  bool run() {
    if (in_ == in_end_ || !first_literals()) return false;
    // The only test of the input for most instructions: they take at most 6 bytes, the slack has
    // more, and what was read behind the end is refused here or at the end mark.
    while (in_ < in_end_) [[likely]] {
        const std::uint32_t word = load32(in_);
        const unsigned code = word & 0xFFU;
        bool fits = true;
        if (code >= 64) {
          fits = near_match(code, word);
        } else if (code >= 32) {
          fits = long_match(code & 31U, 31, word, 1);
        } else if (code >= 16) {
          if (is_end(code, word)) return in_ == in_end_ && out_ == out_end_;
          fits = long_match(code & 7U, 7, word, 0x4000U + ((code & 8U) << 11U));
        } else if (state_ == 0) {
          fits = literals(code);
        } else {
          fits = short_match(code, word);
        }
        if (!fits) [[unlikely]]
          return false;
      }
    return false;
  }

 private:
  bool room(std::size_t length) const {
    // Up to 3 literals behind a match are copied before they are counted.
    return static_cast<std::ptrdiff_t>(length) <= out_end_ - out_;
  }

  [[gnu::always_inline]] bool match_fits(std::size_t distance, std::size_t length) const {
    return distance <= static_cast<std::size_t>(out_ - begin_) && room(length);
  }

  [[gnu::always_inline]] void finish_match(std::size_t length, unsigned state) {
    out_ += length;
    copy<4>(out_, in_);
    out_ += state;
    in_ += state;
    state_ = state;
  }

  /// in_ is at the first byte of n*. \return false behind the end.
  bool take_length(std::size_t& length) {
    while (in_ < in_end_ && *in_ == 0) {
      length += 255;
      ++in_;
    }
    if (in_ >= in_end_) return false;
    length += *in_++;
    return true;
  }

  bool copy_literals(std::size_t length) {
    if (static_cast<std::ptrdiff_t>(length) > in_end_ - in_ || !room(length)) return false;
    if (length <= 32) {
      copy<32>(out_, in_);
    } else {
      std::memcpy(out_, in_, length);
    }
    out_ += length;
    in_ += length;
    return true;
  }

  bool first_literals() {
    constexpr Byte kNone = 17;
    if (*in_ <= kNone) return true;
    const unsigned length = *in_++ - unsigned{kNone};
    state_ = length < kAfterRun ? length : kAfterRun;
    return copy_literals(length);
  }

  bool literals(std::size_t length) {
    ++in_;
    if (length == 0) {
      length = 15;
      if (!take_length(length)) return false;
    }
    state_ = kAfterRun;
    return copy_literals(length + 3);
  }

  [[gnu::always_inline]] bool near_match(unsigned code, std::uint32_t word) {
    const std::size_t distance = 1 + ((code >> 2U) & 7U) + ((word >> 8U) & 0xFFU) * 8;
    const std::size_t length = (code >> 5U) + 1;
    if (!match_fits(distance, length)) [[unlikely]]
      return false;
    in_ += 2;
    if (distance >= 8) [[likely]] {
      copy<8>(out_, out_ - distance);
    } else {
      repeat(out_, distance, length);
    }
    finish_match(length, code & 3U);
    return true;
  }

  bool short_match(unsigned code, std::uint32_t word) {
    const bool after_run = state_ == kAfterRun;
    const std::size_t distance = (after_run ? 2049 : 1) + (code >> 2U) + ((word >> 8U) & 0xFFU) * 4;
    const std::size_t length = after_run ? 3 : 2;
    if (!match_fits(distance, length)) return false;
    in_ += 2;
    const Byte* const from = out_ - distance;
    // One by one: the distance may be 1.
    for (std::size_t at = 0; at < length; ++at) out_[at] = from[at];
    finish_match(length, code & 3U);
    return true;
  }

  /// Takes the end mark, if it is one: also with a length, which is of no meaning.
  bool is_end(unsigned code, std::uint32_t word) {
    if ((code & 8U) != 0) return false;
    if ((code & 7U) != 0) {
      if ((word & 0xFFFC00U) != 0) return false;
      in_ += 3;
      return true;
    }
    const Byte* const here = in_++;
    std::size_t length = 0;
    if (take_length(length) && (load32(in_) & 0xFFFCU) == 0) {
      in_ += 2;
      return true;
    }
    in_ = here;
    return false;
  }

  [[gnu::always_inline]] bool long_match(std::size_t length, std::size_t base, std::uint32_t word,
                                         std::size_t distance) {
    if (length == 0) [[unlikely]] {
      ++in_;
      length = base;
      if (!take_length(length)) return false;
      word = load32(in_ - 1);
      in_ -= 1;
    }
    length += 2;
    distance += (word >> 10U) & 0x3FFFU;
    if (!match_fits(distance, length)) [[unlikely]]
      return false;
    in_ += 3;
    copy_match(out_, distance, length);
    finish_match(length, (word >> 8U) & 3U);
    return true;
  }

  const Byte* in_;
  const Byte* const in_end_;
  Byte* const begin_;
  Byte* out_;
  Byte* const out_end_;
  unsigned state_ = 0;
};

}  // namespace

bool lzo1x_decode(std::span<const std::byte> stored, std::span<std::byte> plain) noexcept {
  return Decoder(stored, plain).run();
}

}  // namespace rad::wal_e
