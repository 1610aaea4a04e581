#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/sql_error.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

struct Tally {
  std::uint64_t tables = 0;
  std::uint64_t user_tables = 0;
  std::uint64_t user_rows = 0;
  std::uint64_t bytes = 0;
  std::optional<Error> first;  ///< the first that blames the backup, else the first
  std::vector<std::string> lines;

  void add(Error error) {
    lines.push_back(error.message);
    const bool blames = info(error.reason).blame == Blame::backup;
    if (!first || (blames && info(first->reason).blame != Blame::backup)) first = std::move(error);
  }
};

void tally_table(Tally& tally, CheckEnv& env, const DatabaseTables& entry, const Table& table) {
  const TableRead* read = env.reader.find(entry.database, table);
  if (read == nullptr) return;
  const std::string name = printable(entry.database.name + "." + table.text(), 300);
  if (read->error) {
    tally.add(explain(env, *read->error, "cannot read " + name, name));
    return;
  }
  ++tally.tables;
  tally.bytes += table.bytes;
  if (table.system) return;
  ++tally.user_tables;
  tally.user_rows += read->rows;
}

}  // namespace

CheckOutcome check_read_all(const protocol::CheckSpec& spec, CheckEnv& env) {
  const auto done =
      env.reader.read(env.context, [](const Database&, const Table&) { return true; });
  const auto catalog = env.reader.catalog(env.context);
  if (!done || !catalog) {
    return from_error(
        spec, explain(env, done ? catalog.error() : done.error(), "cannot list the databases"));
  }
  Tally tally;
  for (const DatabaseTables& entry : **catalog) {
    if (entry.error) {
      const std::string name = printable(entry.database.name, 100);
      tally.add(explain(env, *entry.error, fmt::format("cannot read database '{}'", name), name));
    }
    for (const Table& table : entry.tables) tally_table(tally, env, entry, table);
  }
  CheckOutcome outcome = pass(spec, Proof::data, "every table of every database was read");
  if (tally.first) {
    outcome = from_error(spec, *tally.first);
    add_details(outcome, std::move(tally.lines));
  } else if (tally.user_rows == 0 &&
             !sdk::boolean_option(spec.options, "allow_empty").value_or(false)) {
    outcome =
        from_error(spec, fail(Reason::check_failed,
                              tally.user_tables == 0 ? "the restored cluster has no user table"
                                                     : "no user table holds a row",
                              "set allow_empty if that is how it should be"));
  }
  outcome.measured = fmt::format("{} tables ({} of users with {} rows), {}", tally.tables,
                                 tally.user_tables, tally.user_rows, format_bytes(tally.bytes));
  return outcome;
}

}  // namespace rad::postgresql
