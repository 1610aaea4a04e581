#include "plugins/postgresql/table_reader.h"

#include <cstdlib>

#include "agent/base/text.h"
#include "plugins/postgresql/workers.h"

namespace rad::postgresql {
namespace {

constexpr int kMaxPartitionDepth = 32;

// Each page of the table and of its TOAST table is read, and its checksum verified by the server.
std::optional<SqlError> count_rows(Connection& connection, const Table& table, TableRead& result,
                                   const Connection::Tick& tick) {
  auto rows = connection.query("select count(*) from only " + table.quoted(), {}, SIZE_MAX, tick);
  if (!rows) return rows.error();
  result.rows = std::strtoull(rows->rows.at(0).at(0).value_or("0").c_str(), nullptr, 10);
  if (table.toast == 0) return std::nullopt;
  auto toast = connection.query(
      "select count(*) from pg_toast." + Connection::quote(table.toast_name), {}, SIZE_MAX, tick);
  if (!toast) return toast.error();
  return std::nullopt;
}

}  // namespace

SqlResult<const std::vector<DatabaseTables>*> TableReader::catalog(sdk::Context& context) {
  if (catalog_) return &*catalog_;
  SqlResult<Connection> connection(SqlError{});
  for (const char* database : {"postgres", "template1"}) {
    connection = Connection::open(address_, database, {}, context.stop_token());
    if (connection) break;
  }
  if (!connection) return connection.error();
  auto databases = list_databases(*connection);
  if (!databases) return databases.error();
  std::vector<DatabaseTables> found;
  for (Database& database : *databases) {
    DatabaseTables& entry = found.emplace_back();
    entry.database = std::move(database);
    auto own = Connection::open(address_, entry.database.name, {}, context.stop_token());
    if (!own) {
      entry.error = own.error();
      continue;
    }
    auto tables = list_tables(*own);
    if (tables) {
      entry.tables = *std::move(tables);
    } else {
      entry.error = tables.error();
    }
  }
  catalog_ = std::move(found);
  return &*catalog_;
}

void TableReader::read_tables(const std::vector<std::pair<const Database*, const Table*>>& tables,
                              sdk::Context& context) {
  std::vector<Job> jobs;
  for (const auto& [database, table] : tables) {
    TableRead& result = reads_[{database->oid, table->oid}];
    Job job;
    job.database = database->name;
    job.label = printable(database->name + "." + table->text(), 200);
    job.bytes = table->bytes;
    job.work = [&result, table = table](Connection& connection, const Connection::Tick& tick) {
      return count_rows(connection, *table, result, tick);
    };
    job.failed = [&result](const SqlError& error) { result.error = error; };
    jobs.push_back(std::move(job));
  }
  SessionOptions options;
  options.heap_scans = true;
  run_jobs(address_, options, std::move(jobs), parallel_, context);
}

const TableRead* TableReader::find(const Database& database, const Table& table) const {
  const auto found = reads_.find({database.oid, table.oid});
  return found == reads_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> TableReader::rows(const DatabaseTables& entry,
                                               const Table& table) const {
  return rows_below(entry, table, 0);
}

std::optional<std::uint64_t> TableReader::rows_below(const DatabaseTables& entry,
                                                     const Table& table, int depth) const {
  if (table.kind != 'p') {
    const TableRead* read = find(entry.database, table);
    return read == nullptr || read->error ? std::nullopt : std::optional(read->rows);
  }
  // A damaged catalog can hold a ring.
  if (depth > kMaxPartitionDepth) return std::nullopt;
  std::uint64_t sum = 0;
  for (const Table& part : entry.tables) {
    if (part.parent != table.oid) continue;
    const auto part_rows = rows_below(entry, part, depth + 1);
    if (!part_rows) return std::nullopt;
    sum += *part_rows;
  }
  return sum;
}

}  // namespace rad::postgresql
