#include "agent/store/transfer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "agent/store/store_impl.h"

namespace rad::store {
namespace {

std::string join(const std::vector<std::string>& words, std::string_view between) {
  std::string joined;
  for (const std::string& word : words) {
    if (!joined.empty()) joined += between;
    joined += word;
  }
  return joined;
}

/// What becomes of a row that is there already.
enum class Clash : std::uint8_t {
  ignore,    ///< the old one stays
  replace,   ///< the new one is taken
  unended,   ///< the new one is taken if the old one has no end
  greatest,  ///< each value that is no key takes the greater of the two
};

struct Table {
  const char* name;
  Clash clash;
  bool in_use = false;          ///< rows are removed when they have been dealt with
  const char* own_number = "";  ///< a key that each store gives by itself
};

/// The ledger first: it says what lies on the host. Runs come before what refers to them.
constexpr std::array kTables{
    Table{"ledger", Clash::replace, false, "number"},
    Table{"runs", Clash::unended},
    Table{"latest_runs", Clash::replace},
    Table{"holds", Clash::replace, true},
    Table{"requests", Clash::replace, true, "number"},
    Table{"pauses", Clash::replace, true},
    Table{"issues", Clash::replace},
    Table{"schedules", Clash::replace},
    Table{"rotations", Clash::replace},
    Table{"missed_slots", Clash::ignore},
    Table{"backups", Clash::replace},
    Table{"run_counts", Clash::greatest},
    Table{"failure_counts", Clash::greatest},
    Table{"byte_counts", Clash::greatest},
    Table{"report_error_counts", Clash::greatest},
    Table{"missed_counts", Clash::greatest},
    Table{"audit", Clash::ignore},
    Table{"run_logs", Clash::greatest},
    Table{"run_log_lines", Clash::ignore},
};

struct Columns {
  std::vector<std::string> all;
  std::vector<std::string> key;
};

Result<Columns> columns_of(Database& database, const Table& table) {
  Columns columns;
  RAD_TRY(auto list, database.prepare(
                         fmt::format("SELECT name, pk FROM pragma_table_info('{}')", table.name)));
  while (true) {
    RAD_TRY(const bool row, list.step());
    if (!row) return columns;
    if (list.text(0) == table.own_number) continue;
    columns.all.push_back(list.text(0));
    if (list.integer(1) != 0) columns.key.push_back(list.text(0));
  }
}

std::string insert_sql(const Table& table, const Columns& columns) {
  std::vector<std::string> marks(columns.all.size(), "?");
  const bool over = table.clash == Clash::replace;
  std::string sql = fmt::format("INSERT {}INTO {} ({}) VALUES ({})", over ? "OR REPLACE " : "",
                                table.name, join(columns.all, ", "), join(marks, ", "));
  if (over) return sql;
  sql += " ON CONFLICT DO ";
  std::vector<std::string> sets;
  for (const std::string& column : columns.all) {
    if (std::find(columns.key.begin(), columns.key.end(), column) != columns.key.end()) continue;
    const auto* form =
        table.clash == Clash::greatest ? "{0} = max({0}, excluded.{0})" : "{0} = excluded.{0}";
    sets.push_back(fmt::format(fmt::runtime(form), column));
  }
  if (table.clash == Clash::ignore) return sql + "NOTHING";
  sql += fmt::format("UPDATE SET {}", join(sets, ", "));
  return table.clash == Clash::unended ? sql + " WHERE ended_at IS NULL" : sql;
}

/// One table on its way. Rows are read in the order of their place in the file; where that fails,
/// reading goes on behind the damage, and then backwards from there up to it.
class Copier {
 public:
  Copier(Database& from, Database& to, const Table& table, Columns columns)
      : from_(from), to_(to), table_(table), columns_(std::move(columns)) {}

  /// \return an error of `to` only.
  Status copy() {
    RAD_TRY(auto insert, to_.prepare(insert_sql(table_, columns_)));
    insert_ = &insert;
    // Tables without rowid are small or read by their key from both ends.
    const bool has_rowid =
        from_.prepare(fmt::format("SELECT rowid FROM {}", table_.name)).has_value();
    RAD_CHECK(has_rowid ? by_rowid() : from_both_ends());
    insert_ = nullptr;
    return {};
  }
  std::uint64_t rows() const noexcept { return rows_; }
  bool damaged() const noexcept { return damaged_; }

 private:
  static constexpr std::int64_t kGiveUp = std::int64_t{1} << 40;

  /// Takes rows until the end or an error of `from`. \return whether the end was reached.
  Result<bool> take(std::string_view where, std::int64_t bound, std::int64_t other_bound) {
    auto list = from_.prepare(fmt::format("SELECT {}{} FROM {} {}", join(columns_.all, ", "),
                                          where.find("rowid") == where.npos ? "" : ", rowid",
                                          table_.name, where));
    if (!list) return false;
    if (where.find("?1") != where.npos) list->bind(1, bound);
    if (where.find("?2") != where.npos) list->bind(2, other_bound);
    while (true) {
      const auto row = list->step();
      if (!row) return false;
      if (!*row) return true;
      for (std::size_t i = 0; i < columns_.all.size(); ++i) {
        insert_->bind(static_cast<int>(i + 1), *list, static_cast<int>(i));
      }
      to_.note(StoreTrouble::none);
      const Status done = insert_->run();
      insert_->reset();
      // A row that breaks a rule of its table is as good as unreadable.
      if (!done && to_.trouble() != StoreTrouble::other) return done.error();
      if (done) ++rows_;
      damaged_ = damaged_ || !done;
      if (where.find("rowid") != where.npos) {
        last_rowid_ = list->integer(static_cast<int>(columns_.all.size()));
      }
    }
  }

  Status by_rowid() {
    last_rowid_ = std::numeric_limits<std::int64_t>::min();
    while (true) {
      RAD_TRY(const bool end, take("WHERE rowid > ?1 ORDER BY rowid", last_rowid_, 0));
      if (end) return {};
      damaged_ = true;
      const std::int64_t damage = std::max<std::int64_t>(last_rowid_, 0);
      const auto behind = find_readable(damage);
      if (!behind) return {};
      RAD_CHECK(
          status_of(take("WHERE rowid > ?1 AND rowid <= ?2 ORDER BY rowid DESC", damage, *behind)));
      last_rowid_ = *behind;
    }
  }

  /// A place behind the damage from which rows can be read again; it need not be the first.
  std::optional<std::int64_t> find_readable(std::int64_t damage) {
    for (std::int64_t step = 1; step < kGiveUp; step *= 2) {
      auto probe = from_.prepare(
          fmt::format("SELECT rowid FROM {} WHERE rowid > ?1 ORDER BY rowid LIMIT 1", table_.name));
      if (!probe) return std::nullopt;
      probe->bind(1, damage + step);
      if (probe->step()) return damage + step;
    }
    return std::nullopt;
  }

  Status from_both_ends() {
    const std::string forth = "ORDER BY " + join(columns_.key, ", ");
    RAD_TRY(const bool end, take(forth, 0, 0));
    if (end) return {};
    damaged_ = true;
    const std::string back = fmt::format("ORDER BY {} DESC", join(columns_.key, " DESC, "));
    return status_of(take(back, 0, 0));
  }

  Database& from_;
  Database& to_;
  const Table& table_;
  Columns columns_;
  Statement* insert_ = nullptr;
  std::uint64_t rows_ = 0;
  std::int64_t last_rowid_ = 0;
  bool damaged_ = false;
};

/// The last runs of schedules whose row was lost, and columns that the source did not have yet.
constexpr const char* kMend = R"sql(
DELETE FROM latest_runs WHERE run_id NOT IN (SELECT id FROM runs);
INSERT INTO latest_runs (target, schedule, depth, run_id, created_at, last_success, last_pass_id)
  SELECT target, schedule, depth, id, max(created_at),
    (SELECT max(ended_at) FROM runs AS pass WHERE pass.target = run.target
      AND pass.schedule = run.schedule AND pass.depth = run.depth AND verdict = 'pass'), ''
  FROM runs AS run WHERE ended_at IS NOT NULL GROUP BY target, schedule, depth
  ON CONFLICT DO NOTHING;
UPDATE latest_runs SET last_pass_id = ifnull((
  SELECT id FROM runs WHERE runs.target = latest_runs.target
    AND runs.schedule = latest_runs.schedule AND runs.depth = latest_runs.depth
    AND verdict = 'pass' AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1), '')
  WHERE last_success IS NOT NULL AND last_pass_id = '';
UPDATE runs SET
  requested_by = ifnull(CAST(json_extract(report, '$.requested_by') AS TEXT), ''),
  backup = ifnull(CAST(json_extract(report, '$.backup.name') AS TEXT), ''),
  bytes_read = ifnull(CAST(json_extract(report, '$.bytes_read') AS INTEGER), 0),
  bytes_restored = ifnull(CAST(json_extract(report, '$.bytes_restored') AS INTEGER), 0)
  WHERE requested_by = '' AND backup = '' AND bytes_read = 0 AND json_valid(report);
DELETE FROM requests WHERE id IN (SELECT id FROM runs);
)sql";

}  // namespace

Result<Transferred> transfer(Database& from, Database& to, bool instead) {
  Transferred result;
  // Rows come one by one; what they refer to may be lost.
  RAD_CHECK(to.execute("PRAGMA foreign_keys=OFF"));
  const auto work = [&]() -> Status {
    RAD_TRY(auto transaction, Transaction::begin(to));
    for (const Table& table : kTables) {
      RAD_TRY(const Columns wanted, columns_of(to, table));
      const auto had = columns_of(from, table);
      if (!had) {
        result.damaged_tables.emplace_back(table.name);
        continue;
      }
      if (had->all.empty()) continue;  // made by an older agent
      Columns both{{}, wanted.key};
      for (const std::string& column : wanted.all) {
        if (std::find(had->all.begin(), had->all.end(), column) != had->all.end()) {
          both.all.push_back(column);
        }
      }
      if (instead && table.in_use) {
        RAD_CHECK(to.execute(fmt::format("DELETE FROM {}", table.name)));
      }
      Copier copier(from, to, table, std::move(both));
      RAD_CHECK(copier.copy());
      if (copier.damaged()) result.damaged_tables.emplace_back(table.name);
      result.rows += copier.rows();
      if (std::string_view(table.name) == "runs") result.runs = copier.rows();
      if (std::string_view(table.name) == "ledger") result.ledger_entries = copier.rows();
    }
    RAD_CHECK(to.execute(kMend));
    return transaction.commit();
  };
  const Status done = work();
  RAD_CHECK(to.execute("PRAGMA foreign_keys=ON"));
  if (!done) return done.error();
  return result;
}

}  // namespace rad::store
