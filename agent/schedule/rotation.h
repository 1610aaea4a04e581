// Whose turn it is in a rotation. Pure.
//
// A round gives every member one turn. A member that is added takes its turn in the round that goes
// on, one that is removed has none, one that is paused or busy lets others pass and comes later in
// the round; a round in which only paused ones are left is over. A turn is used up by a run,
// whatever its verdict (a target whose backup cannot be judged must not keep the others from
// theirs); a slot that nobody could use takes no turn away.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/config/config.h"
#include "agent/schedule/standing.h"

namespace rad {

/// How far a rotation has come; kept in the store.
struct RotationProgress {
  std::string rotation;
  std::uint64_t round = 0;
  std::vector<std::string> done;  ///< had their turn in this round; may name targets that are gone
  std::optional<TimePoint> last_slot;  ///< that `done` has been told of
  friend bool operator==(const RotationProgress&, const RotationProgress&) = default;
};

/// The members in the order of their turns in this round: as configured, or shuffled by a hash of
/// rotation, round and name, so that adding one does not change the order of the others.
std::vector<std::string> turns(const RotationConfig& rotation, std::uint64_t round);

/// \param may_run asked for members in their order: false if paused
/// \param is_free false if another run holds the target
/// \return the member whose turn it is, also if none is free (the first then); nothing if all are
///   paused. Begins a new round in `cursor` if this one is over.
std::optional<std::string> choose_member(const RotationConfig& rotation, RotationProgress& cursor,
                                         const std::function<bool(const std::string&)>& may_run,
                                         const std::function<bool(const std::string&)>& is_free);

/// Notes the turns that were used. What it has been told already changes nothing; a last slot in
/// the future is a clock's that ran ahead, and is forgotten.
void note_ended(RotationProgress& cursor, const std::vector<EndedSlot>& ended, TimePoint now);

/// How much of a fleet is known to be good or bad.
struct Coverage {
  std::size_t members = 0;
  std::size_t in_round = 0;  ///< had their turn in this round
  /// Passed or failed at the rotation's depth or deeper, by whatever run, within as many slots as
  /// there are members: the ratio is 1 as long as the rotation keeps up.
  std::size_t proved = 0;
  double ratio = 0;  ///< proved / members
};

/// The instant from which on a pass or fail counts for Coverage::proved.
TimePoint coverage_since(const PlannedSchedule& rotation, std::size_t members, TimePoint now);

/// \param last_answer when the last run of a target at a depth or deeper began that passed or
///   failed; nothing if none ever did
Coverage coverage(
    const PlannedSchedule& planned, const RotationConfig& rotation, const RotationProgress& cursor,
    const std::function<std::optional<TimePoint>(const std::string&, Depth)>& last_answer,
    TimePoint now);

}  // namespace rad
