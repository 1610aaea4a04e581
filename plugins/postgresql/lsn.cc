#include "plugins/postgresql/lsn.h"

#include <bit>
#include <charconv>

#include <fmt/format.h>

namespace rad::postgresql {
namespace {

constexpr std::uint64_t kLogFileBytes = std::uint64_t{1} << 32U;

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool valid_segment_bytes(std::uint64_t segment_bytes) noexcept {
  return std::has_single_bit(segment_bytes) && segment_bytes >= (1U << 20U) &&
         segment_bytes <= (1U << 30U);
}

std::optional<Lsn> parse_lsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash > 8) return std::nullopt;
  const std::string_view low_text = text.substr(slash + 1);
  if (low_text.empty() || low_text.size() > 8) return std::nullopt;
  const auto high = parse_hex(text.substr(0, slash));
  const auto low = parse_hex(low_text);
  if (!high || !low) return std::nullopt;
  return *high << 32U | *low;
}

std::string format_lsn(Lsn lsn) {
  return fmt::format("{:X}/{:X}", lsn >> 32U, lsn & 0xFFFFFFFFU);
}

std::optional<Segment> parse_segment(std::string_view name, std::uint64_t segment_bytes) {
  if (name.size() != 24 || !valid_segment_bytes(segment_bytes)) return std::nullopt;
  if (name.find_first_not_of("0123456789ABCDEF") != std::string_view::npos) return std::nullopt;
  const auto timeline = parse_hex(name.substr(0, 8));
  const auto log = parse_hex(name.substr(8, 8));
  const auto part = parse_hex(name.substr(16, 8));
  const std::uint64_t parts = kLogFileBytes / segment_bytes;
  if (*timeline == 0 || *part >= parts) return std::nullopt;
  return Segment{static_cast<std::uint32_t>(*timeline), *log * parts + *part};
}

std::string format_segment(const Segment& segment, std::uint64_t segment_bytes) {
  const std::uint64_t parts = kLogFileBytes / segment_bytes;
  return fmt::format("{:08X}{:08X}{:08X}", segment.timeline, segment.number / parts,
                     segment.number % parts);
}

std::string segment_at(std::uint32_t timeline, Lsn lsn, std::uint64_t segment_bytes) {
  return format_segment({timeline, lsn / segment_bytes}, segment_bytes);
}

}  // namespace rad::postgresql
