#include "plugins/wal_e/wal_archive.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace rad::wal_e {
namespace {

/// Timelines newer than the backup's that the listing knows, with a segment at or after the start.
std::set<std::uint32_t> newer_timelines(const WalListing& wal, std::uint32_t backup_timeline,
                                        std::uint64_t first, std::uint64_t segment_bytes) {
  std::set<std::uint32_t> result;
  for (const auto& object : wal.segments) {
    if (object.name.timeline <= backup_timeline) continue;
    const auto number = segment_number(object.name, segment_bytes);
    if (number && *number >= first) result.insert(object.name.timeline);
  }
  return result;
}

bool descends(const std::vector<TimelineSwitch>& history, std::uint32_t ancestor, Lsn since) {
  return std::any_of(history.begin(), history.end(), [&](const TimelineSwitch& line) {
    return line.timeline == ancestor && line.switch_point >= since;
  });
}

struct Range {
  std::uint32_t timeline = 0;
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

/// Newest first, as PostgreSQL tries them.
std::vector<Range> ranges_of(const TimelinePlan& plan, std::uint32_t backup_timeline,
                             std::uint64_t segment_bytes) {
  std::vector<Range> ranges;
  std::uint64_t begin = 0;
  for (const auto& line : plan.ancestry) {
    const std::uint64_t end = line.switch_point / segment_bytes;
    if (line.timeline >= backup_timeline) ranges.push_back({line.timeline, begin, end});
    begin = end;
  }
  ranges.push_back({plan.timeline, begin, ~std::uint64_t{0}});
  std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

}  // namespace

TimelinePlan plan_timelines(const WalListing& wal, const Histories& histories,
                            std::uint32_t backup_timeline, Lsn backup_start,
                            std::uint64_t segment_bytes) {
  TimelinePlan plan;
  plan.timeline = backup_timeline;
  plan.own_history_missing = backup_timeline > 1 && !wal.histories.contains(backup_timeline);
  const auto with_segments =
      newer_timelines(wal, backup_timeline, backup_start / segment_bytes, segment_bytes);
  std::set<std::uint32_t> seen = with_segments;
  for (const auto& [timeline, history] : histories) {
    if (timeline > backup_timeline) seen.insert(timeline);
  }
  for (const std::uint32_t timeline : seen) {
    const auto history = histories.find(timeline);
    if (history != histories.end() && descends(history->second, backup_timeline, backup_start)) {
      plan.timeline = timeline;
      plan.ancestry = history->second;
    }
  }
  for (const std::uint32_t timeline : seen) {
    const auto history = histories.find(timeline);
    if (history != histories.end() && !descends(history->second, backup_timeline, backup_start)) {
      plan.strangers.push_back(timeline);
    }
  }
  // Recovery stops looking at the first number without a history, so one missing hides all later.
  std::uint32_t expected = backup_timeline + 1;
  for (const std::uint32_t timeline : seen) {
    const bool has_history = histories.contains(timeline);
    if (has_history && (timeline == expected || timeline > plan.timeline)) {
      expected = timeline + 1;
      continue;
    }
    const std::uint32_t missing = has_history ? expected : timeline;
    const std::string name = fmt::format("{:08X}.history", missing);
    plan.missing_history = fail(
        Reason::wal_gap,
        fmt::format("timeline history '{}' is missing, but the archive has timeline {}",
                    wal_key(name), timeline),
        "without it recovery stops at the end of the older timeline; copy it from pg_wal of the "
        "primary and archive it again",
        wal_key(name));
    break;
  }
  return plan;
}

SegmentName WalPath::name(const WalStep& step) const {
  return segment_name(step.timeline, step.number, segment_bytes);
}

object_store::ObjectInfo WalPath::object(const WalStep& step) const {
  return {.key = wal_key(name(step)), .size = step.size, .modified = step.modified};
}

const WalStep* WalPath::find(std::uint64_t number) const {
  const auto found =
      std::lower_bound(steps.begin(), steps.end(), number,
                       [](const WalStep& step, std::uint64_t n) { return step.number < n; });
  return found != steps.end() && found->number == number ? &*found : nullptr;
}

SegmentName WalPath::expected_name(std::uint64_t number) const {
  for (const auto& line : ancestry) {
    if (number < line.switch_point / segment_bytes) {
      return segment_name(line.timeline, number, segment_bytes);
    }
  }
  return segment_name(timeline, number, segment_bytes);
}

std::uint64_t WalPath::stored_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& step : steps) sum += step.size;
  return sum;
}

WalPath follow(const WalListing& wal, const TimelinePlan& plan, std::uint32_t backup_timeline,
               std::uint64_t first, std::uint64_t segment_bytes) {
  WalPath path;
  path.segment_bytes = segment_bytes;
  path.first = first;
  path.timeline = plan.timeline;
  path.ancestry = plan.ancestry;
  std::erase_if(path.ancestry,
                [&](const TimelineSwitch& line) { return line.timeline < backup_timeline; });
  for (const Range& range : ranges_of(plan, backup_timeline, segment_bytes)) {
    const SegmentName lowest{range.timeline, 0, 0};
    auto object =
        std::lower_bound(wal.segments.begin(), wal.segments.end(), lowest,
                         [](const WalObject& a, const SegmentName& b) { return a.name < b; });
    for (; object != wal.segments.end() && object->name.timeline == range.timeline; ++object) {
      const auto number = segment_number(object->name, segment_bytes);
      if (!number || *number < first || *number < range.first || *number > range.last) continue;
      path.steps.push_back({*number, range.timeline, object->size, object->modified});
    }
  }
  // Newer timelines came first, and a stable sort keeps them before older copies of one number.
  std::stable_sort(path.steps.begin(), path.steps.end(),
                   [](const WalStep& a, const WalStep& b) { return a.number < b.number; });
  path.steps.erase(
      std::unique(path.steps.begin(), path.steps.end(),
                  [](const WalStep& a, const WalStep& b) { return a.number == b.number; }),
      path.steps.end());
  return path;
}

std::optional<std::uint64_t> first_missing(const WalPath& path, std::uint64_t from,
                                           std::uint64_t to) {
  for (std::uint64_t number = from; number <= to; ++number) {
    if (path.find(number) == nullptr) return number;
  }
  return std::nullopt;
}

}  // namespace rad::wal_e
