#include "plugins/postgresql/recovery_end.h"

#include <algorithm>
#include <charconv>

#include "agent/base/text.h"

namespace rad::postgresql {
namespace {

std::uint32_t timeline_at(Lsn position, const std::vector<HistoryLine>& history,
                          std::uint32_t newest) {
  std::uint32_t timeline = newest;
  for (auto line = history.rbegin(); line != history.rend() && position < line->lsn; ++line) {
    timeline = line->timeline;
  }
  return timeline;
}

}  // namespace

std::vector<HistoryLine> parse_history(std::string_view text) {
  std::vector<HistoryLine> lines;
  while (!text.empty()) {
    const auto line_end = text.find('\n');
    const std::string_view line = text.substr(0, line_end);
    text.remove_prefix(line_end == std::string_view::npos ? text.size() : line_end + 1);
    const auto first = line.find('\t');
    if (first == std::string_view::npos) continue;
    const auto second = line.find('\t', first + 1);
    HistoryLine found;
    const auto [parsed, error] = std::from_chars(line.data(), line.data() + first, found.timeline);
    const auto lsn = parse_lsn(line.substr(first + 1, second - first - 1));
    if (error != std::errc{} || parsed != line.data() + first || !lsn) continue;
    found.lsn = *lsn;
    if (second != std::string_view::npos) found.reason = printable(line.substr(second + 1), 300);
    lines.push_back(std::move(found));
  }
  return lines;
}

std::string replaced_segment(const RecoveryEnd& end, const std::vector<HistoryLine>& history,
                             std::uint64_t segment_bytes) {
  if (end.lsn == 0) return {};
  const Lsn last_byte = end.lsn - 1;
  for (const auto& [number, restored] : end.log.restored) {
    if (number > last_byte / segment_bytes) break;
    const Lsn segment_end = number * segment_bytes + (segment_bytes - 1);
    const std::uint32_t timeline =
        timeline_at(std::min(segment_end, last_byte), history, end.point.timeline);
    // A segment of a newer timeline begins with a copy of the older one's: that is as it should be.
    if (restored < timeline) return format_segment({timeline, number}, segment_bytes);
  }
  return {};
}

}  // namespace rad::postgresql
