#include "plugins/postgresql/reader_role.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "plugins/postgresql/sql_error.h"

namespace rad::postgresql {
namespace {

constexpr const char* kName = "rad_reader";
constexpr int kFirstWithPredefinedRole = 14;

/// By size; `postgres` last, since people seldom keep data there.
constexpr const char* kDatabases =
    "select datname from pg_catalog.pg_database where datallowconn and not datistemplate "
    "order by datname = 'postgres', pg_catalog.pg_database_size(oid) desc, datname";

/// pg_read_all_data reads these too, and what they hold opens other servers: the one of which this
/// is a copy, and those that it speaks with.
const std::vector<std::string> kForgetSharedSecrets{
    "update pg_catalog.pg_authid set rolpassword = null where rolpassword is not null",
    // Only PostgreSQL 10 and later have the table.
    "do $do$ begin if pg_catalog.to_regclass('pg_catalog.pg_subscription') is not null then "
    "update pg_catalog.pg_subscription set subconninfo = '' where subconninfo <> ''; "
    "end if; end $do$"};
const std::vector<std::string> kForgetSecrets{
    "update pg_catalog.pg_user_mapping set umoptions = null where umoptions is not null"};

Error cannot(SqlError error, std::string_view doing) {
  if (error.stopped) return fail(Reason::cancelled, "stopped on request");
  return sql_failure(error, fmt::format("cannot {} in the instance to be held", doing));
}

Result<Connection> connect(const ServerAddress& superuser, const std::string& database,
                           std::stop_token stop) {
  SessionOptions session;
  session.read_only = false;
  auto connection = Connection::open(superuser, database, session, std::move(stop));
  if (!connection) return cannot(std::move(connection).error(), "connect");
  return *std::move(connection);
}

Result<std::vector<std::string>> column(Connection& connection, const std::string& query) {
  auto rows = connection.query(query);
  if (!rows) return cannot(std::move(rows).error(), "read the catalogs");
  std::vector<std::string> values;
  for (const auto& row : rows->rows) {
    if (row[0]) values.push_back(*row[0]);
  }
  return values;
}

Status run_each(Connection& connection, const std::vector<std::string>& statements,
                std::string_view doing) {
  for (const std::string& statement : statements) {
    auto done = connection.query(statement);
    if (!done) return cannot(std::move(done).error(), doing);
  }
  return {};
}

/// Some database whose superuser gets in: either may be missing or closed.
Result<Connection> connect_anywhere(const ServerAddress& superuser, const std::stop_token& stop) {
  auto first = connect(superuser, "postgres", stop);
  if (first || stop.stop_requested()) return first;
  return connect(superuser, "template1", stop);
}

std::string free_name(const std::vector<std::string>& taken) {
  std::string name = kName;
  for (int number = 2; std::ranges::find(taken, name) != taken.end(); ++number) {
    name = fmt::format("{}_{}", kName, number);
  }
  return name;
}

std::vector<std::string> role_statements(const std::string& role, int major) {
  const std::string quoted = Connection::quote(role);
  std::vector<std::string> statements{fmt::format(
      "create role {} with login bypassrls nosuperuser nocreatedb nocreaterole noreplication",
      quoted)};
  if (major >= kFirstWithPredefinedRole) {
    statements.push_back(fmt::format("grant pg_read_all_data to {}", quoted));
  }
  // A role's settings win over those that a database of the backup brings along. Both lists are
  // empty in our own session; written as '' they would become a list of one empty name.
  for (const char* setting :
       {"default_transaction_read_only = on", "statement_timeout = 0", "log_statement = 'all'",
        "session_preload_libraries from current", "local_preload_libraries from current"}) {
    statements.push_back(fmt::format("alter role {} set {}", quoted, setting));
  }
  return statements;
}

}  // namespace

std::string grant_reading_statement(const std::string& role) {
  return fmt::format(
      "do $do$ declare s name; begin "
      "for s in select nspname from pg_catalog.pg_namespace where nspname !~ '^pg_' loop "
      "execute pg_catalog.format('grant usage on schema %I to {0}', s); "
      "execute pg_catalog.format('grant select on all tables in schema %I to {0}', s); "
      "end loop; end $do$",
      role);
}

Result<Reader> make_reader(const ServerAddress& superuser, std::stop_token stop) {
  RAD_TRY(Connection connection, connect_anywhere(superuser, stop));
  RAD_TRY(const auto taken, column(connection, "select rolname from pg_catalog.pg_roles"));
  RAD_TRY(const auto databases, column(connection, kDatabases));
  Reader reader;
  reader.role = free_name(taken);
  reader.database = databases.empty() ? "postgres" : databases.front();
  std::vector<std::string> statements = role_statements(reader.role, superuser.major);
  for (const std::string& database : databases) {
    statements.push_back(fmt::format("grant connect on database {} to {}",
                                     Connection::quote(database), Connection::quote(reader.role)));
  }
  RAD_CHECK(run_each(connection, statements, "make the role that may read"));
  RAD_CHECK(run_each(connection, kForgetSharedSecrets, "take the passwords out"));
  for (const std::string& database : databases) {
    RAD_TRY(Connection inside, connect(superuser, database, stop));
    RAD_CHECK(run_each(inside, kForgetSecrets, "take the passwords out"));
    if (superuser.major >= kFirstWithPredefinedRole) continue;
    auto granted = inside.query(grant_reading_statement(reader.role));
    if (!granted) return cannot(std::move(granted).error(), "grant reading");
  }
  return reader;
}

}  // namespace rad::postgresql
