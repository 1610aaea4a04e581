#include "tests/unit/report/example_reports.h"

namespace rad::test {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// 2026-11-20T18:44:51.715Z
constexpr TimePoint kStart{milliseconds(1'795'200'291'715)};

void add_stage(RunReport& report, Stage stage, milliseconds took, std::uint64_t bytes = 0,
               std::optional<Error> error = {}) {
  const TimePoint began = report.stages.empty()
                              ? report.created_at
                              : report.stages.back().ended_at.value_or(report.created_at);
  report.stages.push_back({.stage = stage,
                           .started_at = began,
                           .ended_at = began + took,
                           .bytes_done = bytes,
                           .bytes_total = bytes,
                           .error = std::move(error)});
}

RunReport base(Depth depth) {
  RunReport report;
  report.id = "20261120T184451-1a2b3c4d";
  report.target = "customers-db";
  report.schedule = depth == Depth::restore ? "rad" : "daily";
  report.depth = depth;
  report.requested_by = "schedule";
  report.host = "restore1";
  report.agent_version = "0.1.0";
  report.created_at = kStart;
  report.isolation = "pid,ipc,mount namespaces";
  report.backup = {.name = "base_000000010000000000000003_00000040",
                   .finished_at = kStart - hours(4),
                   .stored_bytes = 12'900'000,
                   .expanded_bytes = 51'400'000,
                   .archive_end = "000000010000000000000007",
                   .version = "15"};
  report.rto_target = hours(4);
  report.rpo_target = minutes(15);
  return report;
}

}  // namespace

RunReport passed_restore() {
  RunReport report = base(Depth::restore);
  add_stage(report, Stage::preflight, milliseconds(812));
  add_stage(report, Stage::restore, milliseconds(4200), 51'400'000);
  add_stage(report, Stage::recover, milliseconds(2600), 33'554'432);
  add_stage(report, Stage::check, milliseconds(1900));
  add_stage(report, Stage::cleanup, milliseconds(350));
  report.ended_at = kStart + seconds(10);
  report.recovery = {.lsn = "0/721B598", .last_transaction = kStart - minutes(3), .timeline = 1};
  report.checks = {
      {.name = "backup_age",
       .check = "backup_age",
       .plugin = "wal_e",
       .outcome = Outcome::pass,
       .proof = Proof::metadata,
       .measured = "4h 0m",
       .expected = "at most 1d 2h",
       .duration = milliseconds(3)},
      {.name = "row_counts",
       .check = "row_counts",
       .plugin = "postgresql",
       .outcome = Outcome::pass,
       .proof = Proof::data,
       .measured = "9 tables, 41230 rows",
       .expected = "as in customers-rows.json",
       .duration = milliseconds(640)},
      {.name = "stream_page_checksums",
       .check = "stream_page_checksums",
       .plugin = "wal_e",
       .outcome = Outcome::pass,
       .proof = Proof::bytes,
       .measured = "6012 pages, 0 bad",
       .expected = "0 bad"},
      {.name = "wal_records",
       .check = "wal_records",
       .plugin = "wal_e",
       .outcome = Outcome::not_applicable},
  };
  report.findings = {{.code = "key_expired",
                      .message = "the key 0xDEADBEEF expired on 2026-11-01",
                      .object = "wal_005/000000010000000000000005.lzo"}};
  report.verdict = Verdict::pass;
  report.cleanup = CleanupResult::clean;
  report.bytes_read = 13'500'000;
  report.bytes_restored = 51'400'000;
  report.measured_rto = milliseconds(7612);
  report.measured_rpo = minutes(3);
  return report;
}

RunReport failed_verify() {
  RunReport report = base(Depth::verify);
  Error cause = fail(Reason::decrypt_failed,
                     "object 'part_00000001.tar.lzo' cannot be decrypted: gpg exited 2",
                     "compare the object with its copy in another region, then run "
                     "`rad-agent run customers-db --depth verify` again",
                     "basebackups_005/base_000000010000000000000003_00000040/tar_partitions/"
                     "part_00000001.tar.lzo");
  cause.offset = 1'048'576;
  cause.detail =
      "gpg: encrypted with rsa3072 key\ngpg: [don't know]: invalid packet (ctb=2d)\n"
      "gpg: WARNING: encrypted message has been manipulated!\n";
  add_stage(report, Stage::preflight, milliseconds(812));
  add_stage(report, Stage::fetch, milliseconds(1500), 9'000'000, cause);
  add_stage(report, Stage::cleanup, milliseconds(40));
  report.ended_at = kStart + milliseconds(2400);
  report.checks = {
      {.name = "backup_age",
       .check = "backup_age",
       .plugin = "wal_e",
       .outcome = Outcome::pass,
       .proof = Proof::metadata,
       .measured = "4h 0m",
       .expected = "at most 1d 2h"},
      {.name = "wal_continuity",
       .check = "wal_continuity",
       .plugin = "wal_e",
       .outcome = Outcome::fail,
       .reason = Reason::wal_gap,
       .proof = Proof::metadata,
       .message = "2 segments are missing between the start of the backup and the end of the "
                  "archive",
       .hint = "look for them on the primary's pg_wal and push them again",
       .object = "wal_005/000000010000000000000005.lzo",
       .measured = "3 of 5 segments",
       .expected = "5 of 5 segments",
       .details = {"000000010000000000000005 is missing", "000000010000000000000006 is missing"}},
      {.name = "stream_page_checksums",
       .check = "stream_page_checksums",
       .plugin = "wal_e",
       .outcome = Outcome::skipped,
       .reason = Reason::decrypt_failed,
       .message = "the stream broke off before its end",
       .measured = "2100 pages",
       .expected = "0 bad"},
  };
  report.faults = {fail(Reason::wal_gap, "segment 000000010000000000000005 is missing", "",
                        "wal_005/000000010000000000000005.lzo")};
  report.verdict = Verdict::fail;
  report.cause = cause;
  report.cleanup = CleanupResult::clean;
  report.bytes_read = 9'000'000;
  return report;
}

RunReport inconclusive_restore() {
  RunReport report = base(Depth::restore);
  report.schedule = "manual";
  report.requested_by = "alice";
  report.request_note = "after the storage move";
  const Error cause =
      fail(Reason::scratch_full, "scratch '/scratch' has 1.2 GiB free, the restore needs 64.0 GiB",
           "free space there or set agent.scratch_dir to a larger file system", "/scratch");
  add_stage(report, Stage::preflight, milliseconds(310), 0, cause);
  report.ended_at = kStart + milliseconds(400);
  report.verdict = Verdict::inconclusive;
  report.cause = cause;
  report.cleanup = CleanupResult::failed;
  report.cleanup_message = "cannot remove '/scratch/20261120T184451-1a2b3c4d': device busy";
  return report;
}

RunReport hostile_report() {
  const std::string attack =
      "@all #1 !2 %3 ~bug $4 &5 /close\n/label ~p1\n<script>alert(1)</script> "
      "![x](http://evil/x.png) [a](javascript:b) | cell | `code` ``` **bold** https://evil.example "
      "www.evil.example mail@evil.example \x1b[31mred\x1b[0m \r\n# heading\n- [ ] task \xff\xfe";
  RunReport report = failed_verify();
  report.request_note = attack;
  report.host = attack;
  report.isolation = attack;
  report.backup.name = attack;
  report.cause->message = attack;
  report.cause->hint = attack;
  report.cause->object = attack;
  report.cause->detail = attack + "\n```\n</code></pre>\n~~~\n" + attack;
  for (auto& check : report.checks) {
    check.name = attack;
    check.message = attack;
    check.measured = attack;
    check.expected = attack;
    check.object = attack;
    check.details = {attack, "```"};
  }
  report.findings = {{.code = attack, .message = attack, .object = attack}};
  report.faults = {*report.cause};
  report.cleanup_message = attack;
  return report;
}

RunReport running_report() {
  RunReport report = base(Depth::restore);
  add_stage(report, Stage::preflight, milliseconds(812));
  report.stages.push_back({.stage = Stage::restore,
                           .started_at = kStart + milliseconds(812),
                           .bytes_done = 1'000'000,
                           .bytes_total = 51'400'000});
  return report;
}

}  // namespace rad::test
