// SQL of the lists that must stay fast whatever the length of the history; apart, so that a test
// can ask SQLite how it would carry them out. Not for use outside agent/store.
#pragma once

#include <string>
#include <string_view>

#include "agent/store/values.h"

namespace rad::store {

/// Columns of a whole report.
inline constexpr std::string_view kReportColumns =
    "id, target, schedule, depth, created_at, ended_at, verdict, cleanup, report";
/// Columns of a RunSummary: none of them lies beyond the report.
inline constexpr std::string_view kSummaryColumns =
    "id, target, schedule, depth, created_at, ended_at, verdict, cleanup, reason, requested_by, "
    "backup, bytes_read, bytes_restored, as_configured, slot";

/// Parameters: 1 target, 2 schedule, 3 depth, 4 verdict (as far as the filter has them), 5 and 6
/// creation time and id of the run to list on from, 7 limit.
std::string list_sql(std::string_view columns, const RunFilter& filter);

/// Parameter 1: the time.
std::string since_sql();

/// Parameters 1 and 2: from when until before when the runs were created. Of each target the newest
/// restore that passed: target, id, and in milliseconds measured RTO and RPO and their targets.
std::string measured_sql();

/// Runs without an end, oldest first, with kReportColumns.
std::string unfinished_sql();

/// kReportColumns of the last ended runs, and last_success.
std::string latest_sql();

}  // namespace rad::store
