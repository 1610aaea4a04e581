#include "agent/store/schema.h"

#include <array>

#include <fmt/format.h>

namespace rad::store {
namespace {

// Entry i takes a file from user_version i to i + 1. Entries are never changed once released.
// Instants are milliseconds since 1970 UTC; words are spelled as in agent/model/words.h.
constexpr std::array kMigrations{
    R"sql(
CREATE TABLE runs (
  id TEXT PRIMARY KEY NOT NULL,
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  depth TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  verdict TEXT,
  reason TEXT,
  cleanup TEXT NOT NULL,
  report TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_by_target ON runs (target, created_at);
CREATE INDEX runs_unfinished ON runs (created_at) WHERE ended_at IS NULL;

CREATE TABLE latest_runs (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  depth TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  created_at INTEGER NOT NULL,
  last_success INTEGER,
  PRIMARY KEY (target, schedule, depth)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  marker TEXT NOT NULL,
  keep_until INTEGER,
  UNIQUE (run_id, path)
) STRICT;

CREATE TABLE issues (
  reporter TEXT NOT NULL,
  target TEXT NOT NULL,
  depth TEXT NOT NULL,
  reference TEXT NOT NULL,
  open INTEGER NOT NULL,
  opened_at INTEGER NOT NULL,
  count INTEGER NOT NULL,
  last_reason TEXT NOT NULL,
  last_run_id TEXT NOT NULL,
  PRIMARY KEY (reporter, target, depth)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  first_seen INTEGER,
  slot_done INTEGER,
  slot_open INTEGER,
  attempts INTEGER NOT NULL,
  last_attempt INTEGER,
  last_run_id TEXT NOT NULL,
  PRIMARY KEY (target, schedule)
) STRICT, WITHOUT ROWID;

CREATE TABLE run_counts (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  depth TEXT NOT NULL,
  verdict TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (target, schedule, depth, verdict)
) STRICT, WITHOUT ROWID;

CREATE TABLE failure_counts (
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (target, reason)
) STRICT, WITHOUT ROWID;

CREATE TABLE byte_counts (
  target TEXT PRIMARY KEY NOT NULL,
  read INTEGER NOT NULL,
  restored INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE report_error_counts (
  reporter TEXT PRIMARY KEY NOT NULL,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
};

Status check_ownership(Database& database, std::int64_t version) {
  RAD_TRY(const auto application, database.query_integer("PRAGMA application_id"));
  RAD_TRY(const auto tables, database.query_integer("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (tables != 0 || version != 0)) {
    return fail(Reason::host_unfit,
                fmt::format("store '{}' is an SQLite file of another program", database.path()),
                "set agent.state_dir to a directory of the agent's own", database.path());
  }
  const auto known = static_cast<std::int64_t>(kMigrations.size());
  if (version < 0 || version > known) {
    return fail(Reason::host_unfit,
                fmt::format("store '{}' has schema version {}, this agent knows up to {}",
                            database.path(), version, known),
                "run the newer agent that made it, or move the file aside", database.path());
  }
  return {};
}

}  // namespace

Status migrate(Database& database) {
  {
    RAD_TRY(const auto version, database.query_integer("PRAGMA user_version"));
    RAD_CHECK(check_ownership(database, version));
    if (version == static_cast<std::int64_t>(kMigrations.size())) return {};
  }
  RAD_TRY(auto transaction, Transaction::begin(database));
  // Another process may have been faster while this one waited for the transaction.
  RAD_TRY(const auto version, database.query_integer("PRAGMA user_version"));
  RAD_CHECK(check_ownership(database, version));
  for (auto i = static_cast<std::size_t>(version); i < kMigrations.size(); ++i) {
    RAD_CHECK(database.execute(kMigrations[i]));
  }
  RAD_CHECK(database.execute(fmt::format("PRAGMA application_id={}; PRAGMA user_version={};",
                                         kApplicationId, kMigrations.size())));
  return transaction.commit();
}

}  // namespace rad::store
