#include "agent/report/metrics_table.h"

#include <array>
#include <string>

#include <fmt/format.h>

#include "agent/report/metrics.h"

namespace rad {
namespace {

constexpr auto kGauge = MetricKind::gauge;
constexpr auto kCounter = MetricKind::counter;

constexpr std::array kTable{
    MetricRow{Metric::build_info, "rad_build_info", kGauge, "version",
              "Always 1; the version of the agent."},
    MetricRow{Metric::config_last_reload_successful, "rad_config_last_reload_successful", kGauge,
              "", "Whether the configuration was read without error the last time (1) or not (0)."},
    MetricRow{Metric::scheduler_last_tick, "rad_scheduler_last_tick_timestamp_seconds", kGauge, "",
              "When the scheduler last looked for work; it stands still if the scheduler has "
              "stopped."},
    MetricRow{Metric::next_run, "rad_next_run_timestamp_seconds", kGauge, "target,schedule,depth",
              "When the schedule is due next, 0 if it is not known."},
    MetricRow{Metric::expected_interval, "rad_expected_interval_seconds", kGauge,
              "target,schedule,depth",
              "Longest time between two due instants of the schedule, NaN if it is not known."},
    MetricRow{Metric::run_in_progress, "rad_run_in_progress", kGauge, "target",
              "Whether a run of the target is going on (1) or not (0)."},
    MetricRow{Metric::runs_total, "rad_runs_total", kCounter, "target,schedule,depth,verdict",
              "Ended runs."},
    MetricRow{Metric::last_run, "rad_last_run_timestamp_seconds", kGauge, "target,schedule,depth",
              "End of the last run, 0 if there was none."},
    MetricRow{Metric::last_success, "rad_last_success_timestamp_seconds", kGauge,
              "target,schedule,depth",
              "End of the last run with verdict pass, 0 if there was none."},
    MetricRow{
        Metric::last_verdict, "rad_last_verdict", kGauge, "target,schedule,depth,verdict",
        "1 for the verdict of the last run, 0 for the others, NaN for all if there was none."},
    MetricRow{Metric::stage_duration, "rad_stage_duration_seconds", kGauge, "target,stage",
              "How long the stage took in the last run that came to its end, NaN if none did."},
    MetricRow{Metric::restore_duration, "rad_restore_duration_seconds", kGauge, "target",
              "Measured RTO: from the start to the answering instance, of the last restore, NaN if "
              "there was none."},
    MetricRow{Metric::rto_target, "rad_rto_target_seconds", kGauge, "target",
              "The RTO that is wanted, NaN if none is set."},
    MetricRow{Metric::backup_timestamp, "rad_backup_timestamp_seconds", kGauge, "target",
              "When the last tested backup ended at its source, 0 if it is not known."},
    MetricRow{Metric::recovery_point, "rad_recovery_point_timestamp_seconds", kGauge, "target",
              "Commit time of the last transaction that the last restore recovered, 0 if there was "
              "none."},
    MetricRow{Metric::rpo_target, "rad_rpo_target_seconds", kGauge, "target",
              "The RPO that is wanted, NaN if none is set."},
    MetricRow{Metric::check_passed, "rad_check_passed", kGauge, "target,check",
              "What the check found the last time it was asked: 1 pass, 0 fail, NaN if it gave no "
              "answer or was never asked."},
    MetricRow{Metric::check_skipped, "rad_check_skipped", kGauge, "target,check",
              "Whether the check was skipped or could not answer the last time it was asked (1) or "
              "answered (0), NaN if it was never asked."},
    MetricRow{Metric::bytes_read_total, "rad_bytes_read_total", kCounter, "target",
              "Bytes read from the storage of backups, as stored."},
    MetricRow{Metric::bytes_restored_total, "rad_bytes_restored_total", kCounter, "target",
              "Bytes of restored data written to scratch."},
    MetricRow{Metric::failures_total, "rad_failures_total", kCounter, "target,reason",
              "Ended runs with verdict fail or inconclusive, by their first cause."},
    MetricRow{
        Metric::cleanup_failed, "rad_cleanup_failed", kGauge, "target",
        "Whether the cleanup of the last run failed (1), so that restored data may lie on the "
        "host, or not (0)."},
    MetricRow{Metric::leftover_bytes, "rad_leftover_bytes", kGauge, "",
              "Bytes on this host of ended runs that are not kept on purpose."},
    MetricRow{Metric::scratch_free_bytes, "rad_scratch_free_bytes", kGauge, "",
              "Bytes free on the file system of scratch, NaN if it cannot be told."},
    MetricRow{Metric::report_errors_total, "rad_report_errors_total", kCounter, "reporter",
              "Reports that the reporter could not deliver."},
    MetricRow{Metric::issue_open, "rad_issue_open", kGauge, "target,depth",
              "Whether an issue is open for the target at this depth (1) or not (0)."},
    MetricRow{
        Metric::missed_runs_total, "rad_missed_runs_total", kCounter, "target,schedule",
        "Due instants of the schedule that no run answered; radctl schedule list says why. Of a "
        "rotation the target is its own name."},
    MetricRow{Metric::schedule_paused, "rad_schedule_paused", kGauge, "target,schedule",
              "Whether somebody has paused the schedule (1) or not (0)."},
    MetricRow{Metric::coverage_ratio, "rad_coverage_ratio", kGauge, "target",
              "Share of the members of the target's rotation that were proved good or bad as "
              "recently as the rotation promises, NaN if it is in none."},
    MetricRow{Metric::store_durable, "rad_store_durable", kGauge, "",
              "Whether what the agent remembers survives a reboot (1) or the store is in trouble "
              "(0): nothing is restored meanwhile, and radctl status says why."},
    MetricRow{Metric::untestable, "rad_untestable", kGauge, "target",
              "Whether no run of the target can begin now (1), because a plugin of it does not "
              "answer or the last attempt was refused: radctl status says why."},
};

consteval bool table_is_sound() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].metric) != i) return false;
    if (kTable[i].help.find_first_of("\\\n") != std::string_view::npos) return false;
  }
  return true;
}
static_assert(table_is_sound());

}  // namespace

std::span<const MetricRow> metric_table() noexcept {
  return kTable;
}

std::string metrics_reference() {
  std::string page =
      "# Metrics\n\n"
      "Generated from the table in `agent/report/metrics_table.cc`; a test compares the two.\n"
      "\n"
      "- Times are timestamps in seconds, not ages: `time() - x` gives the age.\n"
      "- All series of a configured target exist from the start, so that absent never means\n"
      "  healthy. What was never measured is `NaN` for a result or a duration and `0` for a\n"
      "  timestamp. Comparisons with `NaN` are never true: alert on the timestamps.\n"
      "- `schedule` is a name from the configuration, or `manual` for a run by hand.\n"
      "- What is proved is proved per depth: a pass of `verify` refreshes nothing of `restore`.\n"
      "- Targets, schedules and reporters that are no longer configured have no series.\n"
      "- No label ever holds a run id, a backup's name, a path or a text from a backup.\n"
      "\n"
      "| name | type | labels | meaning |\n"
      "|---|---|---|---|\n";
  for (const auto& row : kTable) {
    std::string labels;
    for (std::string_view rest = row.labels; !rest.empty();) {
      const std::size_t comma = rest.find(',');
      labels += fmt::format("{}`{}`", labels.empty() ? "" : ", ", rest.substr(0, comma));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
    page += fmt::format("| `{}` | {} | {} | {} |\n", row.name,
                        row.kind == MetricKind::counter ? "counter" : "gauge", labels, row.help);
  }
  return page;
}

}  // namespace rad
