#include <chrono>

#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/model/json.h"
#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::Database;
using store::Statement;
using store::to_ms;
using store::Transaction;

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
      .bind(10, report.requested_by)
      .bind(11, report.backup.name)
      .bind(12, static_cast<std::int64_t>(report.bytes_read))
      .bind(13, static_cast<std::int64_t>(report.bytes_restored))
      .bind(14, boost::json::serialize(to_json(report)))
      .bind(15,
            std::int64_t{report.requested_backup.empty() && report.requested_recover_to.empty()});
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
INSERT INTO runs (id, target, schedule, depth, created_at, ended_at, verdict, reason, cleanup,
  requested_by, backup, bytes_read, bytes_restored, report, as_configured)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, nullif(?7, ''), nullif(?8, ''), ?9, ?10, ?11, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO UPDATE SET target = ?2, schedule = ?3, depth = ?4, created_at = ?5,
  ended_at = ?6, verdict = nullif(?7, ''), reason = nullif(?8, ''), cleanup = ?9,
  requested_by = ?10, backup = ?11, bytes_read = ?12, bytes_restored = ?13, report = ?14,
  as_configured = ?15)sql"));
  bind_run(write, report, ended);
  return write.run();
}

/// What lies further ahead than this of a run that ends now is of a clock that was wrong.
constexpr std::chrono::hours kTrustedAhead{1};

/// A run that ends late (the sweep after a crash ends it) must not displace a newer one. A run of a
/// clock that was ahead must not stand for all that come before its time. Which clock was wrong,
/// the earlier or this one, nobody can tell: a proof is therefore replaced only by another one, and
/// a run that ended before it was made trusts no clock.
Status remember_as_latest(Database& database, const RunReport& report) {
  RAD_TRY(auto write, database.prepare(R"sql(
INSERT INTO latest_runs (target, schedule, depth, run_id, created_at, last_success, last_pass_id)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?6 IS NULL, '', ?4))
ON CONFLICT (target, schedule, depth) DO UPDATE SET
  run_id = CASE WHEN excluded.created_at >= created_at OR created_at > ?7
    THEN excluded.run_id ELSE run_id END,
  last_pass_id = CASE WHEN excluded.last_success >= ifnull(last_success, 0) OR (last_success > ?7 AND ?6 IS NOT NULL)
    THEN excluded.last_pass_id ELSE last_pass_id END,
  last_success = nullif(max(iif(last_success > ?7 AND ?6 IS NOT NULL, 0, ifnull(last_success, 0)),
    ifnull(excluded.last_success, 0)), 0),
  created_at = iif(created_at > ?7, excluded.created_at,
    max(created_at, excluded.created_at)))sql"));
  const bool passed = report.verdict == Verdict::pass;
  // Nothing lies further ahead than the end of time.
  const TimePoint ahead =
      *report.ended_at < report.created_at ? TimePoint::max() : *report.ended_at + kTrustedAhead;
  write.bind(1, report.target)
      .bind(2, report.schedule)
      .bind(3, to_string(report.depth))
      .bind(4, report.id)
      .bind(5, to_ms(report.created_at))
      .bind(6, passed ? to_ms(report.ended_at) : std::nullopt)
      .bind(7, to_ms(ahead));
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

Status Store::begin_run(const RunReport& report, std::optional<TimePoint> slot) {
  if (!impl_->durable && report.depth == Depth::restore) {
    return fail(Reason::host_unfit,
                fmt::format("run '{}' would restore while the store cannot be written: after a "
                            "reboot nobody would know what to remove",
                            report.id),
                "put the store right (the agent's log says what is wrong with it); depths inspect "
                "and verify go on meanwhile",
                impl_->database.path());
  }
  RAD_TRY(auto transaction, Transaction::begin(impl_->database));
  RAD_TRY(const auto ended, find_ended(impl_->database, report.id));
  if (ended) return unknown_run(report, "is in the store already");
  RAD_CHECK(write_run(impl_->database, report, false));
  if (slot) {
    RAD_TRY(auto note, impl_->database.prepare("UPDATE runs SET slot = ?2 WHERE id = ?1"));
    note.bind(1, report.id).bind(2, to_ms(*slot));
    RAD_CHECK(note.run());
  }
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

}  // namespace rad
