// Which segments recovery will read, in which order, and what is missing among them. Pure: works on
// a listing and the texts of timeline histories.
//
// The rules are those of PostgreSQL's recovery with recovery_target_timeline = latest: newer
// timelines are looked for one number after the other until a history file is missing, and a
// segment that holds a switch is read from the newer timeline.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/store_layout.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

using Histories = std::map<std::uint32_t, std::vector<TimelineSwitch>>;

/// The timeline that recovery ends on and how it descends from the backup's.
struct TimelinePlan {
  std::uint32_t timeline = 0;
  std::vector<TimelineSwitch> ancestry;  ///< oldest first; those before `timeline`
  std::vector<std::uint32_t> strangers;  ///< newer timelines in the store that do not descend
  std::optional<Error> missing_history;  ///< wal_gap naming the object
  bool own_history_missing = false;      ///< the backup's own timeline > 1 has no history
};

/// \param histories  parsed, of every timeline in the listing that is newer than the backup's
TimelinePlan plan_timelines(const WalListing& wal, const Histories& histories,
                            std::uint32_t backup_timeline, Lsn backup_start,
                            std::uint64_t segment_bytes);

struct WalStep {
  std::uint64_t number = 0;  ///< of the segment
  std::uint32_t timeline = 0;
  std::uint64_t size = 0;  ///< as stored
  TimePoint modified{};
};

/// The segments to read, ascending, one a number; numbers that are missing are not in it.
struct WalPath {
  std::uint64_t segment_bytes = kDefaultSegmentBytes;
  std::uint64_t first = 0;  ///< number of the segment that recovery begins with
  std::vector<WalStep> steps;
  std::vector<TimelineSwitch> ancestry;
  std::uint32_t timeline = 0;

  SegmentName name(const WalStep& step) const;
  object_store::ObjectInfo object(const WalStep& step) const;
  const WalStep* find(std::uint64_t number) const;
  /// The segment that recovery asks for when it wants `number`: with the timeline valid there.
  SegmentName expected_name(std::uint64_t number) const;
  std::uint64_t stored_bytes() const;
};

WalPath follow(const WalListing& wal, const TimelinePlan& plan, std::uint32_t backup_timeline,
               std::uint64_t first, std::uint64_t segment_bytes);

/// The first number in [from, to] that the path lacks.
std::optional<std::uint64_t> first_missing(const WalPath& path, std::uint64_t from,
                                           std::uint64_t to);

}  // namespace rad::wal_e
