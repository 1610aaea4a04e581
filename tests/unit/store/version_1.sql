-- A store as schema version 1 wrote it (sqlite3 rad.db .dump, with the three settings that a dump
-- leaves out): ten runs of two targets, one of them going on. Never changed.
PRAGMA journal_mode=WAL;
PRAGMA application_id=1918985281;
PRAGMA user_version=1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO runs VALUES('20261101T033001-00000001','customers-db','daily','verify',1793586600000,1793586661000,'pass',NULL,'clean','{"id":"20261101T033001-00000001","target":"customers-db","schedule":"daily","depth":"verify","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-02T02:30:00.000Z","ended_at":"2026-11-02T02:31:01.000Z","backup":{"name":"base_000000010000000000000001_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-02T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"pass","cause":null,"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":1000,"bytes_restored":5000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033002-00000002','customers-db','rad','restore',1793673000000,1793673062000,'fail','wal_gap','clean','{"id":"20261101T033002-00000002","target":"customers-db","schedule":"rad","depth":"restore","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-03T02:30:00.000Z","ended_at":"2026-11-03T02:31:02.000Z","backup":{"name":"base_000000010000000000000002_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-03T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"fail","cause":{"reason":"wal_gap","message":"segment 000000010000000000000005 is missing","hint":"","object":"","offset":null,"retryable":false,"detail":""},"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":2000,"bytes_restored":10000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033003-00000003','customers-db','daily','verify',1793759400000,1793759463000,'inconclusive','timeout','clean','{"id":"20261101T033003-00000003","target":"customers-db","schedule":"daily","depth":"verify","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-04T02:30:00.000Z","ended_at":"2026-11-04T02:31:03.000Z","backup":{"name":"base_000000010000000000000003_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-04T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"inconclusive","cause":{"reason":"timeout","message":"stage fetch made no progress for 10 m","hint":"","object":"","offset":null,"retryable":false,"detail":""},"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":3000,"bytes_restored":15000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033004-00000004','customers-db','rad','restore',1793845800000,1793845864000,'pass',NULL,'clean','{"id":"20261101T033004-00000004","target":"customers-db","schedule":"rad","depth":"restore","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-05T02:30:00.000Z","ended_at":"2026-11-05T02:31:04.000Z","backup":{"name":"base_000000010000000000000004_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-05T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"pass","cause":null,"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":4000,"bytes_restored":20000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033005-00000005','customers-db','daily','verify',1793932200000,1793932265000,'fail','wal_gap','clean','{"id":"20261101T033005-00000005","target":"customers-db","schedule":"daily","depth":"verify","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-06T02:30:00.000Z","ended_at":"2026-11-06T02:31:05.000Z","backup":{"name":"base_000000010000000000000005_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-06T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"fail","cause":{"reason":"wal_gap","message":"segment 000000010000000000000005 is missing","hint":"","object":"","offset":null,"retryable":false,"detail":""},"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":5000,"bytes_restored":25000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033006-00000006','orders-db','rad','restore',1794018600000,1794018666000,'pass',NULL,'clean','{"id":"20261101T033006-00000006","target":"orders-db","schedule":"rad","depth":"restore","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-07T02:30:00.000Z","ended_at":"2026-11-07T02:31:06.000Z","backup":{"name":"base_000000010000000000000006_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-07T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"pass","cause":null,"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":6000,"bytes_restored":30000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033007-00000007','orders-db','daily','verify',1794105000000,1794105067000,'fail','wal_gap','clean','{"id":"20261101T033007-00000007","target":"orders-db","schedule":"daily","depth":"verify","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-08T02:30:00.000Z","ended_at":"2026-11-08T02:31:07.000Z","backup":{"name":"base_000000010000000000000007_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-08T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"fail","cause":{"reason":"wal_gap","message":"segment 000000010000000000000005 is missing","hint":"","object":"","offset":null,"retryable":false,"detail":""},"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":7000,"bytes_restored":35000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033008-00000008','orders-db','rad','restore',1794191400000,1794191468000,'inconclusive','timeout','clean','{"id":"20261101T033008-00000008","target":"orders-db","schedule":"rad","depth":"restore","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-09T02:30:00.000Z","ended_at":"2026-11-09T02:31:08.000Z","backup":{"name":"base_000000010000000000000008_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-09T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"inconclusive","cause":{"reason":"timeout","message":"stage fetch made no progress for 10 m","hint":"","object":"","offset":null,"retryable":false,"detail":""},"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":8000,"bytes_restored":40000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033009-00000009','orders-db','daily','verify',1794277800000,1794277869000,'pass',NULL,'clean','{"id":"20261101T033009-00000009","target":"orders-db","schedule":"daily","depth":"verify","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-10T02:30:00.000Z","ended_at":"2026-11-10T02:31:09.000Z","backup":{"name":"base_000000010000000000000009_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-10T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":"pass","cause":null,"cleanup":"clean","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":9000,"bytes_restored":45000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
INSERT INTO runs VALUES('20261101T033000-00000000','orders-db','rad','restore',1794364200000,NULL,NULL,NULL,'pending','{"id":"20261101T033000-00000000","target":"orders-db","schedule":"rad","depth":"restore","requested_by":"schedule","request_note":"","host":"restore1","agent_version":"0.1.0","created_at":"2026-11-11T02:30:00.000Z","ended_at":null,"backup":{"name":"base_000000010000000000000000_00000040","finished_at":null,"stored_bytes":0,"expanded_bytes":0,"archive_end":"","version":""},"recovery":{"lsn":"","last_transaction":null,"timeline":0},"isolation":"","stages":[{"stage":"preflight","started_at":"2026-11-11T02:30:00.000Z","ended_at":null,"bytes_done":0,"bytes_total":0,"error":null}],"checks":[],"findings":[],"faults":[],"verdict":null,"cause":null,"cleanup":"pending","cleanup_message":"","kept_path":"","kept_until":null,"bytes_read":10000,"bytes_restored":50000,"measured_rto_seconds":null,"measured_rpo_seconds":null,"rto_target_seconds":null,"rpo_target_seconds":null}');
CREATE TABLE latest_runs (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  depth TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  created_at INTEGER NOT NULL,
  last_success INTEGER,
  PRIMARY KEY (target, schedule, depth)
) STRICT, WITHOUT ROWID;
INSERT INTO latest_runs VALUES('customers-db','daily','verify','20261101T033005-00000005',1793932200000,1793586661000);
INSERT INTO latest_runs VALUES('customers-db','rad','restore','20261101T033004-00000004',1793845800000,1793845864000);
INSERT INTO latest_runs VALUES('orders-db','daily','verify','20261101T033009-00000009',1794277800000,1794277869000);
INSERT INTO latest_runs VALUES('orders-db','rad','restore','20261101T033008-00000008',1794191400000,1794018666000);
CREATE TABLE ledger (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  path TEXT NOT NULL,
  marker TEXT NOT NULL,
  keep_until INTEGER,
  UNIQUE (run_id, path)
) STRICT;
INSERT INTO ledger VALUES(1,'20261101T033000-00000000','scratch_dir','/var/lib/rad-agent/scratch/20261101T033000-00000000','20261101T033000-00000000',NULL);
INSERT INTO ledger VALUES(2,'20261101T033009-00000009','kept','/var/lib/rad-agent/scratch/20261101T033009-00000009','20261101T033009-00000009',1794500000000);
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
INSERT INTO issues VALUES('issue_directory','customers-db','verify','/var/lib/rad-agent/issues/customers-db.md',1,1793672999000,2,'wal_gap','20261101T033005-00000005');
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
INSERT INTO schedules VALUES('customers-db','rad',1793500000000,1793600000000,NULL,1,NULL,'20261101T033004-00000004');
INSERT INTO schedules VALUES('orders-db','daily',1793500000000,NULL,1793800000000,2,1793800600000,'');
CREATE TABLE run_counts (
  target TEXT NOT NULL,
  schedule TEXT NOT NULL,
  depth TEXT NOT NULL,
  verdict TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (target, schedule, depth, verdict)
) STRICT, WITHOUT ROWID;
INSERT INTO run_counts VALUES('customers-db','daily','verify','fail',1);
INSERT INTO run_counts VALUES('customers-db','daily','verify','inconclusive',1);
INSERT INTO run_counts VALUES('customers-db','daily','verify','pass',1);
INSERT INTO run_counts VALUES('customers-db','rad','restore','fail',1);
INSERT INTO run_counts VALUES('customers-db','rad','restore','pass',1);
INSERT INTO run_counts VALUES('orders-db','daily','verify','fail',1);
INSERT INTO run_counts VALUES('orders-db','daily','verify','pass',1);
INSERT INTO run_counts VALUES('orders-db','rad','restore','inconclusive',1);
INSERT INTO run_counts VALUES('orders-db','rad','restore','pass',1);
CREATE TABLE failure_counts (
  target TEXT NOT NULL,
  reason TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (target, reason)
) STRICT, WITHOUT ROWID;
INSERT INTO failure_counts VALUES('customers-db','timeout',1);
INSERT INTO failure_counts VALUES('customers-db','wal_gap',2);
INSERT INTO failure_counts VALUES('orders-db','timeout',1);
INSERT INTO failure_counts VALUES('orders-db','wal_gap',1);
CREATE TABLE byte_counts (
  target TEXT PRIMARY KEY NOT NULL,
  read INTEGER NOT NULL,
  restored INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO byte_counts VALUES('customers-db',15000,75000);
INSERT INTO byte_counts VALUES('orders-db',30000,150000);
CREATE TABLE report_error_counts (
  reporter TEXT PRIMARY KEY NOT NULL,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO report_error_counts VALUES('issue_directory',1);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('ledger',2);
CREATE INDEX runs_by_time ON runs (created_at);
CREATE INDEX runs_by_target ON runs (target, created_at);
CREATE INDEX runs_unfinished ON runs (created_at) WHERE ended_at IS NULL;
COMMIT;
