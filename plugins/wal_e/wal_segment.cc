#include "plugins/wal_e/wal_segment.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

namespace rad::wal_e {
namespace {

constexpr std::uint16_t kLongHeaderFlag = 0x0002;

struct Magic {
  std::uint16_t magic;
  int major;
};
constexpr std::array kMagics{Magic{0xD087, 95}, Magic{0xD093, 96}, Magic{0xD097, 10},
                             Magic{0xD098, 11}, Magic{0xD101, 12}, Magic{0xD106, 13},
                             Magic{0xD10D, 14}, Magic{0xD110, 15}, Magic{0xD113, 16},
                             Magic{0xD116, 17}, Magic{0xD118, 18}};

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) noexcept {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

Status write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      const bool full = errno == ENOSPC || errno == EDQUOT;
      return fail(full ? Reason::scratch_full : Reason::host_unfit,
                  fmt::format("cannot write a WAL segment: {}", std::strerror(errno)),
                  full ? "free space in scratch_dir" : "");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace

std::optional<SegmentHead> parse_segment_head(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() < kLongHeaderBytes) return std::nullopt;
  if ((load<std::uint16_t>(bytes, 2) & kLongHeaderFlag) == 0) return std::nullopt;
  SegmentHead head;
  head.magic = load<std::uint16_t>(bytes, 0);
  head.timeline = load<std::uint32_t>(bytes, 4);
  head.address = load<std::uint64_t>(bytes, 8);
  head.continued_bytes = load<std::uint32_t>(bytes, 16);
  head.system_identifier = load<std::uint64_t>(bytes, 24);
  head.segment_bytes = load<std::uint32_t>(bytes, 32);
  head.page_bytes = load<std::uint32_t>(bytes, 36);
  return head;
}

std::optional<int> major_of_magic(std::uint16_t magic) noexcept {
  for (const Magic& row : kMagics) {
    if (row.magic == magic) return row.major;
  }
  return std::nullopt;
}

Status check_segment_head(const std::optional<SegmentHead>& head, const SegmentExpectation& wanted,
                          const std::string& object) {
  const auto damaged = [&](std::string why) {
    return fail(Reason::wal_damaged, fmt::format("WAL object '{}' {}", object, why),
                "recovery cannot go past it; look for the segment on a standby or in pg_wal",
                object);
  };
  if (!head) return damaged("does not begin with the header of a WAL segment");
  const auto number = segment_number(wanted.name, wanted.segment_bytes);
  if (!number) return damaged("has a name that no segment of this archive can have");
  const Lsn address = *number * wanted.segment_bytes;
  if (wanted.magic != 0 && head->magic != wanted.magic) {
    return damaged(fmt::format("has page magic {:04X}, the backup's WAL has {:04X}", head->magic,
                               wanted.magic));
  }
  if (head->address != address) {
    return damaged(
        fmt::format("holds the pages of {}, expected {}: it is another segment's content",
                    format_lsn(head->address), format_lsn(address)));
  }
  if (head->segment_bytes != wanted.segment_bytes || head->page_bytes != kWalPageBytes) {
    return damaged(fmt::format("says {} bytes a segment and {} a page, expected {} and {}",
                               head->segment_bytes, head->page_bytes, wanted.segment_bytes,
                               kWalPageBytes));
  }
  if (wanted.system_identifier != 0 && head->system_identifier != wanted.system_identifier) {
    return damaged(fmt::format("belongs to the cluster with system identifier {}, the backup to {}",
                               head->system_identifier, wanted.system_identifier));
  }
  // The copied beginning of a segment on a new timeline still names the old one.
  if (head->timeline == 0 || head->timeline > wanted.name.timeline) {
    return damaged(
        fmt::format("says timeline {}, expected at most {}", head->timeline, wanted.name.timeline));
  }
  return {};
}

Result<DecodedSegment> decode_segment(object_store::Storage& storage,
                                      const object_store::ObjectInfo& object,
                                      const DecodeContext& context,
                                      const SegmentExpectation& wanted, int fd) {
  std::vector<std::byte> beginning;
  std::uint64_t total = 0;
  bool too_long = false;
  auto info =
      decode_object(storage, object, context, [&](std::span<const std::byte> piece) -> Status {
        if (beginning.size() < kLongHeaderBytes) {
          const auto take = std::min(kLongHeaderBytes - beginning.size(), piece.size());
          beginning.insert(beginning.end(), piece.begin(), piece.begin() + static_cast<long>(take));
        }
        total += piece.size();
        if (total > wanted.segment_bytes) {
          // Read on to prove the object, but never write more than a segment.
          too_long = true;
          return {};
        }
        return fd >= 0 ? write_all(fd, piece) : Status{};
      });
  if (!info) return std::move(info).error();
  if (total < wanted.segment_bytes) {
    return fail(Reason::truncated,
                fmt::format("WAL object '{}' holds {} bytes, expected a segment of {}", object.key,
                            total, wanted.segment_bytes),
                "recovery cannot go past it; look for the segment on a standby or in pg_wal",
                object.key);
  }
  if (too_long) {
    return fail(Reason::wal_damaged,
                fmt::format("WAL object '{}' holds {} bytes, expected a segment of {}", object.key,
                            total, wanted.segment_bytes),
                "two clusters may share this prefix", object.key);
  }
  const auto head = parse_segment_head(beginning);
  RAD_CHECK(check_segment_head(head, wanted, object.key));
  return DecodedSegment{*head, *std::move(info)};
}

Result<SegmentHead> read_segment_head(object_store::Storage& storage,
                                      const object_store::ObjectInfo& object,
                                      const DecodeContext& context) {
  RAD_TRY(const auto reader, ObjectReader::open(storage, object, context));
  std::vector<std::byte> beginning;
  while (beginning.size() < kLongHeaderBytes) {
    RAD_TRY(const auto piece, reader->next());
    if (piece.empty()) break;
    const auto take = std::min(kLongHeaderBytes - beginning.size(), piece.size());
    beginning.insert(beginning.end(), piece.begin(), piece.begin() + static_cast<long>(take));
  }
  if (const auto head = parse_segment_head(beginning)) return *head;
  return fail(
      Reason::wal_damaged,
      fmt::format("WAL object '{}' does not begin with the header of a WAL segment", object.key),
      "", object.key);
}

}  // namespace rad::wal_e
