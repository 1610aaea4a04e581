#include <limits>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/model/json.h"
#include "agent/store/queries.h"
#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::from_ms;
using store::Statement;
using store::to_ms;

/// The run as far as the columns tell. A record of an odd agent or one that somebody edited must
/// not keep the sweep from removing what the run left.
RunReport report_from_columns(const Statement& row, const std::string& why) {
  RunReport report;
  report.id = row.text(0);
  report.target = row.text(1);
  report.schedule = row.text(2);
  report.depth = parse_depth(row.text(3)).value_or(Depth::inspect);
  report.created_at = from_ms(row.integer(4));
  report.ended_at = from_ms(row.optional_integer(5));
  report.verdict = parse_verdict(row.text(6));
  report.cleanup = parse_cleanup_result(row.text(7)).value_or(CleanupResult::pending);
  report.findings.push_back(Finding{
      .code = "record_unreadable",
      .message = fmt::format("the rest of the run's record in the store cannot be read: {}", why),
      .object = report.id});
  return report;
}

RunReport read_run(const Statement& row) {
  auto value = json::parse(row.text(8), "record of a run");
  if (!value) return report_from_columns(row, value.error().message);
  if (!value->is_object()) return report_from_columns(row, "it is not a JSON object");
  auto report = run_report_from_json(value->as_object());
  if (!report) return report_from_columns(row, report.error().message);
  return *std::move(report);
}

Result<std::vector<RunReport>> read_runs(Statement& statement) {
  std::vector<RunReport> runs;
  while (true) {
    RAD_TRY(const bool row, statement.step());
    if (!row) return runs;
    runs.push_back(read_run(statement));
  }
}

RunSummary read_summary(const Statement& row) {
  return {.id = row.text(0),
          .target = row.text(1),
          .schedule = row.text(2),
          .depth = parse_depth(row.text(3)).value_or(Depth::inspect),
          .requested_by = row.text(9),
          .as_configured = row.integer(13) != 0,
          .backup = row.text(10),
          .created_at = from_ms(row.integer(4)),
          .ended_at = from_ms(row.optional_integer(5)),
          .verdict = parse_verdict(row.text(6)),
          .reason = parse_reason(row.text(8)),
          .cleanup = parse_cleanup_result(row.text(7)).value_or(CleanupResult::pending),
          .bytes_read = static_cast<std::uint64_t>(row.integer(11)),
          .bytes_restored = static_cast<std::uint64_t>(row.integer(12)),
          .slot = from_ms(row.optional_integer(14))};
}

Result<std::vector<RunSummary>> read_summaries(Statement& statement) {
  std::vector<RunSummary> runs;
  RAD_CHECK(store::each_row(statement, [&](const Statement& row) -> Status {
    runs.push_back(read_summary(row));
    return {};
  }));
  return runs;
}

/// The statement that lists what the filter asks for.
Result<Statement> prepare_list(store::Database& database, std::string_view columns,
                               const RunFilter& filter) {
  std::int64_t before = std::numeric_limits<std::int64_t>::max();
  if (!filter.before.empty()) {
    RAD_TRY(auto find, database.prepare("SELECT created_at FROM runs WHERE id = ?1"));
    find.bind(1, filter.before);
    RAD_TRY(const bool row, find.step());
    if (!row) {
      return fail(Reason::config_invalid,
                  fmt::format("run '{}' to list on from is not in the store", filter.before),
                  "list from the start: it has been removed meanwhile, or never was");
    }
    before = find.integer(0);
  }
  RAD_TRY(auto list, database.prepare(store::list_sql(columns, filter)));
  if (!filter.target.empty()) list.bind(1, filter.target);
  if (!filter.schedule.empty()) list.bind(2, filter.schedule);
  if (filter.depth) list.bind(3, to_string(*filter.depth));
  if (filter.verdict) list.bind(4, to_string(*filter.verdict));
  list.bind(5, before).bind(6, filter.before).bind(7, static_cast<std::int64_t>(filter.limit));
  return list;
}

}  // namespace

Result<std::vector<RunReport>> Store::unfinished_runs() {
  RAD_TRY(auto find, impl_->database.prepare(store::unfinished_sql()));
  return read_runs(find);
}

Result<std::optional<RunReport>> Store::load_run(const std::string& id) {
  RAD_TRY(auto find, impl_->database.prepare(
                         fmt::format("SELECT {} FROM runs WHERE id = ?1", store::kReportColumns)));
  find.bind(1, id);
  RAD_TRY(const bool row, find.step());
  return row ? std::optional(read_run(find)) : std::nullopt;
}

Result<std::vector<RunReport>> Store::list_runs(const RunFilter& filter) {
  RAD_TRY(auto list, prepare_list(impl_->database, store::kReportColumns, filter));
  return read_runs(list);
}

Result<std::vector<RunSummary>> Store::list_summaries(const RunFilter& filter) {
  RAD_TRY(auto list, prepare_list(impl_->database, store::kSummaryColumns, filter));
  return read_summaries(list);
}

Result<std::vector<RunSummary>> Store::runs_since(TimePoint since) {
  RAD_TRY(auto list, impl_->database.prepare(store::since_sql()));
  list.bind(1, to_ms(since));
  return read_summaries(list);
}

Result<std::vector<MeasuredRestore>> Store::measured_restores(TimePoint from, TimePoint to) {
  RAD_TRY(auto list, impl_->database.prepare(store::measured_sql()));
  list.bind(1, to_ms(from)).bind(2, to_ms(to));
  std::vector<MeasuredRestore> restores;
  RAD_CHECK(store::each_row(list, [&](const Statement& row) -> Status {
    const auto time = [&row](int column) {
      const auto number = row.optional_integer(column);
      return number ? std::optional(std::chrono::milliseconds(*number)) : std::nullopt;
    };
    restores.push_back({.target = row.text(0),
                        .run_id = row.text(1),
                        .measured_rto = time(2),
                        .measured_rpo = time(3),
                        .rto_target = time(4),
                        .rpo_target = time(5)});
    return {};
  }));
  return restores;
}

Result<std::vector<LatestRun>> Store::latest_runs(std::optional<TimePoint> now) {
  RAD_TRY(auto find, impl_->database.prepare(store::latest_sql()));
  std::vector<LatestRun> latest;
  std::unordered_map<std::string, Impl::ReadReport> read;
  auto before = std::exchange(impl_->latest, {});
  RAD_CHECK(store::each_row(find, [&](const Statement& row) -> Status {
    const std::size_t hash = std::hash<std::string>()(row.text(8));
    const auto known = before.find(row.text(0));
    const bool same = known != before.end() && known->second.hash == hash;
    const auto entry = read.try_emplace(
        row.text(0),
        Impl::ReadReport{hash, same ? std::move(known->second.report) : read_run(row)});
    std::optional<TimePoint> success = from_ms(row.optional_integer(9));
    if (now && success && *success > *now + std::chrono::hours(1)) success.reset();
    latest.push_back({.report = entry.first->second.report, .last_success = success});
    return {};
  }));
  impl_->latest = std::move(read);
  return latest;
}

Result<std::optional<TimePoint>> Store::last_pass(const std::string& target, Depth depth) {
  RAD_TRY(auto find, impl_->database.prepare("SELECT depth, last_success FROM latest_runs "
                                             "WHERE target = ?1 AND last_success IS NOT NULL"));
  find.bind(1, target);
  std::optional<TimePoint> newest;
  while (true) {
    RAD_TRY(const bool row, find.step());
    if (!row) return newest;
    const auto proved = parse_depth(find.text(0));
    const TimePoint at = from_ms(find.integer(1));
    if (proved && *proved >= depth && (!newest || at > *newest)) newest = at;
  }
}

}  // namespace rad
