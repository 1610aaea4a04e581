#include "plugins/wal_e/wal_end.h"

#include <algorithm>
#include <cstring>

#include "plugins/wal_e/wal_segment.h"

namespace rad::wal_e {
namespace {

constexpr std::size_t kRecordHeaderBytes = 24;
constexpr std::size_t kPrevOffset = 8;
constexpr std::size_t kInfoOffset = 16;
constexpr std::size_t kManagerOffset = 17;
constexpr unsigned kSwitchInfo = 0x40;  // XLOG_SWITCH of resource manager 0

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

bool is_switch(std::span<const std::byte> segment, std::size_t offset) {
  return offset + kRecordHeaderBytes <= segment.size() &&
         load<std::uint8_t>(segment, offset + kManagerOffset) == 0 &&
         (load<std::uint8_t>(segment, offset + kInfoOffset) & 0xF0U) == kSwitchInfo;
}

/// Offset behind `length` bytes of a record that begins at `offset`, page headers skipped, rounded
/// up to where the next record may begin.
std::size_t skip(std::size_t size, std::size_t offset, std::size_t length) {
  while (length > 0 && offset < size) {
    const std::size_t page_end = (offset / kWalPageBytes + 1) * kWalPageBytes;
    const std::size_t step = std::min(length, page_end - offset);
    offset += step;
    length -= step;
    if (length > 0) offset += kShortHeaderBytes;
  }
  offset = (offset + 7) / 8 * 8;
  if (offset % kWalPageBytes == 0 && offset < size) offset += kShortHeaderBytes;
  return std::min(offset, size);
}

bool has_successor(std::span<const std::byte> segment, std::size_t record, Lsn begin) {
  const std::size_t page_end =
      std::min((record / kWalPageBytes + 1) * kWalPageBytes, segment.size());
  for (std::size_t at = record + kRecordHeaderBytes; at + kInfoOffset <= page_end; at += 8) {
    if (load<std::uint64_t>(segment, at + kPrevOffset) == begin + record) return true;
  }
  return false;
}

}  // namespace

WalEnd judge_end(std::span<const std::byte> segment, Lsn begin, Lsn last_record) {
  if (segment.size() < kWalPageBytes) return {EndKind::damaged, begin};
  std::size_t next = 0;
  if (last_record < begin) {
    const auto continued = load<std::uint32_t>(segment, 16);
    next = skip(segment.size(), kLongHeaderBytes, continued);
  } else {
    const std::size_t offset = last_record - begin;
    if (offset + kRecordHeaderBytes > segment.size())
      return {EndKind::full, begin + segment.size()};
    if (is_switch(segment, offset)) return {EndKind::switched, begin + segment.size()};
    next = skip(segment.size(), offset, load<std::uint32_t>(segment, offset));
  }
  if (next >= segment.size()) return {EndKind::full, begin + segment.size()};
  const bool broken_switch = is_switch(segment, next);
  if (broken_switch || has_successor(segment, next, begin)) {
    return {EndKind::damaged, begin + next};
  }
  return {EndKind::crosses, begin + next};
}

}  // namespace rad::wal_e
