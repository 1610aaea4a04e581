// From configuration and store to what /metrics says.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/base/off_loop.h"
#include "agent/config/config.h"
#include "agent/model/plugin_schema.h"
#include "agent/report/metrics.h"
#include "agent/run/daemon_views.h"
#include "agent/store/store.h"

namespace rad {

/// What only the daemon knows.
struct DaemonState {
  std::optional<TimePoint> last_tick;
  bool config_reload_ok = true;
  bool store_in_trouble = false;
  std::uint64_t leftover_bytes = 0;  ///< see leftover_bytes()
  std::vector<ScheduleView> schedules;
  std::map<std::string, double> coverage;  ///< by target
  std::set<std::string> untestable;        ///< targets of which no run can begin now
  /// Runs that a killed agent left and that are being put right: their locks are held, by us.
  std::map<std::string, std::string> swept;
};

/// Bytes on disk of runs that have ended and were not kept on purpose. Walks what is left, so the
/// caller asks now and then, not at each scrape.
boost::asio::awaitable<Result<std::uint64_t>> leftover_bytes(OffLoop& off_loop, Store& store,
                                                             std::filesystem::path state_dir,
                                                             TimePoint now);

/// Everything a scrape tells, read from the store and the issue directories anew, so that runs of
/// `rad-agent run` beside the daemon and issues closed by hand are in it too. \return the store's
/// error.
Result<MetricsInput> gather_metrics(const Config& config, const PluginSchemas& plugins,
                                    Store& store, const DaemonState& state);

}  // namespace rad
