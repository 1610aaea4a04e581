// What there is to read in a restored cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plugins/postgresql/connection.h"

namespace rad::postgresql {

struct Database {
  std::uint32_t oid = 0;
  std::string name;
};

/// A table, materialized view or partitioned table.
struct Table {
  std::uint32_t oid = 0;
  std::string schema;
  std::string name;
  char kind = 'r';         ///< pg_class.relkind: r, m, p or f
  char persistence = 'p';  ///< pg_class.relpersistence: p, or u for unlogged
  bool system = false;     ///< of PostgreSQL itself
  bool partition = false;
  bool populated = true;     ///< false: a materialized view without data
  std::uint32_t parent = 0;  ///< of a partition
  std::uint32_t toast = 0;   ///< OID of its TOAST table, 0 if none
  std::string toast_name;    ///< in schema pg_toast
  std::uint64_t bytes = 0;   ///< main fork and TOAST table

  bool readable() const noexcept { return (kind == 'r' || kind == 'm') && populated; }
  std::string text() const { return schema + "." + name; }
  std::string quoted() const;  ///< for a statement
};

/// Those that take connections, template1 included, in the order of their names.
SqlResult<std::vector<Database>> list_databases(Connection& connection);

/// Of the connection's database, temporary ones left out, in the order of schema and name.
SqlResult<std::vector<Table>> list_tables(Connection& connection);

}  // namespace rad::postgresql
