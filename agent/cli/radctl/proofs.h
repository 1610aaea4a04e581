// What is proved of a target, read off the agent's answer; shared by status, target and report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/radctl/words.h"

namespace rad::radctl {

/// The depths, the one that proves most first.
inline constexpr std::string_view kDepths[] = {"restore", "verify", "inspect"};

/// The proof of one depth; empty if it was never tried.
JsonView proof_at(JsonView target, std::string_view depth);

enum class Standing {
  proved,    ///< every depth that was tried passed the last time
  doubtful,  ///< the last run of some depth could not tell, or was cancelled
  failed,    ///< the backup was at fault in the last run of some depth
  never,     ///< nothing was ever proved
};
Standing standing_of(JsonView target);

/// "proved 3h ago", "fail 2h ago, proved 3d ago", "never proved"
std::string proof_words(JsonView proof, TimePoint now);
/// Whether a schedule or an earlier run makes this depth a matter at all.
bool depth_matters(JsonView target, std::string_view depth);

/// Whether a row of a target's schedules is a rotation that the target is a member of.
bool is_rotation(JsonView schedule);
/// When this depth, or a deeper one, was last proved.
std::optional<TimePoint> proved_at_least(JsonView target, std::string_view depth);

/// One paragraph for a target that needs somebody, ends in a newline; "" for one that does not.
std::string trouble_words(JsonView target, const Look& look);

}  // namespace rad::radctl
