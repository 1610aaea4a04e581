#include "agent/model/json.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/json.h"

namespace rad {
namespace {

namespace bj = boost::json;
using std::chrono::milliseconds;
using testing::HasSubstr;

Error full_error() {
  return Error{.reason = Reason::decrypt_failed,
               .message = "object 'x' cannot be decrypted",
               .hint = "look at the recipients",
               .object = "part_00000001.tar.lzo",
               .offset = 18446744073709551615ULL,
               .retryable = true,
               .detail = "gpg: decryption failed"};
}

CheckOutcome full_outcome() {
  CheckOutcome outcome;
  outcome.name = "rows";
  outcome.check = "row_counts";
  outcome.plugin = "postgresql";
  outcome.outcome = Outcome::fail;
  outcome.reason = Reason::row_count_mismatch;
  outcome.proof = Proof::data;
  outcome.message = "a table lacks rows";
  outcome.hint = "compare with production";
  outcome.object = "public.events";
  outcome.measured = "98 rows";
  outcome.expected = "100 rows";
  outcome.details = {"public.events: 98 of 100", "public.users: 0 of 5"};
  outcome.duration = milliseconds(1234);
  return outcome;
}

RunReport full_report() {
  RunReport report;
  report.id = "20261120T184451-1a2b3c4d";
  report.target = "customers-db";
  report.schedule = "rad";
  report.depth = Depth::verify;
  report.requested_by = "maria";
  report.request_note = "before the upgrade";
  report.requested_backup = "base_000000010000000000000004_00000040";
  report.requested_recover_to = "2026-11-01T00:00:00Z";
  report.host = "restore1";
  report.agent_version = "0.1.0";
  report.created_at = TimePoint(milliseconds(1795200291715));
  report.ended_at = TimePoint(milliseconds(1795200391715));
  report.backup = {.name = "base_000000010000000000000003_00000040",
                   .finished_at = TimePoint(milliseconds(1795100000000)),
                   .stored_bytes = 5,
                   .expanded_bytes = 25,
                   .archive_end = "000000010000000000000007",
                   .version = "15"};
  report.recovery = {.lsn = "0/721B598",
                     .last_transaction = TimePoint(milliseconds(1795100000001)),
                     .timeline = 4294967295U};
  report.isolation = "pid,ipc,mount namespaces";
  report.stages = {{.stage = Stage::fetch,
                    .started_at = report.created_at,
                    .ended_at = report.ended_at,
                    .bytes_done = 7,
                    .bytes_total = 9,
                    .error = full_error()},
                   {.stage = Stage::cleanup,
                    .started_at = report.created_at,
                    .ended_at = std::nullopt,
                    .bytes_done = 0,
                    .bytes_total = 0,
                    .error = std::nullopt}};
  report.checks = {full_outcome()};
  report.findings = {{.code = "key_expired", .message = "the key has expired", .object = "ABCD"}};
  report.faults = {full_error()};
  report.verdict = Verdict::fail;
  report.cause = full_error();
  report.cleanup = CleanupResult::kept;
  report.cleanup_message = "kept for maria";
  report.kept_path = "/scratch/1";
  report.kept_until = report.ended_at;
  report.bytes_read = 11;
  report.bytes_restored = 13;
  report.measured_rto = milliseconds(14'500);
  report.measured_rpo = milliseconds(-3);
  report.rto_target = milliseconds(14'400'000);
  report.rpo_target = milliseconds(900'001);
  return report;
}

/// Writes, reads and writes again through text; equal texts mean that no field was lost.
template <class T>
void expect_round_trip(const T& value, Result<T> (*read)(const bj::object&)) {
  const bj::object once = to_json(value);
  const auto parsed = json::parse(bj::serialize(once), "test");
  ASSERT_TRUE(parsed);
  const auto back = read(parsed->as_object());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(bj::serialize(to_json(*back)), bj::serialize(once));
}

void collect_nulls(const bj::value& value, const std::string& place, std::vector<std::string>& to) {
  if (value.is_null()) to.push_back(place);
  if (const auto* object = value.if_object()) {
    for (const auto& member : *object) {
      collect_nulls(member.value(), place + "/" + std::string(member.key()), to);
    }
  }
}

TEST(ModelJson, RoundTripsFullAndEmptyValues) {
  expect_round_trip<Error>(full_error(), error_from_json);
  expect_round_trip<Error>(Error{}, error_from_json);
  expect_round_trip<CheckOutcome>(full_outcome(), check_outcome_from_json);
  expect_round_trip<Finding>(full_report().findings[0], finding_from_json);
  expect_round_trip<BackupRef>(full_report().backup, backup_ref_from_json);
  expect_round_trip<BackupRef>(BackupRef{}, backup_ref_from_json);
  expect_round_trip<RecoveryPoint>(full_report().recovery, recovery_point_from_json);
  expect_round_trip<RecoveryPoint>(RecoveryPoint{}, recovery_point_from_json);
  expect_round_trip<Artifact>({.kind = "directory", .path = "/s/x", .properties = {{"a", 1}}},
                              artifact_from_json);
  expect_round_trip<Endpoint>({.kind = "postgresql", .properties = {{"port", 5432}}},
                              endpoint_from_json);
  expect_round_trip<StageRecord>(full_report().stages[0], stage_record_from_json);
  expect_round_trip<RunReport>(full_report(), run_report_from_json);
  expect_round_trip<RunReport>(RunReport{}, run_report_from_json);
}

TEST(ModelJson, LosesNoFieldOfAFullReport) {
  std::vector<std::string> nulls;
  collect_nulls(to_json(full_report()), "", nulls);
  EXPECT_THAT(nulls, testing::IsEmpty());
  EXPECT_EQ(to_json(full_report()).size(), to_json(RunReport{}).size());
}

TEST(ModelJson, WritesNullForNoneAndSecondsForDurations) {
  const bj::object report = to_json(RunReport{});
  EXPECT_TRUE(report.at("verdict").is_null());
  EXPECT_TRUE(report.at("cause").is_null());
  EXPECT_TRUE(report.at("ended_at").is_null());
  EXPECT_TRUE(report.at("measured_rto_seconds").is_null());
  EXPECT_EQ(to_json(full_report()).at("measured_rto_seconds").as_double(), 14.5);
  EXPECT_EQ(to_json(full_report()).at("created_at").as_string(), "2026-11-20T18:44:51.715Z");
  EXPECT_EQ(to_json(full_error()).at("reason").as_string(), "decrypt_failed");
}

TEST(ModelJson, WritesUntrustedTextAsUtf8) {
  Error error = full_error();
  error.detail = std::string(9000, '\xff') + "\n";
  const bj::object object = to_json(error);
  EXPECT_LE(object.at("detail").as_string().size(), 4000U);
  EXPECT_TRUE(json::parse(bj::serialize(object), "test"));
}

template <class T>
std::string trouble(const char* text, Result<T> (*read)(const bj::object&)) {
  const auto value = read(json::parse(text, "test")->as_object());
  if (value) return "accepted";
  EXPECT_EQ(value.error().reason, Reason::plugin_protocol);
  return value.error().message;
}

TEST(ModelJsonReader, NamesTheFieldAtFault) {
  EXPECT_EQ(trouble("{}", error_from_json), "field 'reason' is missing");
  EXPECT_EQ(trouble(R"({"reason": "bad luck"})", error_from_json),
            "field 'reason' has the unknown value 'bad luck'");
  EXPECT_EQ(trouble(R"({"reason": "timeout", "offset": -1})", error_from_json),
            "field 'offset' is int64 where an integer of at least 0 is expected");
  EXPECT_EQ(trouble(R"({"outcome": "pass"})", check_outcome_from_json),
            "field 'check' is missing or empty");
  EXPECT_EQ(trouble(R"({"check": "x", "outcome": "passed"})", check_outcome_from_json),
            "field 'outcome' has the unknown value 'passed'");
  EXPECT_EQ(
      trouble(R"({"check": "x", "outcome": "pass", "details": [1]})", check_outcome_from_json),
      "field 'details' has a member that is not a string");
  EXPECT_EQ(trouble(R"({"check": "x", "outcome": "pass", "duration_seconds": 1e99})",
                    check_outcome_from_json),
            "field 'duration_seconds' is longer than 100 years");
  EXPECT_EQ(trouble(R"({"timeline": 4294967296})", recovery_point_from_json),
            "field 'timeline' is too large");
  EXPECT_THAT(trouble(R"({"finished_at": "yesterday"})", backup_ref_from_json),
              HasSubstr("field 'finished_at' is not a time"));
  bj::object report = to_json(full_report());
  report["stages"].as_array()[1].as_object()["error"] = bj::object{{"reason", "x"}};
  const auto nested = run_report_from_json(report);
  ASSERT_FALSE(nested);
  EXPECT_EQ(nested.error().message,
            "in 'stages[1]': in 'error': field 'reason' has the unknown value 'x'");
}

TEST(ModelJsonReader, RefusesAFailThatDoesNotBlameTheBackup) {
  EXPECT_THAT(trouble(R"({"check": "x", "outcome": "fail", "reason": "scratch_full"})",
                      check_outcome_from_json),
              HasSubstr("does not blame the backup"));
  const auto bare = check_outcome_from_json({{"check", "x"}, {"outcome", "fail"}});
  EXPECT_EQ(bare->reason, Reason::check_failed);
  const auto unsure = check_outcome_from_json({{"check", "x"}, {"outcome", "inconclusive"}});
  EXPECT_EQ(unsure->reason, Reason::check_error);
}

TEST(ModelJsonReader, TakesTheTypeForTheNameAndIgnoresStrangeFields) {
  const auto outcome =
      check_outcome_from_json({{"check", "backup_age"}, {"outcome", "pass"}, {"later", 5}});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->name, "backup_age");
  EXPECT_EQ(outcome->proof, Proof::none);
  EXPECT_EQ(outcome->reason, std::nullopt);
}

TEST(ModelJsonReader, TakesOnlyPathsThatStayThemselves) {
  for (const char* path : {"", "relative", "/a\\nb", "/a\\u0000b", "/a\\u202eb"}) {
    const std::string text = std::string(R"({"kind": "directory", "path": ")") + path + "\"}";
    EXPECT_THAT(trouble(text.c_str(), artifact_from_json), HasSubstr("field 'path'")) << path;
  }
  const std::string longest = "/" + std::string(4095, 'a');
  EXPECT_TRUE(artifact_from_json({{"kind", "directory"}, {"path", longest}}));
  EXPECT_FALSE(artifact_from_json({{"kind", "directory"}, {"path", longest + "a"}}));
}

TEST(ModelJsonReader, BoundsWhatItKeeps) {
  bj::array lines;
  for (int i = 0; i < 500; ++i) lines.emplace_back(std::string(9000, 'x'));
  const auto outcome = check_outcome_from_json({{"check", "x"},
                                                {"outcome", "pass"},
                                                {"message", std::string(9000, 'y')},
                                                {"details", lines}});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->details.size(), 100U);
  EXPECT_EQ(outcome->details[0].size(), 4000U);
  EXPECT_EQ(outcome->message.size(), 4000U);
  bj::object report = to_json(full_report());
  bj::array many(10'001, to_json(full_report().findings[0]));
  report["findings"] = many;
  EXPECT_FALSE(run_report_from_json(report));
  report["findings"].as_array().pop_back();
  EXPECT_TRUE(run_report_from_json(report));
}

/// Every field of a full report in turn with every wrong type: an answer each time, never a crash.
TEST(ModelJsonReader, SurvivesWrongTypesEverywhere) {
  const bj::array wrong{
      bj::value(nullptr),       true, -1, 1e300, "\xf0\x9f\x98\x80", bj::array{bj::array{}},
      bj::object{{"reason", 5}}};
  const bj::object good = to_json(full_report());
  int refused = 0;
  for (const auto& field : good) {
    for (const bj::value& value : wrong) {
      bj::object bad = good;
      bad[field.key()] = value;
      if (!run_report_from_json(bad)) ++refused;
    }
    bj::object lacking = good;
    lacking.erase(field.key());
    static_cast<void>(run_report_from_json(lacking));
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace rad
