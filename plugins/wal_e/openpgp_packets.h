// The outside of an OpenPGP message (RFC 4880, section 4.2): enough to tell what an object is, whom
// it is encrypted to, and whether its packets end before their time. Nothing is decrypted here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/byte_source.h"

namespace rad::wal_e {

/// What the first bytes of an object look like. WAL-E's names do not say.
enum class ObjectFormat : std::uint8_t {
  lzop,
  openpgp,          ///< begins with an encryption packet
  damaged_openpgp,  ///< the first byte is wrong, but a session-key packet follows it
  unknown,
};

/// So many first bytes are enough for format_of() and for recipients_of() with a dozen recipients.
inline constexpr std::size_t kHeadBytes = 8192;

/// An lzop magic with at most two wrong bytes counts as lzop: its reader says what is wrong.
ObjectFormat format_of(std::span<const std::byte> head);

/// Key ids (16 upper-case hex digits) of the public-key session-key packets that `head` begins
/// with, without repetition. A hidden recipient is 0000000000000000.
std::vector<std::string> recipients_of(std::span<const std::byte> head);

/// How the packets of a whole object fit its length.
enum class PacketChain : std::uint8_t {
  complete,  ///< session keys, one encrypted-data packet, and nothing after it
  cut,       ///< well formed, but the bytes end inside a packet or before the data
  damaged,   ///< a packet or length that cannot be
};

struct PacketWalk {
  PacketChain chain = PacketChain::damaged;
  std::uint64_t offset = 0;  ///< where the bytes end (cut) or what cannot be begins (damaged)
};

/// Follows tags and lengths through `source` to its end. gpg's answers cannot tell a cut stream
/// from an altered one (BADMDC both times, exit code 0 and NODATA for a cut first packet): this
/// can. A writer's partial lengths do not grow, so a growing one is taken for damage.
Result<PacketWalk> walk_packets(ByteSource& source);

}  // namespace rad::wal_e
