#include "plugins/wal_e/wal_names.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include <fmt/format.h>

namespace rad::wal_e {
namespace {

std::optional<std::uint32_t> parse_hex32(std::string_view text, bool upper_only) noexcept {
  if (text.empty() || text.size() > 8) return std::nullopt;
  const bool well_formed = std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
           (!upper_only && c >= 'a' && c <= 'f');
  });
  if (!well_formed) return std::nullopt;
  std::uint32_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (end.ec != std::errc{} || end.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> parse_decimal32(std::string_view text) noexcept {
  std::uint32_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (text.empty() || end.ec != std::errc{} || end.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::string_view trim(std::string_view text) noexcept {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view next_word(std::string_view& rest) noexcept {
  rest = trim(rest);
  const auto end = std::min(rest.find_first_of(" \t"), rest.size());
  const auto word = rest.substr(0, end);
  rest.remove_prefix(end);
  return word;
}

}  // namespace

std::string format_lsn(Lsn lsn) {
  return fmt::format("{:X}/{:X}", lsn >> 32U, lsn & 0xFFFFFFFFU);
}

std::optional<Lsn> parse_lsn(std::string_view text) noexcept {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = parse_hex32(text.substr(0, slash), false);
  const auto low = parse_hex32(text.substr(slash + 1), false);
  if (!high || !low) return std::nullopt;
  return (Lsn{*high} << 32U) | *low;
}

bool is_segment_size(std::uint64_t bytes) noexcept {
  return std::has_single_bit(bytes) && bytes >= (1U << 20U) && bytes <= (1U << 30U);
}

std::string to_string(const SegmentName& name) {
  return fmt::format("{:08X}{:08X}{:08X}", name.timeline, name.log, name.seg);
}

std::optional<SegmentName> parse_segment_name(std::string_view text) noexcept {
  if (text.size() != 24) return std::nullopt;
  const auto timeline = parse_hex32(text.substr(0, 8), true);
  const auto log = parse_hex32(text.substr(8, 8), true);
  const auto seg = parse_hex32(text.substr(16, 8), true);
  if (!timeline || !log || !seg || *timeline == 0) return std::nullopt;
  return SegmentName{*timeline, *log, *seg};
}

std::optional<std::uint64_t> segment_number(const SegmentName& name,
                                            std::uint64_t segment_bytes) noexcept {
  const std::uint64_t per_log = (std::uint64_t{1} << 32U) / segment_bytes;
  if (name.seg >= per_log) return std::nullopt;
  return name.log * per_log + name.seg;
}

SegmentName segment_name(std::uint32_t timeline, std::uint64_t number,
                         std::uint64_t segment_bytes) noexcept {
  const std::uint64_t per_log = (std::uint64_t{1} << 32U) / segment_bytes;
  return {timeline, static_cast<std::uint32_t>(number / per_log),
          static_cast<std::uint32_t>(number % per_log)};
}

std::optional<BackupName> parse_backup_name(std::string_view text) {
  constexpr std::string_view kPrefix = "base_";
  if (text.size() != kPrefix.size() + 24 + 1 + 8 || !text.starts_with(kPrefix) ||
      text[kPrefix.size() + 24] != '_') {
    return std::nullopt;
  }
  const auto segment = parse_segment_name(text.substr(kPrefix.size(), 24));
  const auto digits = text.substr(kPrefix.size() + 25);
  if (!segment || !parse_hex32(digits, true)) return std::nullopt;
  return BackupName{std::string(text), *segment, parse_decimal32(digits)};
}

std::optional<WalFileName> parse_wal_file_name(std::string_view name) noexcept {
  WalFileName result;
  if (name.size() == 16 && name.ends_with(".history")) {
    const auto timeline = parse_hex32(name.substr(0, 8), true);
    if (!timeline || *timeline == 0) return std::nullopt;
    result.kind = WalFileKind::history;
    result.segment.timeline = *timeline;
    return result;
  }
  const auto segment = parse_segment_name(name.substr(0, std::min<std::size_t>(24, name.size())));
  if (!segment) return std::nullopt;
  result.segment = *segment;
  const auto rest = name.substr(24);
  if (rest.empty()) return result;
  if (rest == ".partial") {
    result.kind = WalFileKind::partial;
    return result;
  }
  if (rest.size() == 16 && rest[0] == '.' && rest.ends_with(".backup")) {
    const auto offset = parse_hex32(rest.substr(1, 8), true);
    if (!offset) return std::nullopt;
    result.kind = WalFileKind::backup_history;
    result.offset = *offset;
    return result;
  }
  return std::nullopt;
}

Result<std::vector<TimelineSwitch>> parse_history(std::string_view text, std::uint32_t timeline,
                                                  std::string_view object) {
  std::vector<TimelineSwitch> result;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const auto parent = parse_decimal32(next_word(line));
    const auto point = parse_lsn(next_word(line));
    const bool ascends = parent && point &&
                         (result.empty() || (*parent > result.back().timeline &&
                                             *point >= result.back().switch_point));
    if (!ascends || *parent >= timeline) {
      return fail(Reason::metadata_invalid,
                  fmt::format("line {} of timeline history '{}' is not an ancestor of timeline {}",
                              number, object, timeline),
                  "compare it with pg_wal on the source and archive it again", std::string(object));
    }
    result.push_back({*parent, *point});
  }
  if (result.empty()) {
    return fail(Reason::metadata_invalid,
                fmt::format("timeline history '{}' names no ancestor", object),
                "compare it with pg_wal on the source and archive it again", std::string(object));
  }
  return result;
}

std::string wal_key(std::string_view name) {
  return fmt::format("wal_005/{}.lzo", name);
}

}  // namespace rad::wal_e
