#include "plugins/postgresql/checks.h"

namespace rad::postgresql {
namespace {

using protocol::OptionInfo;

OptionInfo option(std::string key, std::string type, std::string summary,
                  std::string default_text = "", std::vector<std::string> allowed = {}) {
  OptionInfo info;
  info.key = std::move(key);
  info.type = std::move(type);
  info.summary = std::move(summary);
  info.default_text = std::move(default_text);
  info.allowed = std::move(allowed);
  return info;
}

OptionInfo required(OptionInfo info) {
  info.required = true;
  return info;
}

OptionInfo parallel() {
  return option("parallel", "integer", "connections at once; default: the plugin's option");
}

OptionInfo database() {
  return option("database", "string", "database to connect to", "postgres");
}

OptionInfo search_path() {
  return option("search_path", "string", "schemas for names without one; pg_catalog comes first",
                "public");
}

protocol::CheckInfo check(std::string type, Proof proof, bool by_default, std::string summary,
                          std::vector<OptionInfo> options) {
  protocol::CheckInfo info;
  info.type = std::move(type);
  info.depths = {Depth::restore};
  info.proof = proof;
  info.by_default = by_default;
  info.summary = std::move(summary);
  info.options = std::move(options);
  return info;
}

std::vector<OptionInfo> row_counts_options() {
  return {
      option("manifest", "path", "file of expected counts; without it no table may be empty"),
      option("tolerance", "string", "how far counts may be off: 1% or a number of rows",
             "that of the manifest, else 0"),
      option("unlisted", "enum", "tables that the manifest does not name", "ignore",
             {"ignore", "warn", "fail"}),
      option("empty", "list", "without manifest: tables that may be empty, database.schema.table")};
}

std::vector<OptionInfo> sql_options() {
  return {database(),
          required(option("query", "string", "one statement that gives one row with one column")),
          option("min", "number", "smallest right number; without any bound a boolean is expected"),
          option("max", "number", "largest right number"),
          option("equals", "number", "the only right number"),
          option("statement_timeout", "duration", "limit for the query", "none"),
          search_path(),
          option("show_value", "boolean", "put the number into reports", "false")};
}

std::vector<OptionInfo> freshness_options() {
  return {database(),
          option("query", "string", "one statement that gives one time stamp"),
          option("table", "string", "instead of query: schema.table"),
          option("column", "string", "with table: column whose greatest value counts"),
          required(option("max_age", "duration", "greatest age of the newest data")),
          option("reference", "enum", "what the age is counted from", "backup", {"backup", "now"}),
          search_path()};
}

std::vector<OptionInfo> amcheck_options() {
  return {
      option("sample", "string", "share of the relations, chosen by a hash of the name", "100%"),
      option("seed", "integer", "another number chooses another sample", "0"),
      option("heap", "boolean", "check tables (PostgreSQL 14 and later)", "true"),
      option("btree", "boolean", "check B-tree indexes", "true"),
      option("heapallindexed", "boolean", "also look up every row in every index", "false"),
      parallel()};
}

std::vector<CheckType> make_types() {
  return {
      {check("recovery_point", Proof::metadata, true,
             "recovery went to its target or to the end of the archive", {}),
       check_recovery_point, nullptr},
      {check("relation_files", Proof::metadata, true,
             "every relation in the catalogs has its files, without holes", {}),
       check_relation_files, nullptr},
      {check(
           "read_all", Proof::data, true, "every table of every database can be read",
           {option("allow_empty", "boolean", "a cluster without a single row is right", "false")}),
       check_read_all, nullptr},
      {check("row_counts", Proof::data, false, "tables have the rows that a file says",
             row_counts_options()),
       check_row_counts, validate_row_counts},
      {check("sql", Proof::data, false, "a query answers true, or a number within bounds",
             sql_options()),
       check_sql, validate_sql},
      {check("freshness", Proof::data, false, "the newest row is young enough",
             freshness_options()),
       check_freshness, validate_freshness},
      {check("amcheck", Proof::data, false, "heaps and B-trees are sound in their structure",
             amcheck_options()),
       check_amcheck, validate_amcheck},
      {check("page_checksums", Proof::data, true,
             "pages on disk match their checksums after recovery",
             {option(
                 "scope", "enum",
                 "suspects: relations with a page that was suspect in the backup; all: every page",
                 "suspects", {"suspects", "all"})}),
       check_page_checksums, nullptr},
  };
}

}  // namespace

const std::vector<CheckType>& check_types() {
  static const std::vector<CheckType> types = make_types();
  return types;
}

}  // namespace rad::postgresql
