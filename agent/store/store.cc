#include "agent/store/store.h"

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/model/json.h"
#include "agent/store/schema.h"
#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::Database;
using store::from_ms;
using store::Statement;
using store::to_ms;
using store::Transaction;

constexpr std::string_view kRunColumns =
    "id, target, schedule, depth, created_at, ended_at, verdict, cleanup, report";

std::string_view verdict_name(const RunReport& report) {
  return report.verdict ? to_string(*report.verdict) : std::string_view();
}

std::string_view reason_name(const RunReport& report) {
  return report.cause ? to_string(report.cause->reason) : std::string_view();
}

void bind_run(Statement& statement, const RunReport& report, bool ended) {
  statement.bind(1, report.id)
      .bind(2, report.target)
      .bind(3, report.schedule)
      .bind(4, to_string(report.depth))
      .bind(5, to_ms(report.created_at))
      .bind(6, ended ? to_ms(report.ended_at) : std::nullopt)
      .bind(7, verdict_name(report))
      .bind(8, reason_name(report))
      .bind(9, to_string(report.cleanup))
      .bind(10, boost::json::serialize(to_json(report)));
}

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

/// \return whether the run is known and, if so, whether it has ended.
Result<std::optional<bool>> find_ended(Database& database, const std::string& id) {
  RAD_TRY(auto find, database.prepare("SELECT ended_at IS NOT NULL FROM runs WHERE id = ?1"));
  find.bind(1, id);
  RAD_TRY(const bool row, find.step());
  return row ? std::optional(find.integer(0) != 0) : std::nullopt;
}

/// Only end_run() ends a run in the store, whatever the report says already.
Status write_run(Database& database, const RunReport& report, bool ended) {
  RAD_TRY(auto write, database.prepare(R"sql(
INSERT INTO runs (id, target, schedule, depth, created_at, ended_at, verdict, reason, cleanup, report)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, ''), nullif(?8, ''), ?9, ?10)
ON CONFLICT (id) DO UPDATE SET target = ?2, schedule = ?3, depth = ?4, created_at = ?5,
  ended_at = ?6, verdict = nullif(?7, ''), reason = nullif(?8, ''), cleanup = ?9, report = ?10)sql"));
  bind_run(write, report, ended);
  return write.run();
}

/// A run that ends late (the sweep after a crash ends it) must not displace a newer one.
Status remember_as_latest(Database& database, const RunReport& report) {
  RAD_TRY(auto write, database.prepare(R"sql(
INSERT INTO latest_runs (target, schedule, depth, run_id, created_at, last_success)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (target, schedule, depth) DO UPDATE SET
  run_id = CASE WHEN excluded.created_at >= created_at THEN excluded.run_id ELSE run_id END,
  last_success = nullif(max(ifnull(last_success, 0), ifnull(excluded.last_success, 0)), 0),
  created_at = max(created_at, excluded.created_at))sql"));
  const bool passed = report.verdict == Verdict::pass;
  write.bind(1, report.target)
      .bind(2, report.schedule)
      .bind(3, to_string(report.depth))
      .bind(4, report.id)
      .bind(5, to_ms(report.created_at))
      .bind(6, passed ? to_ms(report.ended_at) : std::nullopt);
  return write.run();
}

Status count_run(Database& database, const RunReport& report) {
  RAD_TRY(auto runs, database.prepare(R"sql(
INSERT INTO run_counts (target, schedule, depth, verdict, count) VALUES (?1, ?2, ?3, ?4, 1)
ON CONFLICT (target, schedule, depth, verdict) DO UPDATE SET count = count + 1)sql"));
  runs.bind(1, report.target)
      .bind(2, report.schedule)
      .bind(3, to_string(report.depth))
      .bind(4, verdict_name(report));
  RAD_CHECK(runs.run());

  // That somebody stopped a run is no failure of anything.
  const bool failed = report.verdict == Verdict::fail || report.verdict == Verdict::inconclusive;
  if (failed && report.cause) {
    RAD_TRY(auto failures, database.prepare(R"sql(
INSERT INTO failure_counts (target, reason, count) VALUES (?1, ?2, 1)
ON CONFLICT (target, reason) DO UPDATE SET count = count + 1)sql"));
    failures.bind(1, report.target).bind(2, reason_name(report));
    RAD_CHECK(failures.run());
  }

  RAD_TRY(auto bytes, database.prepare(R"sql(
INSERT INTO byte_counts (target, read, restored) VALUES (?1, ?2, ?3)
ON CONFLICT (target) DO UPDATE SET
  read = read + excluded.read, restored = restored + excluded.restored)sql"));
  bytes.bind(1, report.target)
      .bind(2, static_cast<std::int64_t>(report.bytes_read))
      .bind(3, static_cast<std::int64_t>(report.bytes_restored));
  return bytes.run();
}

Error unknown_run(const RunReport& report, std::string_view what) {
  return fail(Reason::internal_error, fmt::format("run '{}' {}", report.id, what));
}

}  // namespace

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::open(const std::filesystem::path& path, StoreOptions options) {
  RAD_TRY(auto database, Database::open(path, options.busy_timeout));
  RAD_CHECK(store::migrate(database));
  return Store(std::make_unique<Impl>(Impl{std::move(database)}));
}

Status Store::begin_run(const RunReport& report) {
  RAD_TRY(auto transaction, Transaction::begin(impl_->database));
  RAD_TRY(const auto ended, find_ended(impl_->database, report.id));
  if (ended) return unknown_run(report, "is in the store already");
  RAD_CHECK(write_run(impl_->database, report, false));
  return transaction.commit();
}

Status Store::update_run(const RunReport& report) {
  RAD_TRY(auto transaction, Transaction::begin(impl_->database));
  RAD_TRY(const auto ended, find_ended(impl_->database, report.id));
  if (!ended) return unknown_run(report, "is not in the store");
  if (*ended) return unknown_run(report, "has ended, its record cannot change any more");
  RAD_CHECK(write_run(impl_->database, report, false));
  return transaction.commit();
}

Status Store::end_run(const RunReport& report) {
  if (!report.verdict || !report.ended_at) {
    return unknown_run(report, "cannot end without a verdict and an end");
  }
  RAD_TRY(auto transaction, Transaction::begin(impl_->database));
  RAD_TRY(const auto ended, find_ended(impl_->database, report.id));
  RAD_CHECK(write_run(impl_->database, report, true));
  if (!ended.value_or(false)) {
    RAD_CHECK(remember_as_latest(impl_->database, report));
    RAD_CHECK(count_run(impl_->database, report));
  }
  return transaction.commit();
}

Result<std::vector<RunReport>> Store::unfinished_runs() {
  RAD_TRY(auto find,
          impl_->database.prepare(fmt::format(
              "SELECT {} FROM runs WHERE ended_at IS NULL ORDER BY created_at, id", kRunColumns)));
  return read_runs(find);
}

Result<std::optional<RunReport>> Store::load_run(const std::string& id) {
  RAD_TRY(auto find,
          impl_->database.prepare(fmt::format("SELECT {} FROM runs WHERE id = ?1", kRunColumns)));
  find.bind(1, id);
  RAD_TRY(const bool row, find.step());
  return row ? std::optional(read_run(find)) : std::nullopt;
}

Result<std::vector<RunReport>> Store::list_runs(const RunFilter& filter) {
  std::string sql = fmt::format("SELECT {} FROM runs WHERE true", kRunColumns);
  if (!filter.target.empty()) sql += " AND target = ?1";
  if (!filter.schedule.empty()) sql += " AND schedule = ?2";
  if (filter.depth) sql += " AND depth = ?3";
  if (filter.verdict) sql += " AND verdict = ?4";
  if (filter.ended_only) sql += " AND ended_at IS NOT NULL";
  sql += " ORDER BY created_at DESC, id DESC LIMIT ?5";
  RAD_TRY(auto find, impl_->database.prepare(sql));
  if (!filter.target.empty()) find.bind(1, filter.target);
  if (!filter.schedule.empty()) find.bind(2, filter.schedule);
  if (filter.depth) find.bind(3, to_string(*filter.depth));
  if (filter.verdict) find.bind(4, to_string(*filter.verdict));
  find.bind(5, static_cast<std::int64_t>(filter.limit));
  return read_runs(find);
}

Result<std::vector<LatestRun>> Store::latest_runs() {
  RAD_TRY(auto find, impl_->database.prepare(R"sql(
SELECT runs.id, runs.target, runs.schedule, runs.depth, runs.created_at, ended_at, verdict, cleanup,
       report, last_success
FROM latest_runs JOIN runs ON runs.id = run_id
ORDER BY latest_runs.target, latest_runs.schedule, latest_runs.depth)sql"));
  std::vector<LatestRun> latest;
  while (true) {
    RAD_TRY(const bool row, find.step());
    if (!row) return latest;
    latest.push_back({.report = read_run(find), .last_success = from_ms(find.optional_integer(9))});
  }
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
