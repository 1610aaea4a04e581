// What the source files of Store share. Not for use outside agent/store.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "agent/base/clock.h"
#include "agent/store/database.h"
#include "agent/store/store.h"

namespace rad {

struct Store::Impl {
  store::Database database;
  bool durable = true;

  /// Reports that latest_runs() gave last: reading 2000 of them anew at each scrape took 0.3 s. An
  /// entry is good as long as the text in the file has the same hash.
  struct ReadReport {
    std::size_t hash = 0;
    RunReport report;
  };
  std::unordered_map<std::string, ReadReport> latest = {};
};

/// Makes stores of connections, for open_store.cc.
struct StoreAccess {
  static Store make(store::Database database, bool durable);
  static store::Database& database(Store& store);
};

namespace store {

inline std::int64_t to_ms(TimePoint time) {
  return time.time_since_epoch().count();
}
inline std::optional<std::int64_t> to_ms(const std::optional<TimePoint>& time) {
  return time ? std::optional(to_ms(*time)) : std::nullopt;
}
inline TimePoint from_ms(std::int64_t ms) {
  return TimePoint(std::chrono::milliseconds(ms));
}
inline std::optional<TimePoint> from_ms(std::optional<std::int64_t> ms) {
  return ms ? std::optional(from_ms(*ms)) : std::nullopt;
}

Error unknown_word(std::string_view table, std::string_view word);

/// Calls `take` with each row until the end or an error.
template <class Take>
Status each_row(Statement& rows, Take take) {
  while (true) {
    RAD_TRY(const bool row, rows.step());
    if (!row) return {};
    RAD_CHECK(take(rows));
  }
}

template <class Take>
Status each_row(Database& database, std::string_view sql, Take take) {
  RAD_TRY(auto rows, database.prepare(sql));
  return each_row(rows, std::move(take));
}

/// One statement without rows in a transaction of its own. `bind` gives it its parameters.
/// \return rows changed.
template <class Bind>
Result<int> change(Database& database, std::string_view sql, Bind bind) {
  RAD_TRY(auto transaction, Transaction::begin(database));
  RAD_TRY(auto statement, database.prepare(sql));
  bind(statement);
  RAD_CHECK(statement.run());
  const int changed = database.changes();
  RAD_CHECK(transaction.commit());
  return changed;
}

/// Drops the value of a Result.
template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status() : Status(result.error());
}

}  // namespace store
}  // namespace rad
