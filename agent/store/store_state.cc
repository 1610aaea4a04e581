#include <fmt/format.h>

#include "agent/store/store.h"
#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::from_ms;
using store::Statement;
using store::to_ms;

std::optional<LedgerKind> parse_ledger_kind(std::string_view text) {
  for (const auto kind : {LedgerKind::scratch_dir, LedgerKind::runtime_dir, LedgerKind::kept}) {
    if (to_string(kind) == text) return kind;
  }
  return std::nullopt;
}

constexpr std::string_view kIssueColumns =
    "reporter, target, depth, reference, open, opened_at, count, last_reason, last_run_id";

IssueState read_issue(const Statement& row) {
  return {.reporter = row.text(0),
          .target = row.text(1),
          .depth = parse_depth(row.text(2)).value_or(Depth::restore),
          .reference = row.text(3),
          .open = row.integer(4) != 0,
          .opened_at = from_ms(row.integer(5)),
          .count = static_cast<std::uint64_t>(row.integer(6)),
          .last_reason = row.text(7),
          .last_run_id = row.text(8)};
}

Error unknown_word(std::string_view table, std::string_view word) {
  return fail(Reason::host_unfit,
              fmt::format("table {} of the store holds the unknown word '{}'", table, word),
              "a newer agent has written it: run that one");
}

/// Calls `take` with each row until the end or an error.
template <class Take>
Status each_row(store::Database& database, std::string_view sql, Take take) {
  RAD_TRY(auto rows, database.prepare(sql));
  while (true) {
    RAD_TRY(const bool row, rows.step());
    if (!row) return {};
    RAD_CHECK(take(rows));
  }
}

}  // namespace

std::string_view to_string(LedgerKind value) noexcept {
  switch (value) {
    case LedgerKind::scratch_dir:
      return "scratch_dir";
    case LedgerKind::runtime_dir:
      return "runtime_dir";
    case LedgerKind::kept:
      return "kept";
  }
  return "scratch_dir";
}

Status Store::ledger_add(const LedgerEntry& entry) {
  RAD_TRY(auto write, impl_->database.prepare(R"sql(
INSERT INTO ledger (run_id, kind, path, marker, keep_until) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (run_id, path) DO UPDATE SET kind = ?2, marker = ?4, keep_until = ?5)sql"));
  write.bind(1, entry.run_id)
      .bind(2, to_string(entry.kind))
      .bind(3, entry.path)
      .bind(4, entry.marker)
      .bind(5, to_ms(entry.keep_until));
  return write.run();
}

Status Store::ledger_remove(const std::string& run_id, const std::string& path) {
  RAD_TRY(auto write,
          impl_->database.prepare("DELETE FROM ledger WHERE run_id = ?1 AND path = ?2"));
  write.bind(1, run_id).bind(2, path);
  return write.run();
}

Result<std::vector<LedgerEntry>> Store::ledger(const std::string& run_id) {
  RAD_TRY(auto find,
          impl_->database.prepare("SELECT run_id, kind, path, marker, keep_until FROM ledger "
                                  "WHERE ?1 = '' OR run_id = ?1 ORDER BY number"));
  find.bind(1, run_id);
  std::vector<LedgerEntry> entries;
  while (true) {
    RAD_TRY(const bool row, find.step());
    if (!row) return entries;
    const auto kind = parse_ledger_kind(find.text(1));
    if (!kind) return unknown_word("ledger", find.text(1));
    entries.push_back({.run_id = find.text(0),
                       .kind = *kind,
                       .path = find.text(2),
                       .marker = find.text(3),
                       .keep_until = from_ms(find.optional_integer(4))});
  }
}

Status Store::put_issue(const IssueState& state) {
  RAD_TRY(auto write,
          impl_->database.prepare(fmt::format("INSERT OR REPLACE INTO issues ({}) "
                                              "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                                              kIssueColumns)));
  write.bind(1, state.reporter)
      .bind(2, state.target)
      .bind(3, to_string(state.depth))
      .bind(4, state.reference)
      .bind(5, std::int64_t{state.open})
      .bind(6, to_ms(state.opened_at))
      .bind(7, static_cast<std::int64_t>(state.count))
      .bind(8, state.last_reason)
      .bind(9, state.last_run_id);
  return write.run();
}

Result<std::optional<IssueState>> Store::get_issue(const std::string& reporter,
                                                   const std::string& target, Depth depth) {
  RAD_TRY(auto find, impl_->database.prepare(fmt::format(
                         "SELECT {} FROM issues WHERE reporter = ?1 AND target = ?2 AND depth = ?3",
                         kIssueColumns)));
  find.bind(1, reporter).bind(2, target).bind(3, to_string(depth));
  RAD_TRY(const bool row, find.step());
  return row ? std::optional(read_issue(find)) : std::nullopt;
}

Result<std::vector<IssueState>> Store::list_issues() {
  std::vector<IssueState> issues;
  RAD_CHECK(
      each_row(impl_->database,
               fmt::format("SELECT {} FROM issues ORDER BY reporter, target, depth", kIssueColumns),
               [&](const Statement& row) -> Status {
                 issues.push_back(read_issue(row));
                 return {};
               }));
  return issues;
}

Status Store::put_schedule(const ScheduleState& state) {
  RAD_TRY(auto write,
          impl_->database.prepare("INSERT OR REPLACE INTO schedules (target, schedule, first_seen, "
                                  "slot_done, slot_open, attempts, last_attempt, last_run_id) "
                                  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  write.bind(1, state.target)
      .bind(2, state.schedule)
      .bind(3, to_ms(state.first_seen))
      .bind(4, to_ms(state.slot_done))
      .bind(5, to_ms(state.slot_open))
      .bind(6, std::int64_t{state.attempts})
      .bind(7, to_ms(state.last_attempt))
      .bind(8, state.last_run_id);
  return write.run();
}

Result<std::vector<ScheduleState>> Store::list_schedules() {
  std::vector<ScheduleState> states;
  RAD_CHECK(each_row(impl_->database,
                     "SELECT target, schedule, first_seen, slot_done, slot_open, attempts, "
                     "last_attempt, last_run_id FROM schedules ORDER BY target, schedule",
                     [&](const Statement& row) -> Status {
                       states.push_back({.target = row.text(0),
                                         .schedule = row.text(1),
                                         .first_seen = from_ms(row.optional_integer(2)),
                                         .slot_done = from_ms(row.optional_integer(3)),
                                         .slot_open = from_ms(row.optional_integer(4)),
                                         .attempts = static_cast<std::uint32_t>(row.integer(5)),
                                         .last_attempt = from_ms(row.optional_integer(6)),
                                         .last_run_id = row.text(7)});
                       return {};
                     }));
  return states;
}

Status Store::count_report_error(const std::string& reporter) {
  RAD_TRY(auto write, impl_->database.prepare(
                          "INSERT INTO report_error_counts (reporter, count) VALUES (?1, 1) "
                          "ON CONFLICT (reporter) DO UPDATE SET count = count + 1"));
  write.bind(1, reporter);
  return write.run();
}

Result<Counters> Store::counters() {
  Counters counters;
  const auto count = [](const Statement& row, int column) {
    return static_cast<std::uint64_t>(row.integer(column));
  };
  RAD_CHECK(each_row(
      impl_->database, "SELECT target, schedule, depth, verdict, count FROM run_counts",
      [&](const Statement& row) -> Status {
        const auto depth = parse_depth(row.text(2));
        const auto verdict = parse_verdict(row.text(3));
        if (!depth) return unknown_word("run_counts", row.text(2));
        if (!verdict) return unknown_word("run_counts", row.text(3));
        counters.runs.push_back({row.text(0), row.text(1), *depth, *verdict, count(row, 4)});
        return {};
      }));
  RAD_CHECK(each_row(impl_->database, "SELECT target, reason, count FROM failure_counts",
                     [&](const Statement& row) -> Status {
                       const auto reason = parse_reason(row.text(1));
                       if (!reason) return unknown_word("failure_counts", row.text(1));
                       counters.failures.push_back({row.text(0), *reason, count(row, 2)});
                       return {};
                     }));
  RAD_CHECK(each_row(impl_->database, "SELECT target, read, restored FROM byte_counts",
                     [&](const Statement& row) -> Status {
                       counters.bytes.push_back({row.text(0), count(row, 1), count(row, 2)});
                       return {};
                     }));
  RAD_CHECK(each_row(impl_->database, "SELECT reporter, count FROM report_error_counts",
                     [&](const Statement& row) -> Status {
                       counters.report_errors.push_back({row.text(0), count(row, 1)});
                       return {};
                     }));
  return counters;
}

}  // namespace rad
