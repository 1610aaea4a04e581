#include "plugins/postgresql/catalog.h"

#include <cstdlib>

namespace rad::postgresql {
namespace {

// datconnlimit -2 marks a database whose DROP was interrupted: nobody can connect.
constexpr const char* kDatabases =
    "select oid, datname from pg_database where datallowconn and datconnlimit <> -2 "
    "order by datname";

constexpr const char* kTables =
    "select c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, "
    "  n.nspname in ('pg_catalog', 'information_schema'), c.relispartition, c.relispopulated, "
    "  coalesce((select i.inhparent from pg_inherits i where i.inhrelid = c.oid "
    "            and c.relispartition limit 1), 0), "
    "  c.reltoastrelid, "
    "  case when c.relkind in ('r', 'm') then pg_relation_size(c.oid) + "
    "    case when c.reltoastrelid <> 0 then pg_relation_size(c.reltoastrelid) else 0 end "
    "  else 0 end, "
    "  coalesce((select t.relname from pg_class t where t.oid = c.reltoastrelid), '') "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'm', 'p', 'f') and c.relpersistence <> 't' "
    "  and n.nspname !~ '^pg_toast' "
    "order by n.nspname, c.relname";

std::uint64_t number(const std::optional<std::string>& text) {
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

std::uint32_t oid(const std::optional<std::string>& text) {
  return static_cast<std::uint32_t>(number(text));
}

bool truth(const std::optional<std::string>& text) {
  return text == "t";
}

char letter(const std::optional<std::string>& text) {
  return text && !text->empty() ? text->front() : '?';
}

}  // namespace

std::string Table::quoted() const {
  return Connection::quote(schema) + "." + Connection::quote(name);
}

SqlResult<std::vector<Database>> list_databases(Connection& connection) {
  auto rows = connection.query(kDatabases);
  if (!rows) return rows.error();
  std::vector<Database> databases;
  for (auto& row : rows->rows) databases.push_back({oid(row[0]), row[1].value_or("")});
  return databases;
}

SqlResult<std::vector<Table>> list_tables(Connection& connection) {
  auto rows = connection.query(kTables);
  if (!rows) return rows.error();
  std::vector<Table> tables;
  for (auto& row : rows->rows) {
    Table& table = tables.emplace_back();
    table.oid = oid(row[0]);
    table.schema = row[1].value_or("");
    table.name = row[2].value_or("");
    table.kind = letter(row[3]);
    table.persistence = letter(row[4]);
    table.system = truth(row[5]);
    table.partition = truth(row[6]);
    table.populated = truth(row[7]);
    table.parent = oid(row[8]);
    table.toast = oid(row[9]);
    table.bytes = number(row[10]);
    table.toast_name = row[11].value_or("");
  }
  return tables;
}

}  // namespace rad::postgresql
