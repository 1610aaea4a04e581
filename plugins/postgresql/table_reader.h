// Reading tables whole, once a run: `read_all` and `row_counts` share what was read, since on a
// large cluster a second pass costs hours. Nothing changes in a test instance meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/error.h"
#include "plugins/postgresql/catalog.h"
#include "plugins/postgresql/connection.h"
#include "plugins/sdk/plugin.h"

namespace rad::postgresql {

struct TableRead {
  std::uint64_t rows = 0;
  std::optional<SqlError> error;
};

/// A database and its tables, or why they could not be listed.
struct DatabaseTables {
  Database database;
  std::vector<Table> tables;
  std::optional<SqlError> error;
};

/// One thread at a time.
class TableReader {
 public:
  TableReader(ServerAddress address, unsigned parallel)
      : address_(std::move(address)), parallel_(parallel) {}

  const ServerAddress& address() const noexcept { return address_; }
  unsigned parallel() const noexcept { return parallel_; }

  /// Every database with its tables; listed once.
  SqlResult<const std::vector<DatabaseTables>*> catalog(sdk::Context& context);

  /// Counts rows by reading every page of the tables (and their TOAST tables) that `wanted` accepts
  /// and that have not been read yet. Afterwards find() has an answer for each.
  template <class Wanted>
  SqlResult<void> read(sdk::Context& context, const Wanted& wanted) {
    auto listed = catalog(context);
    if (!listed) return listed.error();
    std::vector<std::pair<const Database*, const Table*>> tables;
    for (const DatabaseTables& entry : **listed) {
      for (const Table& table : entry.tables) {
        if (table.readable() && !find(entry.database, table) && wanted(entry.database, table)) {
          tables.emplace_back(&entry.database, &table);
        }
      }
    }
    read_tables(tables, context);
    return {};
  }

  /// Nothing if it was not read.
  const TableRead* find(const Database& database, const Table& table) const;

  /// Rows of a table; of a partitioned one the sum of its partitions. Nothing unless all were read.
  std::optional<std::uint64_t> rows(const DatabaseTables& entry, const Table& table) const;

 private:
  using Key = std::pair<std::uint32_t, std::uint32_t>;  // database, table

  std::optional<std::uint64_t> rows_below(const DatabaseTables& entry, const Table& table,
                                          int depth) const;
  void read_tables(const std::vector<std::pair<const Database*, const Table*>>& tables,
                   sdk::Context& context);

  ServerAddress address_;
  unsigned parallel_;
  std::optional<std::vector<DatabaseTables>> catalog_;
  std::map<Key, TableRead> reads_;
};

}  // namespace rad::postgresql
