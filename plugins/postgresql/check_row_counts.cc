#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

/// What is wrong, and what stands in the way of knowing.
struct Comparison {
  std::size_t compared = 0;
  std::vector<std::string> wrong;
  std::vector<std::string> notes;  ///< do not make it fail
  std::string object;              ///< first one at fault
  std::optional<Error> trouble;

  void blame(const std::string& name, const std::string& why) {
    if (object.empty()) object = printable(name, 300);
    wrong.push_back(printable(name + ": " + why, 400));
  }
};

const DatabaseTables* find_database(const std::vector<DatabaseTables>& catalog,
                                    const std::string& name) {
  const auto found = std::ranges::find_if(
      catalog, [&](const DatabaseTables& entry) { return entry.database.name == name; });
  return found == catalog.end() ? nullptr : &*found;
}

const Table* find_table(const DatabaseTables& entry, const TableName& name) {
  const auto found = std::ranges::find_if(entry.tables, [&](const Table& table) {
    return table.schema == name.first && table.name == name.second;
  });
  return found == entry.tables.end() ? nullptr : &*found;
}

void compare_table(Comparison& result, CheckEnv& env, const DatabaseTables& entry,
                   const Table& table, const Expectation& expected, const Tolerance& tolerance) {
  const std::string name = entry.database.name + "." + table.text();
  if (table.persistence == 'u') {
    result.notes.push_back(printable(name, 300) + ": unlogged, empty after every recovery");
    return;
  }
  if (table.kind == 'f') {
    result.notes.push_back(printable(name, 300) +
                           ": a foreign table, its rows are not in the backup");
    return;
  }
  if (!table.populated) {
    if (!expected.empty) result.blame(name, "materialized view without data");
    return;
  }
  const auto rows = env.reader.rows(entry, table);
  if (!rows) {
    const TableRead* read = env.reader.find(entry.database, table);
    Error error = read != nullptr && read->error
                      ? explain(env, *read->error, "cannot count " + printable(name, 300), name)
                      : fail(Reason::check_failed, fmt::format("cannot count every partition of {}",
                                                               printable(name, 300)));
    if (info(error.reason).blame == Blame::backup) {
      result.blame(name, "cannot be read: " + error.message);
    } else if (!result.trouble) {
      result.trouble = std::move(error);
    }
    return;
  }
  ++result.compared;
  if (const auto why = judge_rows(*rows, expected, tolerance)) result.blame(name, *why);
}

void compare_manifest(Comparison& result, CheckEnv& env, const std::vector<DatabaseTables>& catalog,
                      const RowManifest& manifest, const Tolerance& tolerance) {
  for (const auto& [database, tables] : manifest.databases) {
    const DatabaseTables* entry = find_database(catalog, database);
    if (entry == nullptr) {
      result.blame(database, "the database is missing");
      continue;
    }
    if (entry->error) {
      result.trouble = explain(env, *entry->error,
                               fmt::format("cannot read database '{}'", printable(database, 100)));
      continue;
    }
    for (const auto& [name, expected] : tables) {
      const Table* table = find_table(*entry, name);
      if (table == nullptr) {
        result.blame(database + "." + name.first + "." + name.second, "the table is missing");
        continue;
      }
      compare_table(result, env, *entry, *table, expected, tolerance);
    }
  }
}

bool is_listed(const RowManifest& manifest, const DatabaseTables& entry, const Table& table) {
  const auto database = manifest.databases.find(entry.database.name);
  if (database == manifest.databases.end()) return false;
  const Table* current = &table;
  for (int depth = 0; depth < 32; ++depth) {
    if (database->second.contains({current->schema, current->name})) return true;
    const auto parent = std::ranges::find(entry.tables, current->parent, &Table::oid);
    if (current->parent == 0 || parent == entry.tables.end()) return false;
    current = &*parent;
  }
  return false;
}

void look_for_unlisted(Comparison& result, const std::vector<DatabaseTables>& catalog,
                       const RowManifest& manifest, const std::string& how) {
  if (how == "ignore") return;
  for (const DatabaseTables& entry : catalog) {
    for (const Table& table : entry.tables) {
      if (table.system || table.kind == 'p' || table.kind == 'f') continue;
      if (is_listed(manifest, entry, table)) continue;
      const std::string name = entry.database.name + "." + table.text();
      if (how == "fail") {
        result.blame(name, "not in the manifest");
      } else {
        result.notes.push_back(printable(name, 300) + ": not in the manifest");
      }
    }
  }
}

// Without a manifest the one thing that can be asked is that no table is empty; a partition may be,
// if its whole table is not.
void compare_without_manifest(Comparison& result, CheckEnv& env,
                              const std::vector<DatabaseTables>& catalog,
                              const std::set<std::string>& declared_empty) {
  Expectation any_rows;
  any_rows.min = 0;
  for (const DatabaseTables& entry : catalog) {
    if (entry.error) {
      result.trouble = explain(env, *entry.error, "cannot read a database");
      continue;
    }
    for (const Table& table : entry.tables) {
      if (table.system || table.partition || table.kind == 'f') continue;
      Expectation expected = any_rows;
      expected.empty = declared_empty.contains(entry.database.name + "." + table.text());
      compare_table(result, env, entry, table, expected, {});
    }
  }
}

std::set<std::string> declared_empty_of(const protocol::CheckSpec& spec) {
  std::set<std::string> names;
  if (const auto list = json::get_array(spec.options, "empty")) {
    for (const auto& item : *list) {
      if (item.is_string()) names.emplace(item.get_string());
    }
  }
  return names;
}

CheckOutcome conclude(const protocol::CheckSpec& spec, Comparison result) {
  CheckOutcome outcome = pass(spec, Proof::data, "every table has the rows it must have");
  if (!result.wrong.empty()) {
    outcome =
        from_error(spec, fail(Reason::row_count_mismatch, result.wrong.front(), "", result.object));
    if (result.wrong.size() > 1) {
      outcome.message += fmt::format(" (and {} more)", result.wrong.size() - 1);
    }
  } else if (result.trouble) {
    outcome = from_error(spec, *result.trouble);
  } else if (result.compared == 0) {
    outcome = from_error(spec, fail(Reason::check_error, "there was no table to compare"));
  }
  outcome.measured = fmt::format("{} of {} tables as expected",
                                 result.compared - std::min(result.compared, result.wrong.size()),
                                 std::max(result.compared, result.wrong.size()));
  outcome.expected = "all";
  std::vector<std::string> lines = std::move(result.wrong);
  for (std::string& note : result.notes) lines.push_back(std::move(note));
  add_details(outcome, std::move(lines));
  return outcome;
}

}  // namespace

Status validate_row_counts(const protocol::CheckSpec& spec) {
  if (const auto tolerance = sdk::text_option(spec.options, "tolerance")) {
    RAD_CHECK(parse_tolerance(*tolerance));
  }
  return {};
}

CheckOutcome check_row_counts(const protocol::CheckSpec& spec, CheckEnv& env) {
  const auto catalog = env.reader.catalog(env.context);
  if (!catalog) return from_error(spec, explain(env, catalog.error(), "cannot list the databases"));
  const auto manifest = env.manifests.find(spec.name);
  const bool listed_only = manifest != env.manifests.end();
  const auto wanted = [&](const Database& database, const Table& table) {
    const DatabaseTables* entry = find_database(**catalog, database.name);
    return !table.system && (!listed_only || is_listed(manifest->second, *entry, table));
  };
  const auto read = env.reader.read(env.context, wanted);
  if (!read) return from_error(spec, explain(env, read.error(), "cannot read the tables"));

  Comparison result;
  if (!listed_only) {
    compare_without_manifest(result, env, **catalog, declared_empty_of(spec));
    return conclude(spec, std::move(result));
  }
  Tolerance tolerance = manifest->second.tolerance.value_or(Tolerance{});
  if (const auto text = sdk::text_option(spec.options, "tolerance")) {
    const auto parsed = parse_tolerance(*text);
    if (!parsed) return from_error(spec, parsed.error());
    tolerance = *parsed;
  }
  compare_manifest(result, env, **catalog, manifest->second, tolerance);
  look_for_unlisted(result, **catalog, manifest->second,
                    sdk::text_option(spec.options, "unlisted").value_or("ignore"));
  return conclude(spec, std::move(result));
}

}  // namespace rad::postgresql
