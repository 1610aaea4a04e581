#include <algorithm>

#include <fmt/format.h>

#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::Database;
using store::Statement;
using store::to_ms;
using store::Transaction;

/// Rows of one transaction: a writer beside us waits for a few milliseconds only.
constexpr std::int64_t kBatch = 200;
/// Pages given back in one transaction, and how many free ones are not worth the effort.
constexpr std::int64_t kPageBatch = 256;
constexpr std::int64_t kFreePagesKept = 256;

/// What is done until the time is up.
struct Work {
  Database& database;
  TimePoint now;
  const Retention& retention;
  SteadyPoint deadline;
  PruneResult result;

  bool out_of_time() {
    if (SystemClock().steady_now() < deadline) return false;
    result.complete = false;
    return true;
  }
  std::int64_t cut(std::chrono::days age) const { return to_ms(now - age); }
};

/// Repeats a statement that removes at most kBatch (?1) rows until it removes none.
template <class Bind>
Status remove_in_batches(Work& work, std::string_view sql, std::uint64_t& removed, Bind bind) {
  while (!work.out_of_time()) {
    RAD_TRY(const int changed, store::change(work.database, sql, [&](Statement& statement) {
              statement.bind(1, kBatch);
              bind(statement);
            }));
    removed += static_cast<std::uint64_t>(changed);
    if (changed < kBatch) break;
  }
  return {};
}

/// An issue is built of the runs since it was opened; it is opened shortly after the first of them.
constexpr std::string_view kRemoveRuns = R"sql(
DELETE FROM runs WHERE id IN (
  SELECT id FROM runs AS run WHERE target = ?2 AND created_at < ?3 AND ended_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM latest_runs AS latest
      WHERE latest.target = run.target AND (latest.run_id = run.id OR last_pass_id = run.id))
    AND id NOT IN (SELECT run_id FROM latest_runs)
    AND id NOT IN (SELECT run_id FROM ledger)
    AND id NOT IN (SELECT run_id FROM holds)
    AND NOT EXISTS (SELECT 1 FROM issues WHERE issues.target = run.target AND open = 1
      AND (last_run_id = run.id OR (run.verdict <> 'pass' AND run.ended_at >= opened_at - 3600000)))
  ORDER BY created_at, id LIMIT ?1))sql";

/// Before which instant the target's runs may go.
Result<std::int64_t> run_limit(Work& work, const std::string& target) {
  const auto nth_newest = [&](std::size_t n) -> Result<std::optional<std::int64_t>> {
    RAD_TRY(auto find, work.database.prepare("SELECT created_at FROM runs WHERE target = ?1 "
                                             "ORDER BY created_at DESC LIMIT 1 OFFSET ?2"));
    find.bind(1, target).bind(2, static_cast<std::int64_t>(n == 0 ? 0 : n - 1));
    RAD_TRY(const bool row, find.step());
    return row ? std::optional(find.integer(0)) : std::nullopt;
  };
  std::int64_t limit = work.cut(work.retention.run_age);
  RAD_TRY(const auto most, nth_newest(work.retention.most_per_target));
  if (most) limit = std::max(limit, *most);
  RAD_TRY(const auto least, nth_newest(work.retention.least_per_target));
  return least ? std::min(limit, *least) : 0;
}

Status prune_runs(Work& work) {
  std::vector<std::string> targets;
  RAD_CHECK(store::each_row(work.database, R"sql(
WITH RECURSIVE next (target) AS (
  SELECT min(target) FROM runs
  UNION ALL
  SELECT (SELECT min(target) FROM runs WHERE runs.target > next.target) FROM next
    WHERE target IS NOT NULL)
SELECT target FROM next WHERE target IS NOT NULL)sql",
                            [&](const Statement& row) -> Status {
                              targets.push_back(row.text(0));
                              return {};
                            }));
  for (const std::string& target : targets) {
    if (work.out_of_time()) return {};
    RAD_TRY(const std::int64_t limit, run_limit(work, target));
    // Most targets have nothing to remove, and asking costs no fsync.
    RAD_TRY(auto oldest,
            work.database.prepare("SELECT 1 FROM runs WHERE target = ?1 AND created_at < ?2"));
    oldest.bind(1, target).bind(2, limit);
    RAD_TRY(const bool any, oldest.step());
    oldest.reset();
    if (!any) continue;
    RAD_CHECK(remove_in_batches(work, kRemoveRuns, work.result.runs, [&](Statement& statement) {
      statement.bind(2, target).bind(3, limit);
    }));
  }
  return {};
}

Status remove_log(Work& work, const std::string& run_id) {
  RAD_TRY(auto transaction, Transaction::begin(work.database));
  for (const char* table : {"run_log_lines", "run_logs"}) {
    RAD_TRY(auto remove,
            work.database.prepare(fmt::format("DELETE FROM {} WHERE run_id = ?1", table)));
    remove.bind(1, run_id);
    RAD_CHECK(remove.run());
  }
  RAD_CHECK(transaction.commit());
  ++work.result.logs;
  return {};
}

/// Logs of runs that go on or are held stay; those of runs that were removed go at once, unless
/// they are young: a log may begin before its run does.
Status prune_logs(Work& work) {
  RAD_TRY(std::int64_t bytes, work.database.query_integer("SELECT sum(bytes) FROM run_logs"));
  RAD_TRY(auto list, work.database.prepare(R"sql(
SELECT log.run_id, bytes, last_at, run.id IS NULL
FROM run_logs AS log LEFT JOIN runs AS run ON run.id = log.run_id
WHERE (run.id IS NULL OR run.ended_at IS NOT NULL)
  AND log.run_id NOT IN (SELECT run_id FROM holds) ORDER BY last_at)sql"));
  std::vector<std::string> old;
  RAD_CHECK(store::each_row(list, [&](const Statement& row) -> Status {
    const std::int64_t last_at = row.integer(2);
    const bool orphan = row.integer(3) != 0 && last_at < work.cut(std::chrono::days(1));
    const bool too_much = bytes > static_cast<std::int64_t>(work.retention.log_bytes);
    if (too_much || orphan || last_at < work.cut(work.retention.log_age)) {
      old.push_back(row.text(0));
      bytes -= row.integer(1);
    }
    return {};
  }));
  for (const std::string& run_id : old) {
    if (work.out_of_time()) return {};
    RAD_CHECK(remove_log(work, run_id));
  }
  return {};
}

Status prune_entries(Work& work) {
  RAD_CHECK(remove_in_batches(
      work, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?2 LIMIT ?1)",
      work.result.entries,
      [&](Statement& statement) { statement.bind(2, work.cut(work.retention.audit_age)); }));
  RAD_CHECK(remove_in_batches(
      work,
      "DELETE FROM missed_slots WHERE (target, schedule, slot) IN (SELECT target, schedule, slot "
      "FROM missed_slots WHERE slot < ?2 LIMIT ?1)",
      work.result.entries,
      [&](Statement& statement) { statement.bind(2, work.cut(work.retention.missed_age)); }));
  return remove_in_batches(work, R"sql(
DELETE FROM backups WHERE (target, name) IN (
  SELECT target, name FROM (
    SELECT target, name, row_number() OVER (
      PARTITION BY target ORDER BY ifnull(finished_at, first_seen) DESC, name DESC) AS place
    FROM backups)
  WHERE place > ?2 LIMIT ?1))sql",
                           work.result.entries, [&](Statement& statement) {
                             statement.bind(
                                 2, static_cast<std::int64_t>(work.retention.backups_per_target));
                           });
}

/// Gives free pages back to the file system, and empties the write-ahead log as far as nobody
/// reads in it.
Status shrink(Work& work) {
  RAD_TRY(const std::int64_t page_bytes, work.database.query_integer("PRAGMA page_size"));
  RAD_TRY(const std::int64_t before, work.database.query_integer("PRAGMA page_count"));
  while (!work.out_of_time()) {
    RAD_TRY(const std::int64_t free, work.database.query_integer("PRAGMA freelist_count"));
    RAD_TRY(const std::int64_t mode, work.database.query_integer("PRAGMA auto_vacuum"));
    if (mode == 0 || free <= kFreePagesKept) break;
    RAD_TRY(auto transaction, Transaction::begin(work.database));
    RAD_CHECK(work.database.execute(
        fmt::format("PRAGMA incremental_vacuum({})", std::min(kPageBatch, free - kFreePagesKept))));
    RAD_CHECK(transaction.commit());
  }
  RAD_TRY(const std::int64_t after, work.database.query_integer("PRAGMA page_count"));
  if (after < before) {
    work.result.freed_bytes = static_cast<std::uint64_t>((before - after) * page_bytes);
  }
  return work.database.execute("PRAGMA wal_checkpoint(PASSIVE)");
}

}  // namespace

Result<PruneResult> Store::prune(TimePoint now, const Retention& retention,
                                 std::chrono::milliseconds budget) {
  Work work{impl_->database, now, retention, SystemClock().steady_now() + budget, {}};
  RAD_CHECK(prune_runs(work));
  RAD_CHECK(prune_logs(work));
  RAD_CHECK(prune_entries(work));
  RAD_CHECK(shrink(work));
  return work.result;
}

}  // namespace rad
