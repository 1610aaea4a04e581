// LZO1X decompression, about twice as fast as liblzo2's, which stays the judge of what this
// refuses.
//
// The format, as the documentation of the Linux kernel (staging/lzo) describes the stream and
// liblzo2's lzo1x_decompress_safe() reads it. A stream is a row of instructions; what the low bytes
// of one mean depends on how many literals the one before has copied ("state": 0 to 3 after a
// match, 4 after a run of literals). Little-endian words, "n*" grows by 255 for each zero byte and
// ends with the first other byte:
//   first byte 18-255   copy (byte - 17) literals
//   0000LLLL            state 0: copy 3 + L literals, L = 0: 18 + n*
//   0000DDSS D          state 1-3: copy 2 bytes from D + 1 back; state 4: 3 bytes from D + 2049
//   0001BLLL D..SS      copy 2 + L bytes (L = 0: 9 + n*) from 16384 * (1 + B) + D back;
//                       a distance of 16384 exactly is the end of the stream
//   001LLLLL D..SS      copy 2 + L bytes (L = 0: 33 + n*) from D + 1 back
//   LLLDDDSS D          copy 1 + LLL bytes (LLL >= 2) from D + 1 back
// S literals follow a match. A match may reach into what it writes, and then repeats it.
#pragma once

#include <cstddef>
#include <span>

namespace rad::wal_e {

/// So many bytes behind the compressed data must be readable, and behind the target writable: short
/// pieces are copied 16 or 32 bytes at a time. What they hold does not matter.
inline constexpr std::size_t kLzoSlack = 64;

/// Decodes one block of any content, valid or hostile, without touching memory other than the two
/// spans and kLzoSlack bytes behind each. Pure; any thread.
/// \return whether `stored` is a whole stream of exactly plain.size() bytes; if not, `plain` holds
///   anything.
bool lzo1x_decode(std::span<const std::byte> stored, std::span<std::byte> plain) noexcept;

}  // namespace rad::wal_e
