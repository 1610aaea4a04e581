#include "agent/store/schema.h"

#include <array>

#include <fmt/format.h>

namespace rad::store {
namespace {

// Entry i takes a file from user_version i to i + 1. Entries are never changed once released.
// Instants are milliseconds since 1970 UTC; words are spelled as in agent/model.
constexpr const char* kVersion1 = R"sql(
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
)sql";

// runs is made anew so that the columns which lists need come before the report: reading beyond a
// report means reading all of it. What is in a report that cannot be read stays 0 and ''.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE new_runs (
  id TEXT PRIMARY KEY NOT NULL,
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  depth TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  verdict TEXT,
  reason TEXT,
  cleanup TEXT NOT NULL,
  requested_by TEXT NOT NULL DEFAULT '',
  as_configured INTEGER NOT NULL DEFAULT 1,
  backup TEXT NOT NULL DEFAULT '',
  bytes_read INTEGER NOT NULL DEFAULT 0,
  bytes_restored INTEGER NOT NULL DEFAULT 0,
  slot INTEGER,
  report TEXT NOT NULL
) STRICT;
INSERT INTO new_runs (id, target, schedule, depth, created_at, ended_at, verdict, reason, cleanup,
    requested_by, backup, bytes_read, bytes_restored, report)
  SELECT id, target, schedule, depth, created_at, ended_at, verdict, reason, cleanup,
    ifnull(CAST(json_extract(good, '$.requested_by') AS TEXT), ''),
    ifnull(CAST(json_extract(good, '$.backup.name') AS TEXT), ''),
    ifnull(CAST(json_extract(good, '$.bytes_read') AS INTEGER), 0),
    ifnull(CAST(json_extract(good, '$.bytes_restored') AS INTEGER), 0),
    report
  FROM (SELECT *, CASE WHEN json_valid(report) THEN report ELSE '{}' END AS good FROM runs)
  ORDER BY created_at, id;
DROP TABLE runs;
ALTER TABLE new_runs RENAME TO runs;
CREATE INDEX runs_by_time ON runs (created_at, id);
CREATE INDEX runs_by_target ON runs (target, created_at, id);
CREATE INDEX runs_by_verdict ON runs (verdict, created_at, id);
CREATE INDEX runs_unfinished ON runs (created_at, id) WHERE ended_at IS NULL;

ALTER TABLE latest_runs ADD COLUMN last_pass_id TEXT NOT NULL DEFAULT '';
UPDATE latest_runs SET last_pass_id = ifnull((
  SELECT id FROM runs WHERE runs.target = latest_runs.target
    AND runs.schedule = latest_runs.schedule AND runs.depth = latest_runs.depth
    AND runs.verdict = 'pass' AND runs.ended_at IS NOT NULL
  ORDER BY runs.ended_at DESC LIMIT 1), '');
CREATE INDEX latest_runs_by_run ON latest_runs (run_id);

CREATE TABLE new_schedules (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  first_seen INTEGER,
  slot_done INTEGER,
  PRIMARY KEY (target, schedule)
) STRICT, WITHOUT ROWID;
INSERT INTO new_schedules SELECT target, schedule, first_seen, slot_done FROM schedules;
DROP TABLE schedules;
ALTER TABLE new_schedules RENAME TO schedules;
-- Version 1 did not write down which slots had ended: what its runs answered is nobody's now.
UPDATE schedules SET first_seen = max(first_seen, ifnull((
  SELECT max(created_at) + 1 FROM runs WHERE runs.target = schedules.target
    AND runs.schedule = schedules.schedule AND runs.verdict IN ('pass', 'fail')), first_seen))
  WHERE first_seen IS NOT NULL AND slot_done IS NULL;

CREATE TABLE notes (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run_logs (
  run_id TEXT PRIMARY KEY NOT NULL,
  lines INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  cut INTEGER NOT NULL,
  last_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_logs_by_time ON run_logs (last_at);

CREATE TABLE run_log_lines (
  run_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  plugin TEXT NOT NULL,
  level TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE rotations (
  rotation TEXT PRIMARY KEY NOT NULL,
  round INTEGER NOT NULL,
  done TEXT NOT NULL,
  last_slot INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE missed_slots (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  slot INTEGER NOT NULL,
  cause TEXT NOT NULL,
  detail TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  PRIMARY KEY (target, schedule, slot)
) STRICT, WITHOUT ROWID;
CREATE INDEX missed_slots_by_slot ON missed_slots (slot);

CREATE TABLE missed_counts (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  cause TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (target, schedule, cause)
) STRICT, WITHOUT ROWID;

CREATE TABLE backups (
  target TEXT NOT NULL,
  name TEXT NOT NULL,
  finished_at INTEGER,
  first_seen INTEGER NOT NULL,
  PRIMARY KEY (target, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE pauses (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  owner TEXT NOT NULL,
  reason TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER,
  PRIMARY KEY (target, schedule)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  target TEXT NOT NULL,
  depth TEXT NOT NULL,
  schedule TEXT NOT NULL,
  backup TEXT NOT NULL,
  recover_to TEXT NOT NULL,
  hold_ms INTEGER,
  priority INTEGER NOT NULL,
  requested_by TEXT NOT NULL,
  note TEXT NOT NULL,
  requested_at INTEGER NOT NULL
) STRICT;

CREATE TABLE holds (
  run_id TEXT PRIMARY KEY NOT NULL,
  target TEXT NOT NULL,
  owner TEXT NOT NULL,
  note TEXT NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  state TEXT NOT NULL,
  socket_dir TEXT NOT NULL,
  port INTEGER NOT NULL,
  database TEXT NOT NULL,
  user TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  user TEXT NOT NULL,
  role TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  note TEXT NOT NULL,
  allowed INTEGER NOT NULL,
  outcome TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_subject ON audit (subject);
)sql";

constexpr std::array kMigrations{kVersion1, kVersion2};

Status check_ownership(Database& database, std::int64_t version) {
  RAD_TRY(const auto application, database.query_integer("PRAGMA application_id"));
  RAD_TRY(const auto tables, database.query_integer("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (tables != 0 || version != 0)) {
    database.note(StoreTrouble::foreign);
    return fail(Reason::config_invalid,
                fmt::format("store '{}' is an SQLite file of another program", database.path()),
                "set agent.state_dir to a directory of the agent's own", database.path());
  }
  const auto known = static_cast<std::int64_t>(kMigrations.size());
  if (version < 0 || version > known) {
    database.note(StoreTrouble::newer_version);
    return fail(Reason::config_invalid,
                fmt::format("store '{}' has schema version {}, this agent knows up to {}",
                            database.path(), version, known),
                "run the newer agent that made it, or move the file aside", database.path());
  }
  return {};
}

Status carry_out(Database& database) {
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

}  // namespace

Status migrate(Database& database) {
  RAD_TRY(const auto version, database.query_integer("PRAGMA user_version"));
  RAD_CHECK(check_ownership(database, version));
  if (version == static_cast<std::int64_t>(kMigrations.size())) return {};
  // A table that is made anew would take those that refer to it along; can only be changed outside
  // a transaction.
  RAD_CHECK(database.execute("PRAGMA foreign_keys=OFF"));
  Status done = carry_out(database);
  RAD_CHECK(database.execute("PRAGMA foreign_keys=ON"));
  return done;
}

void make_incremental(Database& database) {
  constexpr std::int64_t kIncremental = 2;
  const auto mode = database.query_integer("PRAGMA auto_vacuum");
  if (!mode || *mode == kIncremental) return;
  // Needs as much space again as the file has, and nobody beside us: if not now, then another day.
  (void)database.execute("PRAGMA auto_vacuum=INCREMENTAL; VACUUM;");
  database.note(StoreTrouble::none);
}

}  // namespace rad::store
