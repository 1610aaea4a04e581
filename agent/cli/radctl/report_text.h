// The summary of a month: what is proved of every target, as values and as Markdown. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/cli/radctl/json_view.h"

namespace rad::radctl {

struct Period {
  std::string title;  ///< "November 2026", "21 Oct to 21 Nov 2026"
  TimePoint from{};
  TimePoint to{};  ///< not included
};

/// \param month "2026-11". \return nothing for another text.
std::optional<Period> month_of(const std::string& month);
/// The 31 days before `now`.
Period last_days(TimePoint now);

struct Summary {
  Period period;
  TimePoint made_at{};
  std::string version;  ///< of the agent
  /// Objects: {"name", "restore", "verify", "inspect", "runs", "failures", "missed"}; see
  /// summarize().
  boost::json::array targets;
  /// What rotations and targets that are no longer configured have missed; see missed_by_others().
  boost::json::array missed;
};

/// One target: at each depth the newest pass and its age at the end of the period, how often it ran
/// with which verdict, and what failed.
/// \param runs    of the period, newest first, as RunSummary
/// \param reports by run id: what restores that passed have measured, as MeasuredRestore
boost::json::object summarize(JsonView target, const std::vector<JsonView>& runs,
                              const std::vector<JsonView>& missed, const Period& period,
                              const std::map<std::string, boost::json::object>& reports);

/// Those of the missed times that summarize() counts for none of these targets.
boost::json::array missed_by_others(JsonView targets, const std::vector<JsonView>& missed);

std::string report_markdown(const Summary& summary);

}  // namespace rad::radctl
