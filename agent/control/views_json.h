// The views of the daemon and the rows of the store as JSON, as openapi.yaml has them.
#pragma once

#include <string>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "agent/model/operations.h"
#include "agent/model/plugin_schema.h"
#include "agent/model/run_summary.h"
#include "agent/run/daemon_views.h"

namespace rad {

boost::json::object to_json(const LiveRun& run);
boost::json::object to_json(const WaitingRun& run);
boost::json::object to_json(const Pause& pause);
boost::json::object to_json(const ScheduleView& schedule);
boost::json::object to_json(const MissedSlot& missed);
boost::json::object to_json(const ProofView& proof);
boost::json::object to_json(const TargetView& target);
boost::json::object to_json(const RunSummary& run);
boost::json::object to_json(const MeasuredRestore& restore);
boost::json::object to_json(const LogLine& line);
boost::json::object to_json(const AuditEntry& entry);
boost::json::object to_json(const PluginSchema& plugin);
/// \param with_command  whether the reader may connect to the instance
boost::json::object to_json(const HoldView& hold, bool with_command);
boost::json::object to_json(const StatusView& status, bool with_commands);

template <class T>
boost::json::array to_json_list(const std::vector<T>& members) {
  boost::json::array array;
  array.reserve(members.size());
  for (const T& member : members) array.emplace_back(to_json(member));
  return array;
}
boost::json::array to_json_list(const std::vector<HoldView>& holds, bool with_command);

/// Null for none.
boost::json::value optional_seconds(const std::optional<std::chrono::milliseconds>& duration);

}  // namespace rad
