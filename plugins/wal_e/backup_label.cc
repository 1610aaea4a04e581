#include "plugins/wal_e/backup_label.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

/// PostgreSQL writes the zone's abbreviation, which is ambiguous for most zones.
std::optional<TimePoint> unambiguous_time(std::string_view text) {
  for (const std::string_view zone : {" UTC", " GMT", " Etc/UTC", " UCT", " Z"}) {
    if (!text.ends_with(zone)) continue;
    auto time = parse_time(std::string(text.substr(0, text.size() - zone.size())) + "+00");
    return time ? std::optional(*time) : std::nullopt;
  }
  const auto blank = text.rfind(' ');
  if (blank == std::string_view::npos || blank + 1 >= text.size()) return std::nullopt;
  const char sign = text[blank + 1];
  if (sign != '+' && sign != '-') return std::nullopt;
  auto time = parse_time(std::string(text.substr(0, blank)) + std::string(text.substr(blank + 1)));
  return time ? std::optional(*time) : std::nullopt;
}

struct Location {
  Lsn lsn = 0;
  std::optional<SegmentName> segment;
};

/// "0/5000028 (file 000000010000000000000005)"
std::optional<Location> parse_location(std::string_view value) {
  const auto blank = std::min(value.find(' '), value.size());
  const auto lsn = parse_lsn(value.substr(0, blank));
  if (!lsn) return std::nullopt;
  Location result{*lsn, std::nullopt};
  constexpr std::string_view kFile = " (file ";
  const auto rest = value.substr(blank);
  if (rest.starts_with(kFile) && rest.ends_with(')')) {
    result.segment = parse_segment_name(rest.substr(kFile.size(), rest.size() - kFile.size() - 1));
  }
  return result;
}

struct Lines {
  std::string_view text;

  std::optional<std::string_view> value(std::string_view key) const {
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      auto line = text.substr(at, end - at);
      at = end + 1;
      if (!line.starts_with(key) || !line.substr(key.size()).starts_with(": ")) continue;
      line.remove_prefix(key.size() + 2);
      if (line.ends_with('\r')) line.remove_suffix(1);
      return line;
    }
    return std::nullopt;
  }
};

Error invalid(std::string_view object, std::string_view line) {
  return fail(Reason::metadata_invalid, fmt::format("'{}' has no readable line '{}'", object, line),
              "compare it with the .backup file of the same backup in the archive",
              std::string(object));
}

}  // namespace

Result<BackupLabel> parse_backup_label(std::string_view text, std::string_view object) {
  const Lines lines{text};
  BackupLabel result;
  const auto start = parse_location(lines.value("START WAL LOCATION").value_or(""));
  if (!start || !start->segment) return invalid(object, "START WAL LOCATION");
  result.start = start->lsn;
  result.start_segment = *start->segment;
  const auto checkpoint = parse_location(lines.value("CHECKPOINT LOCATION").value_or(""));
  if (!checkpoint) return invalid(object, "CHECKPOINT LOCATION");
  result.checkpoint = checkpoint->lsn;
  result.from_standby = lines.value("BACKUP FROM") == "standby";
  if (const auto value = lines.value("START TIMELINE")) {
    std::uint32_t timeline = 0;
    const auto end = std::from_chars(value->data(), value->data() + value->size(), timeline, 10);
    if (end.ec != std::errc{} || end.ptr != value->data() + value->size() || timeline == 0) {
      return invalid(object, "START TIMELINE");
    }
    result.timeline = timeline;
    if (timeline != result.start_segment.timeline) {
      return fail(
          Reason::metadata_invalid,
          fmt::format("'{}' says timeline {} and names segment {} of timeline {}", object, timeline,
                      to_string(result.start_segment), result.start_segment.timeline),
          "", std::string(object));
    }
  }
  if (const auto value = lines.value("STOP WAL LOCATION")) {
    const auto stop = parse_location(*value);
    if (!stop || stop->lsn < result.start) return invalid(object, "STOP WAL LOCATION");
    result.stop = stop->lsn;
  }
  if (const auto value = lines.value("STOP TIME")) {
    result.stop_time_text = printable(*value, 60);
    result.stop_time = unambiguous_time(*value);
  }
  if (result.checkpoint < result.start) {
    return fail(Reason::metadata_invalid,
                fmt::format("'{}' has its checkpoint at {}, before its start at {}", object,
                            format_lsn(result.checkpoint), format_lsn(result.start)),
                "", std::string(object));
  }
  return result;
}

}  // namespace rad::wal_e
