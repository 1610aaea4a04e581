// The one table of metrics: exposition and reference page are both made from it. Not for use
// outside agent/report.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace rad {

enum class Metric : std::uint8_t {
  build_info,
  config_last_reload_successful,
  scheduler_last_tick,
  next_run,
  expected_interval,
  run_in_progress,
  runs_total,
  last_run,
  last_success,
  last_verdict,
  stage_duration,
  restore_duration,
  rto_target,
  backup_timestamp,
  recovery_point,
  rpo_target,
  check_passed,
  check_skipped,
  bytes_read_total,
  bytes_restored_total,
  failures_total,
  cleanup_failed,
  leftover_bytes,
  scratch_free_bytes,
  report_errors_total,
  issue_open,
  missed_runs_total,
  schedule_paused,
  coverage_ratio,
  store_durable,
  untestable,
};

enum class MetricKind : std::uint8_t { gauge, counter };

/// One row. `labels` is separated by commas, in the order in which metrics.cc gives the values.
/// `help` must hold neither a backslash nor a newline: the serializer does not escape them.
struct MetricRow {
  Metric metric;
  std::string_view name;
  MetricKind kind;
  std::string_view labels;
  std::string_view help;
};

/// In the order of the enumeration.
std::span<const MetricRow> metric_table() noexcept;

}  // namespace rad
