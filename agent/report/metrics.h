// Everything Prometheus is told, from plain values: docs/reference/metrics.md lists the series and
// is generated from the same table. The only user of prometheus-cpp is metrics.cc.
//
// All series exist from the start, so that absent never means healthy: what was never measured is
// NaN for a result or duration and 0 for a timestamp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/model/counters.h"

namespace rad {

/// One configured schedule. "manual" is added for every target and depth by render_metrics().
struct MetricsSchedule {
  std::string name;
  Depth depth = Depth::restore;
  std::optional<TimePoint> next_run;
  std::optional<std::chrono::milliseconds> expected_interval;
  bool paused = false;
  bool rotates = false;  ///< what is missed of it is told under the rotation's name
};

/// One configured target.
struct MetricsTarget {
  std::string name;
  std::vector<MetricsSchedule> schedules;
  std::vector<std::string> checks;  ///< names of the configured checks
  std::optional<std::chrono::milliseconds> rto;
  std::optional<std::chrono::milliseconds> rpo;
  bool run_in_progress = false;
  bool untestable = false;         ///< no run of it can begin now
  std::optional<double> coverage;  ///< of the rotation that it is in
};

struct MetricsOpenIssue {
  std::string target;
  Depth depth = Depth::restore;
};

/// Everything that is told. What names a target, schedule or reporter that is not configured (any
/// more) is left out, so that a removed target raises no alarm for ever.
struct MetricsInput {
  std::string version;
  std::vector<MetricsTarget> targets;
  std::vector<std::string> rotations;
  std::vector<std::string> reporters;  ///< names of all configured ones
  std::vector<LatestRun> latest;       ///< see Store::latest_runs()
  Counters counters;
  std::vector<MetricsOpenIssue> open_issues;
  std::optional<TimePoint> scheduler_last_tick;
  bool config_last_reload_successful = true;
  std::optional<std::uint64_t> scratch_free_bytes;
  std::uint64_t leftover_bytes = 0;  ///< on disk, of ended runs, not kept on purpose
  std::vector<MissedCount> missed;
  bool store_durable = true;
};

/// The text exposition format 0.0.4; series in a fixed order.
std::string render_metrics(const MetricsInput& input);
/// Content-Type of that text.
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// docs/reference/metrics.md, whole.
std::string metrics_reference();

}  // namespace rad
