#include "tests/unit/protocol/examples.h"

#include "agent/base/text.h"

namespace rad::protocol::examples {
namespace {

using boost::json::array;
using boost::json::object;

Finding finding() {
  return {"unfinished_backup", "a newer backup has no sentinel yet",
          "base_000000010000000000000005_00000040"};
}

}  // namespace

Error error() {
  Error made = fail(Reason::truncated, "object 'part_00000002.tar.lzo' ends after 3 of 9 bytes",
                    "look at the log of the push", "basebackups_005/x/part_00000002.tar.lzo");
  made.offset = 3;
  made.retryable = true;
  made.detail = "gpg: decryption failed";
  return made;
}

PluginInfo plugin_info() {
  PluginInfo info;
  info.name = "example";
  info.version = "1.2.3";
  info.roles = {Role::restore, Role::check};
  info.produces = {"postgresql_data_directory"};
  info.consumes = {"directory"};
  OptionInfo option;
  option.key = "unfinished_after";
  option.type = "duration";
  option.required = true;
  option.secret = true;
  option.default_text = "24h";
  option.allowed = {"one", "two"};
  option.summary = "age from which an unfinished backup is a fault";
  option.min = 1;
  option.max = 86400.5;
  info.options = {option};
  CheckInfo check;
  check.type = "backup_age";
  check.depths = {Depth::inspect, Depth::verify, Depth::restore};
  check.proof = Proof::metadata;
  check.by_default = true;
  check.summary = "the newest backup is young enough";
  check.options = {option};
  info.checks = {check};
  return info;
}

InitializeParams initialize_params() {
  InitializeParams params;
  params.versions = {1, 2};
  params.run_id = "20261102-060000-customers-db";
  params.target = "customers-db";
  params.depth = Depth::verify;
  params.scratch_dir = "/var/lib/rad-agent/scratch/r/wal_e";
  params.runtime_dir = "/run/rad-agent/1a2b3c4d/p";
  params.account = "rad-plugin";
  params.options = {{"envdir", "/etc/wal-e.d/env"}, {"parallel", 2}};
  params.checks = {{"age", "backup_age", object{{"max", "26h"}}}};
  params.backup_version = "15";
  return params;
}

PreflightResult preflight_result() {
  PreflightResult result;
  result.backup.name = "base_000000010000000000000003_00000040";
  result.backup.finished_at = parse_time("2026-11-20T18:44:51.715Z").value();
  result.backup.stored_bytes = 4'000'000'000;
  result.backup.expanded_bytes = 20'000'000'000;
  result.backup.archive_end = "000000010000000000000007";
  result.backup.version = "15";
  result.scratch_bytes_needed = 21'000'000'000;
  result.isolation = "pid,ipc,mount namespaces";
  result.findings = {finding()};
  return result;
}

ReadResult read_result() {
  return {4'000'000'000, {finding()}};
}

RestoreResult restore_result() {
  RestoreResult result;
  result.artifact.kind = "postgresql_data_directory";
  result.artifact.path = "/var/lib/rad-agent/scratch/r/wal_e/data";
  result.artifact.properties = {
      {"major", 15},
      {"system_identifier", "7574801234567890123"},
      {"tablespaces", array{object{{"oid", "16400"}, {"path", "/scratch/tablespaces/16400"}}}},
      {"restore_command", array{"/usr/lib/rad-agent/libexec/rad-wal-fetch", "/run/x/wal.sock"}},
      {"backup_start_lsn", "0/3000028"},
      {"backup_stop_lsn", "0/3000100"},
      {"offline", false},
      {"recover_to", object{{"kind", "name"}, {"value", "before_upgrade"}}},
      {"archive_end", object{{"segment", "000000010000000000000007"},
                             {"timeline", 1},
                             {"last_record_lsn", "0/721B598"},
                             {"clean", true}}},
      {"wal_segment_bytes", 16777216},
      {"timelines", array{1}},
      {"suspect_pages", array{object{{"path", "base/5/16385"}, {"block", 7}}}},
      {"links_left_out", array{"pg_wal -> /mnt/wal"}}};
  result.bytes_read = 4'000'000'000;
  result.bytes_restored = 20'000'000'000;
  result.findings = {finding()};
  return result;
}

StartResult start_result() {
  StartResult result;
  result.endpoint.kind = "postgresql";
  result.endpoint.properties = {{"socket_dir", "/run/rad-agent/1a2b3c4d/p"},
                                {"port", 5432},
                                {"user", "postgres"},
                                {"pid", 9}};
  result.recovery.lsn = "0/721B598";
  result.recovery.last_transaction = parse_time("2026-11-20T18:50:00.001Z").value();
  result.recovery.timeline = 2;
  result.findings = {finding()};
  return result;
}

BackupsResult backups_result() {
  ListedBackup backup;
  backup.name = "base_000000010000000000000003_00000040";
  backup.started_at = parse_time("2026-11-20T18:40:00Z").value();
  backup.finished_at = parse_time("2026-11-20T18:44:51.715Z").value();
  backup.timeline = 1;
  backup.start_lsn = "0/3000028";
  backup.version = "15";
  backup.stored_bytes = 4'000'000'000;
  backup.complete = true;
  backup.note = "the sentinel was changed after the backup";
  BackupsResult result;
  result.backups = {backup};
  return result;
}

CheckParams check_params() {
  CheckParams params;
  params.endpoint = start_result().endpoint;
  params.checks = initialize_params().checks;
  return params;
}

CheckResult check_result() {
  CheckOutcome outcome;
  outcome.name = "rows";
  outcome.check = "row_counts";
  outcome.plugin = "postgresql";
  outcome.outcome = Outcome::fail;
  outcome.reason = Reason::row_count_mismatch;
  outcome.proof = Proof::data;
  outcome.message = "1 of 9 tables has too few rows";
  outcome.hint = "compare with the source";
  outcome.object = "shop.public.orders";
  outcome.measured = "98 rows";
  outcome.expected = "100 rows";
  outcome.details = {"shop.public.orders: 98 rows, expected 100"};
  outcome.duration = std::chrono::milliseconds(1250);
  return {{outcome}, "/var/lib/rad-agent/scratch/r/p/outcomes.json"};
}

DiagnoseParams diagnose_params() {
  return {Stage::recover, error()};
}

DiagnoseResult diagnose_result() {
  DiagnoseResult result;
  result.cause = error();
  return result;
}

CleanupResult cleanup_result() {
  return {20'000'000'000};
}
GcParams gc_params() {
  return {{"20261102-060000-customers-db"}};
}
GcResult gc_result() {
  return {{"disk rad-20261002 of subscription test"}};
}
Progress progress() {
  return {1048576, 52428800, "part_00000000.tar.lzo"};
}
LogLine log_line() {
  return {"warning", "the keyring holds an expired key"};
}

}  // namespace rad::protocol::examples
