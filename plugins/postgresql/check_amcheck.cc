// The queries are those of pg_amcheck: its part is finding relations, ours too, but with a sample,
// a coverage, and an eye on collations that differ between hosts. The checking is the extension's.
#include <algorithm>
#include <mutex>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"
#include "plugins/postgresql/sql_error.h"
#include "plugins/postgresql/workers.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

constexpr const char* kRelations =
    "select c.oid, n.nspname || '.' || c.relname, c.relkind, pg_relation_size(c.oid) "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "left join pg_index i on i.indexrelid = c.oid "
    "where c.relpersistence <> 't' "
    "  and ((c.relkind in ('r', 'm', 't') and c.relam in (0, 2)) "
    "    or (c.relkind = 'i' and c.relam = 403 and i.indisvalid and i.indisready "
    "        and not exists (select from pg_class t where t.oid = i.indrelid "
    "                        and t.relpersistence = 't'))) "
    "order by 2";

// Keys whose order the host's C library decides, and decides anew with its version.
// Keys whose order the host's libraries decide, and may decide anew with their next version. "C" in
// all its spellings never changes, nor does what PostgreSQL itself provides ('b', 17 and later).
constexpr const char* kCollations =
    "select count(*) from (select unnest(indcollation::oid[]) as c from pg_index "
    "                      where indexrelid = $1::oid) k "
    "join pg_collation o on o.oid = k.c "
    "where o.collprovider <> 'b' "
    "  and not (o.collprovider = 'c' and (o.collcollate in ('C', 'POSIX') "
    "                                     or o.collcollate like 'C.%')) "
    "  and not (o.collprovider <> 'd' and o.collversion is not null "
    "           and o.collversion = pg_collation_actual_version(o.oid)) "
    "  and not (o.collprovider = 'd' and exists (select from pg_database d "
    "           where d.datname = current_database() "
    "             and (d.datcollate in ('C', 'POSIX') or d.datcollate like 'C.%' or {})))";

enum class Kind { heap, btree };

struct Relation {
  std::string database;
  std::string name;
  std::string oid;
  std::string schema;  ///< of the extension, quoted
  Kind kind = Kind::heap;
  std::uint64_t bytes = 0;
  // The worker's answer:
  std::vector<std::string> damage;
  std::optional<SqlError> error;
  bool collation_differs = false;

  std::string text() const { return printable(database + "." + name, 300); }
};

struct Options {
  double share = 1;
  std::int64_t seed = 0;
  bool heap = true;
  bool btree = true;
  bool heapallindexed = false;
};

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}

bool in_sample(const Relation& relation, const Options& options) {
  if (options.share >= 1) return true;
  const std::uint64_t hash = fnv1a(relation.database + "." + relation.name,
                                   0xcbf29ce484222325U ^ static_cast<std::uint64_t>(options.seed));
  return static_cast<double>((hash >> 16U) % 1'000'000U) < options.share * 1'000'000;
}

Result<Options> options_of(const protocol::CheckSpec& spec) {
  Options options;
  if (const auto sample = sdk::text_option(spec.options, "sample")) {
    const auto share = parse_tolerance(*sample);
    if (!share || share->share <= 0) {
      return fail(Reason::config_invalid,
                  fmt::format("sample '{}', expected a share such as 10%", printable(*sample, 40)));
    }
    options.share = share->share;
  }
  options.seed = sdk::integer_option(spec.options, "seed").value_or(0);
  options.heap = sdk::boolean_option(spec.options, "heap").value_or(true);
  options.btree = sdk::boolean_option(spec.options, "btree").value_or(true);
  options.heapallindexed = sdk::boolean_option(spec.options, "heapallindexed").value_or(false);
  if (!options.heap && !options.btree) {
    return fail(Reason::config_invalid, "'heap' and 'btree' are both false: nothing to check");
  }
  return options;
}

Error no_extension(const std::string& database, const SqlError& error) {
  Error result = sql_failure(
      error, fmt::format("cannot create the extension amcheck in '{}'", printable(database, 100)));
  // 58P01, 0A000: the control file is not there.
  if (error.sqlstate == "58P01" || error.sqlstate == "0A000") {
    result.reason = Reason::tool_missing;
    result.hint = "install the contrib modules of this major version (Debian: in postgresql-NN)";
  }
  return result;
}

/// Schema of the extension, made or brought up to date.
Result<std::string> prepare_extension(CheckEnv& env, const std::string& database) {
  SessionOptions options;
  options.read_only = false;
  auto connection = Connection::open(env.address(), database, options, env.context.stop_token());
  if (!connection) {
    return explain(env, connection.error(),
                   fmt::format("cannot connect to database '{}'", printable(database, 100)));
  }
  for (const char* statement : {"create extension if not exists amcheck with schema pg_catalog",
                                "alter extension amcheck update"}) {
    const auto done = connection->query(statement);
    if (!done && done.error().lost) return explain(env, done.error(), "amcheck");
    if (!done) return no_extension(database, done.error());
  }
  const auto schema = connection->query(
      "select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace "
      "where e.extname = 'amcheck'");
  if (!schema) return explain(env, schema.error(), "cannot find the extension amcheck");
  if (schema->rows.empty()) return fail(Reason::check_error, "the extension amcheck is not there");
  return Connection::quote(schema->rows[0][0].value_or("pg_catalog"));
}

Status list_relations(CheckEnv& env, const std::string& database, const Options& options,
                      std::vector<Relation>& relations) {
  RAD_TRY(const std::string schema, prepare_extension(env, database));
  auto connection = Connection::open(env.address(), database, {}, env.context.stop_token());
  if (!connection) return explain(env, connection.error(), "cannot connect");
  const auto rows = connection->query(kRelations);
  if (!rows) return explain(env, rows.error(), "cannot list the relations", database);
  const bool has_heap = env.address().major == 0 || env.address().major >= 14;
  for (const auto& row : rows->rows) {
    Relation relation;
    relation.database = database;
    relation.oid = row[0].value_or("0");
    relation.name = row[1].value_or("?");
    relation.schema = schema;
    relation.kind = row[2] == "i" ? Kind::btree : Kind::heap;
    relation.bytes = std::strtoull(row[3].value_or("0").c_str(), nullptr, 10);
    const bool wanted = relation.kind == Kind::heap ? options.heap && has_heap : options.btree;
    if (wanted) relations.push_back(std::move(relation));
  }
  return {};
}

std::optional<SqlError> check_heap(Connection& connection, Relation& relation,
                                   const Connection::Tick& tick) {
  constexpr std::size_t kMaxMessages = 20;
  const auto rows = connection.query(
      fmt::format("select blkno, offnum, msg from {}.verify_heapam(relation => $1::oid::regclass, "
                  "on_error_stop => false, check_toast => true)",
                  relation.schema),
      {relation.oid}, kMaxMessages, tick);
  if (!rows) return rows.error();
  for (const auto& row : rows->rows) {
    relation.damage.push_back(fmt::format("{} block {} item {}: {}", relation.text(),
                                          row[0].value_or("?"), row[1].value_or("?"),
                                          printable(row[2].value_or("?"), 300)));
  }
  return std::nullopt;
}

bool collation_may_differ(Connection& connection, const Relation& relation, int major) {
  const char* same_version = major >= 15 ? "(d.datcollversion is not null and d.datcollversion = "
                                           "pg_database_collation_actual_version(d.oid))"
                                         : "false";
  const auto rows =
      connection.query(fmt::format(fmt::runtime(kCollations), same_version), {relation.oid});
  return rows && rows->rows.at(0).at(0) != "0";
}

std::optional<SqlError> check_btree(Connection& connection, Relation& relation,
                                    const Options& options, int major,
                                    const Connection::Tick& tick) {
  const auto rows = connection.query(
      fmt::format("select {}.bt_index_check(index => $1::oid::regclass, heapallindexed => {})",
                  relation.schema, options.heapallindexed),
      {relation.oid}, SIZE_MAX, tick);
  if (rows) return std::nullopt;
  const bool order = rows.error().message.find("order invariant") != std::string::npos;
  if (order && collation_may_differ(connection, relation, major)) {
    relation.collation_differs = true;
    return std::nullopt;
  }
  return rows.error();
}

std::vector<Job> jobs_for(std::vector<Relation>& relations, const Options& options, int major) {
  std::vector<Job> jobs;
  for (Relation& relation : relations) {
    Job job;
    job.database = relation.database;
    job.label = relation.text();
    job.bytes = relation.bytes;
    job.work = [&relation, &options, major](Connection& connection, const Connection::Tick& tick) {
      return relation.kind == Kind::heap ? check_heap(connection, relation, tick)
                                         : check_btree(connection, relation, options, major, tick);
    };
    job.failed = [&relation](const SqlError& error) { relation.error = error; };
    jobs.push_back(std::move(job));
  }
  return jobs;
}

struct Findings {
  std::vector<std::string> lines;
  std::string object;
  std::optional<Error> trouble;  ///< does not blame the backup
  std::vector<std::string> collations;
};

Findings sort_answers(CheckEnv& env, const std::vector<Relation>& relations) {
  Findings found;
  for (const Relation& relation : relations) {
    if (relation.collation_differs) found.collations.push_back(relation.text());
    std::vector<std::string> lines = relation.damage;
    if (relation.error) {
      Error error = explain(env, *relation.error, relation.text(), relation.text());
      if (info(error.reason).blame == Blame::backup) {
        lines.push_back(std::move(error.message));
      } else if (!found.trouble) {
        found.trouble = std::move(error);
      }
    }
    if (lines.empty()) continue;
    if (found.object.empty()) found.object = relation.text();
    for (std::string& line : lines) found.lines.push_back(std::move(line));
  }
  return found;
}

CheckOutcome conclude(const protocol::CheckSpec& spec, Findings found) {
  if (!found.lines.empty()) {
    CheckOutcome outcome =
        from_error(spec, fail(Reason::check_failed, found.lines.front(), "", found.object));
    add_details(outcome, std::move(found.lines));
    return outcome;
  }
  if (found.trouble) return from_error(spec, *found.trouble);
  if (!found.collations.empty()) {
    CheckOutcome outcome = from_error(
        spec,
        fail(Reason::locale_missing,
             fmt::format("{} is not in the order of this host's locale, which may differ from "
                         "the order of the source's",
                         found.collations.front()),
             "test on a host with the C library of the source, or rely on indexes with "
             "collation C",
             found.collations.front()));
    add_details(outcome, std::move(found.collations));
    return outcome;
  }
  return pass(spec, Proof::data, "no damage found in heaps and B-trees");
}

}  // namespace

Status validate_amcheck(const protocol::CheckSpec& spec) {
  RAD_CHECK(options_of(spec));
  return {};
}

CheckOutcome check_amcheck(const protocol::CheckSpec& spec, CheckEnv& env) {
  const auto options = options_of(spec);
  if (!options) return from_error(spec, options.error());
  const auto catalog = env.reader.catalog(env.context);
  if (!catalog) return from_error(spec, explain(env, catalog.error(), "cannot list the databases"));
  std::vector<Relation> all;
  for (const DatabaseTables& entry : **catalog) {
    if (const auto listed = list_relations(env, entry.database.name, *options, all); !listed) {
      return from_error(spec, listed.error());
    }
  }
  std::vector<Relation> chosen;
  std::uint64_t all_bytes = 0;
  std::uint64_t bytes = 0;
  for (const Relation& relation : all) {
    all_bytes += relation.bytes;
    if (!in_sample(relation, *options)) continue;
    bytes += relation.bytes;
    chosen.push_back(relation);
  }
  if (chosen.empty()) {
    return from_error(spec, fail(Reason::check_error, "the sample holds no relation",
                                 "raise 'sample' or change 'seed'"));
  }
  run_jobs(env.address(), {}, jobs_for(chosen, *options, env.address().major),
           parallel_of(spec, env), env.context);
  CheckOutcome outcome = conclude(spec, sort_answers(env, chosen));
  outcome.measured = fmt::format("{} of {} relations, {} of {}", chosen.size(), all.size(),
                                 format_bytes(bytes), format_bytes(all_bytes));
  return outcome;
}

}  // namespace rad::postgresql
