#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/relation_files.h"

namespace rad::postgresql {
namespace {

constexpr const char* kMissingFiles =
    "select n.nspname || '.' || c.relname, pg_relation_filepath(c.oid) "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where c.relkind in ('r', 'i', 'm', 't', 'S') and c.relpersistence <> 't' "
    "  and pg_relation_filepath(c.oid) is not null "
    "  and (pg_stat_file(pg_relation_filepath(c.oid), true)).size is null "
    "order by 1";
constexpr const char* kRelations =
    "select count(*) from pg_class c where c.relkind in ('r', 'i', 'm', 't', 'S') "
    "and c.relpersistence <> 't'";

struct Found {
  std::uint64_t relations = 0;
  std::vector<std::string> lines;
  std::string first_object;
};

std::optional<SqlError> look_at_database(CheckEnv& env, const std::string& name, Found& found) {
  auto connection = Connection::open(env.address(), name, {}, env.context.stop_token());
  if (!connection) return connection.error();
  auto count = connection->query(kRelations);
  if (!count) return count.error();
  found.relations += std::strtoull(count->rows.at(0).at(0).value_or("0").c_str(), nullptr, 10);
  auto missing = connection->query(kMissingFiles);
  if (!missing) return missing.error();
  for (const auto& row : missing->rows) {
    const std::string relation = printable(name + "." + row[0].value_or("?"), 300);
    if (found.first_object.empty()) found.first_object = relation;
    found.lines.push_back(fmt::format("{} has no file {}", relation, row[1].value_or("?")));
  }
  return std::nullopt;
}

}  // namespace

CheckOutcome check_relation_files(const protocol::CheckSpec& spec, CheckEnv& env) {
  const auto catalog = env.reader.catalog(env.context);
  if (!catalog) return from_error(spec, explain(env, catalog.error(), "cannot list the databases"));
  Found found;
  std::optional<Error> trouble;
  for (const DatabaseTables& entry : **catalog) {
    const std::string& name = entry.database.name;
    if (const auto error = look_at_database(env, name, found)) {
      Error explained = explain(
          env, *error,
          fmt::format("cannot read the catalog of database '{}'", printable(name, 100)), name);
      if (!trouble) trouble = std::move(explained);
    }
  }
  if (env.instance != nullptr) {
    const ControlData& control = env.instance->control();
    for (BrokenFork& fork : find_broken_forks(env.instance->data().path,
                                              control.block_bytes * control.blocks_per_file)) {
      if (found.first_object.empty()) found.first_object = fork.path;
      found.lines.push_back(std::move(fork.message));
    }
  }
  CheckOutcome outcome = pass(spec, Proof::metadata, "every relation has its files");
  if (!found.lines.empty()) {
    outcome =
        from_error(spec, fail(Reason::missing_object, found.lines.front(), "", found.first_object));
    add_details(outcome, std::move(found.lines));
  } else if (trouble) {
    outcome = from_error(spec, *trouble);
  }
  outcome.measured = fmt::format("{} relations", found.relations);
  return outcome;
}

}  // namespace rad::postgresql
