#include "agent/store/queries.h"

#include <fmt/format.h>

namespace rad::store {

std::string list_sql(std::string_view columns, const RunFilter& filter) {
  std::string sql = fmt::format("SELECT {} FROM runs WHERE (created_at, id) < (?5, ?6)", columns);
  if (!filter.target.empty()) sql += " AND target = ?1";
  // The plus keeps the index of verdicts from being taken where that of the target serves better.
  if (!filter.schedule.empty()) sql += " AND schedule = ?2";
  if (filter.depth) sql += " AND depth = ?3";
  if (filter.verdict) sql += filter.target.empty() ? " AND verdict = ?4" : " AND +verdict = ?4";
  if (filter.ended_only) sql += " AND +ended_at IS NOT NULL";
  return sql + " ORDER BY created_at DESC, id DESC LIMIT ?7";
}

std::string since_sql() {
  return fmt::format("SELECT {} FROM runs WHERE created_at >= ?1 ORDER BY created_at, id",
                     kSummaryColumns);
}

std::string measured_sql() {
  // Which runs is told by the columns before the report; only theirs are read.
  constexpr std::string_view kSeconds =
      "CAST(round(1000 * json_extract(CASE WHEN json_valid(report) THEN report ELSE '{{}}' END, "
      "'$.{}')) AS INTEGER)";
  return fmt::format(
      R"sql(
SELECT target, id, {}, {}, {}, {}
FROM runs WHERE id IN (
  SELECT id FROM (SELECT id, max(created_at) FROM runs
    WHERE created_at >= ?1 AND created_at < ?2 AND depth = 'restore' AND +verdict = 'pass'
    GROUP BY target))
ORDER BY target)sql",
      fmt::format(kSeconds, "measured_rto_seconds"), fmt::format(kSeconds, "measured_rpo_seconds"),
      fmt::format(kSeconds, "rto_target_seconds"), fmt::format(kSeconds, "rpo_target_seconds"));
}

std::string unfinished_sql() {
  return fmt::format("SELECT {} FROM runs WHERE ended_at IS NULL ORDER BY created_at, id",
                     kReportColumns);
}

std::string latest_sql() {
  return R"sql(
SELECT runs.id, runs.target, runs.schedule, runs.depth, runs.created_at, ended_at, verdict, cleanup,
       report, last_success
FROM latest_runs CROSS JOIN runs ON runs.id = run_id
ORDER BY latest_runs.target, latest_runs.schedule, latest_runs.depth)sql";
}

}  // namespace rad::store
