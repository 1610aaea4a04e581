#include "plugins/wal_e/openpgp_packets.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "plugins/wal_e/lzop_frame.h"

namespace rad::wal_e {
namespace {

constexpr unsigned kPublicKeySession = 1;
constexpr unsigned kPassphraseSession = 3;
constexpr unsigned kEncrypted = 9;
constexpr unsigned kMarker = 10;
constexpr unsigned kEncryptedWithMdc = 18;
constexpr unsigned kEncryptedAead = 20;

bool is_data(unsigned tag) {
  return tag == kEncrypted || tag == kEncryptedWithMdc || tag == kEncryptedAead;
}

bool may_begin(unsigned tag) {
  return tag == kPublicKeySession || tag == kPassphraseSession || tag == kMarker;
}

/// A packet's head as far as it can be told from bytes in memory.
struct PacketHead {
  unsigned tag = 0;
  std::size_t head_size = 0;
  std::uint64_t body_size = 0;
};

unsigned at(std::span<const std::byte> bytes, std::size_t index) {
  return std::to_integer<unsigned>(bytes[index]);
}

/// Only heads with a plain length, as session-key packets have. `tag_byte` may stand in for the
/// first byte.
std::optional<PacketHead> head_of(std::span<const std::byte> bytes, unsigned tag_byte) {
  if (bytes.size() < 6 || (tag_byte & 0x80U) == 0) return std::nullopt;
  if ((tag_byte & 0x40U) == 0) {
    const unsigned tag = (tag_byte >> 2U) & 0x0FU;
    switch (tag_byte & 3U) {
      case 0:
        return PacketHead{tag, 2, at(bytes, 1)};
      case 1:
        return PacketHead{tag, 3, at(bytes, 1) << 8U | at(bytes, 2)};
      default:
        return std::nullopt;
    }
  }
  const unsigned tag = tag_byte & 0x3FU;
  const unsigned first = at(bytes, 1);
  if (first < 192) return PacketHead{tag, 2, first};
  if (first < 224) return PacketHead{tag, 3, ((first - 192) << 8U) + at(bytes, 2) + 192};
  return std::nullopt;
}

unsigned tag_of(unsigned byte) {
  return (byte & 0x40U) == 0 ? (byte >> 2U) & 0x0FU : byte & 0x3FU;
}

bool session_key_follows(std::span<const std::byte> head, unsigned tag_byte) {
  const std::optional<PacketHead> packet = head_of(head, tag_byte);
  if (!packet || packet->head_size + packet->body_size >= head.size()) return false;
  constexpr unsigned kVersion = 3;
  if (at(head, packet->head_size) != kVersion) return false;
  const unsigned next = at(head, packet->head_size + packet->body_size);
  return (next & 0x80U) != 0 && (is_data(tag_of(next)) || may_begin(tag_of(next)));
}

}  // namespace

ObjectFormat format_of(std::span<const std::byte> head) {
  std::size_t matching = 0;
  for (std::size_t index = 0; index < kLzopMagic.size() && index < head.size(); ++index) {
    if (at(head, index) == kLzopMagic[index]) ++matching;
  }
  const std::size_t comparable = std::min(head.size(), kLzopMagic.size());
  if (comparable > 0 && (matching == comparable || matching + 2 >= kLzopMagic.size())) {
    return ObjectFormat::lzop;
  }
  if (head.empty()) return ObjectFormat::unknown;
  const unsigned first = at(head, 0);
  const unsigned tag = tag_of(first);
  const bool is_packet = (first & 0x80U) != 0;
  if (is_packet && (may_begin(tag) || is_data(tag))) return ObjectFormat::openpgp;
  for (const unsigned tag_byte : {0x84U, 0x85U, 0xC1U}) {
    if (session_key_follows(head, tag_byte)) return ObjectFormat::damaged_openpgp;
  }
  return ObjectFormat::unknown;
}

std::vector<std::string> recipients_of(std::span<const std::byte> head) {
  std::vector<std::string> ids;
  while (!head.empty()) {
    const std::optional<PacketHead> packet = head_of(head, at(head, 0));
    if (!packet || !may_begin(packet->tag)) break;
    constexpr std::size_t kVersionAndId = 9;
    const std::span<const std::byte> body = head.subspan(packet->head_size);
    if (packet->tag == kPublicKeySession && packet->body_size >= kVersionAndId &&
        body.size() >= kVersionAndId) {
      std::string id;
      for (std::size_t index = 1; index < kVersionAndId; ++index) {
        id += fmt::format("{:02X}", at(body, index));
      }
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(std::move(id));
    }
    if (packet->body_size >= body.size()) break;
    head = body.subspan(static_cast<std::size_t>(packet->body_size));
  }
  return ids;
}

namespace {

/// A source with a buffer, read byte by byte and skipped in bulk.
class Walker {
 public:
  explicit Walker(ByteSource& source) : source_(source) {}

  Result<PacketWalk> walk() {
    bool data_seen = false;
    for (;;) {
      const std::uint64_t begin = offset_;
      RAD_TRY(const std::optional<unsigned> byte, take());
      if (!byte) return PacketWalk{data_seen ? PacketChain::complete : PacketChain::cut, begin};
      const unsigned tag = tag_of(*byte);
      const bool known = (*byte & 0x80U) != 0 && (may_begin(tag) || is_data(tag));
      if (!known || data_seen) return PacketWalk{PacketChain::damaged, begin};
      data_seen = is_data(tag);
      RAD_TRY(const PacketChain body, (*byte & 0x40U) == 0 ? old_body(*byte) : new_body(data_seen));
      if (body == PacketChain::cut) return PacketWalk{body, offset_};
      if (body == PacketChain::damaged) return PacketWalk{body, begin};
    }
  }

 private:
  Result<std::optional<unsigned>> take() {
    if (begin_ == end_) RAD_CHECK(fill());
    if (begin_ == end_) return std::optional<unsigned>{};
    ++offset_;
    return std::optional<unsigned>(std::to_integer<unsigned>(buffer_[begin_++]));
  }

  Status fill() {
    RAD_TRY(end_, source_.read(buffer_, {}));
    begin_ = 0;
    return {};
  }

  Result<bool> skip(std::uint64_t size) {
    while (size > 0) {
      if (begin_ == end_) RAD_CHECK(fill());
      if (begin_ == end_) return false;
      const std::size_t step =
          static_cast<std::size_t>(std::min<std::uint64_t>(size, end_ - begin_));
      begin_ += step;
      offset_ += step;
      size -= step;
    }
    return true;
  }

  Result<std::optional<std::uint64_t>> number(std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t index = 0; index < size; ++index) {
      RAD_TRY(const std::optional<unsigned> byte, take());
      if (!byte) return std::optional<std::uint64_t>{};
      value = value << 8U | *byte;
    }
    return std::optional<std::uint64_t>(value);
  }

  Result<PacketChain> body_of(std::uint64_t size) {
    RAD_TRY(const bool whole, skip(size));
    return whole ? PacketChain::complete : PacketChain::cut;
  }

  Result<PacketChain> old_body(unsigned tag_byte) {
    const unsigned kind = tag_byte & 3U;
    if (kind == 3) {  // to the end of the object
      RAD_CHECK(skip(UINT64_MAX));
      return PacketChain::complete;
    }
    RAD_TRY(const std::optional<std::uint64_t> size, number(std::size_t{1} << kind));
    if (!size) return PacketChain::cut;
    return body_of(*size);
  }

  Result<PacketChain> new_body(bool data) {
    std::uint64_t largest_part = UINT64_MAX;
    for (;;) {
      RAD_TRY(const std::optional<unsigned> first, take());
      if (!first) return PacketChain::cut;
      if (*first < 192) return body_of(*first);
      if (*first < 224) {
        RAD_TRY(const std::optional<unsigned> second, take());
        if (!second) return PacketChain::cut;
        return body_of(((*first - 192U) << 8U) + *second + 192U);
      }
      if (*first == 255) {
        RAD_TRY(const std::optional<std::uint64_t> size, number(4));
        if (!size) return PacketChain::cut;
        return body_of(*size);
      }
      const std::uint64_t part = std::uint64_t{1} << (*first & 0x1FU);
      if (!data || part > largest_part) return PacketChain::damaged;
      largest_part = part;
      RAD_TRY(const bool whole, skip(part));
      if (!whole) return PacketChain::cut;
    }
  }

  ByteSource& source_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(std::size_t{256} << 10U);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t offset_ = 0;
};

}  // namespace

Result<PacketWalk> walk_packets(ByteSource& source) {
  return Walker(source).walk();
}

}  // namespace rad::wal_e
