// What a plugin answers and reports. What is said to it: messages_json.cc.
#include <algorithm>
#include <array>

#include "agent/model/json.h"
#include "plugins/protocol/codec.h"
#include "plugins/protocol/fields.h"

namespace rad::protocol {
namespace {

namespace bj = boost::json;
using json::safe_string;

template <class T>
bj::array models_to_json(const std::vector<T>& values) {
  bj::array array;
  array.reserve(values.size());
  for (const T& value : values) array.push_back(rad::to_json(value));
  return array;
}

Result<std::vector<Finding>> read_findings(const bj::object& object) {
  return fields::objects<Finding>(object, "findings", finding_from_json);
}

bj::value time_or_null(const std::optional<TimePoint>& time) {
  return time ? bj::value(format_rfc3339(*time)) : bj::value(nullptr);
}

Result<std::optional<TimePoint>> read_time(const bj::object& object, std::string_view key) {
  RAD_TRY(const std::string text, json::get_string(object, key, ""));
  if (text.empty()) return std::optional<TimePoint>();
  const auto time = parse_time(text);
  if (!time) return fields::wrong(key, "an instant as RFC 3339 writes it");
  return std::optional<TimePoint>(*time);
}

/// A required object.
Result<bj::object> need_object(const bj::object& object, std::string_view key) {
  const bj::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_object()) return fields::wrong(key, "an object");
  return value->get_object();
}

}  // namespace

bj::object to_json(const PreflightResult& value) {
  return {{"backup", rad::to_json(value.backup)},
          {"scratch_bytes_needed", value.scratch_bytes_needed},
          {"isolation", safe_string(value.isolation)},
          {"findings", models_to_json(value.findings)}};
}

template <>
Result<PreflightResult> from_json(const bj::object& object) {
  PreflightResult result;
  RAD_TRY(const bj::object backup, json::get_object(object, "backup"));
  if (!backup.empty()) {
    RAD_TRY(result.backup, backup_ref_from_json(backup));
  }
  RAD_TRY(result.scratch_bytes_needed, json::get_uint(object, "scratch_bytes_needed", 0));
  RAD_TRY(result.isolation, fields::text(object, "isolation", 500));
  RAD_TRY(result.findings, read_findings(object));
  return result;
}

bj::object to_json(const ReadResult& value) {
  return {{"bytes_read", value.bytes_read}, {"findings", models_to_json(value.findings)}};
}

template <>
Result<ReadResult> from_json(const bj::object& object) {
  ReadResult result;
  RAD_TRY(result.bytes_read, json::get_uint(object, "bytes_read", 0));
  RAD_TRY(result.findings, read_findings(object));
  return result;
}

bj::object to_json(const RestoreResult& value) {
  return {{"artifact", rad::to_json(value.artifact)},
          {"bytes_read", value.bytes_read},
          {"bytes_restored", value.bytes_restored},
          {"findings", models_to_json(value.findings)}};
}

template <>
Result<RestoreResult> from_json(const bj::object& object) {
  RestoreResult result;
  RAD_TRY(const bj::object artifact, need_object(object, "artifact"));
  RAD_TRY(result.artifact, artifact_from_json(artifact));
  RAD_TRY(result.bytes_read, json::get_uint(object, "bytes_read", 0));
  RAD_TRY(result.bytes_restored, json::get_uint(object, "bytes_restored", 0));
  RAD_TRY(result.findings, read_findings(object));
  return result;
}

bj::object to_json(const StartResult& value) {
  return {{"endpoint", rad::to_json(value.endpoint)},
          {"recovery", rad::to_json(value.recovery)},
          {"findings", models_to_json(value.findings)}};
}

template <>
Result<StartResult> from_json(const bj::object& object) {
  StartResult result;
  RAD_TRY(const bj::object endpoint, need_object(object, "endpoint"));
  RAD_TRY(result.endpoint, endpoint_from_json(endpoint));
  RAD_TRY(const bj::object recovery, json::get_object(object, "recovery"));
  if (!recovery.empty()) {
    RAD_TRY(result.recovery, recovery_point_from_json(recovery));
  }
  RAD_TRY(result.findings, read_findings(object));
  return result;
}

bj::object to_json(const ListedBackup& value) {
  return {{"name", safe_string(value.name)},
          {"started_at", time_or_null(value.started_at)},
          {"finished_at", time_or_null(value.finished_at)},
          {"timeline", value.timeline},
          {"start_lsn", safe_string(value.start_lsn)},
          {"version", safe_string(value.version)},
          {"stored_bytes", value.stored_bytes},
          {"complete", value.complete},
          {"note", safe_string(value.note)}};
}

template <>
Result<ListedBackup> from_json(const bj::object& object) {
  ListedBackup backup;
  RAD_TRY(backup.name, fields::text(object, "name", 200));
  if (backup.name.empty()) return fields::wrong("name", "the name of a backup");
  RAD_TRY(backup.started_at, read_time(object, "started_at"));
  RAD_TRY(backup.finished_at, read_time(object, "finished_at"));
  RAD_TRY(const std::uint64_t timeline, json::get_uint(object, "timeline", 0));
  if (timeline > UINT32_MAX) return fields::wrong("timeline", "a number of 32 bits");
  backup.timeline = static_cast<std::uint32_t>(timeline);
  RAD_TRY(backup.start_lsn, fields::text(object, "start_lsn", 40));
  RAD_TRY(backup.version, fields::text(object, "version", 100));
  RAD_TRY(backup.stored_bytes, json::get_uint(object, "stored_bytes", 0));
  RAD_TRY(backup.complete, json::get_bool(object, "complete", false));
  RAD_TRY(backup.note, fields::text(object, "note", 300));
  return backup;
}

bj::object to_json(const BackupsResult& value) {
  return {{"backups", fields::to_array(value.backups)}};
}

template <>
Result<BackupsResult> from_json(const bj::object& object) {
  BackupsResult result;
  RAD_TRY(result.backups,
          fields::objects<ListedBackup>(object, "backups", from_json<ListedBackup>));
  if (result.backups.size() > kMaxBackups) {
    return fields::wrong("backups", fmt::format("a list of at most {}, the newest", kMaxBackups));
  }
  return result;
}

bj::object to_json(const CheckResult& value) {
  bj::object object{{"outcomes", models_to_json(value.outcomes)}, {"outcomes_file", nullptr}};
  if (!value.outcomes_file.empty()) {
    object["outcomes_file"] = safe_string(value.outcomes_file, fields::kMaxPath);
  }
  return object;
}

template <>
Result<CheckResult> from_json(const bj::object& object) {
  CheckResult result;
  RAD_TRY(result.outcomes,
          fields::objects<CheckOutcome>(object, "outcomes", check_outcome_from_json));
  if (result.outcomes.size() > kMaxOutcomes) {
    return fields::wrong("outcomes", fmt::format("a list of at most {} outcomes; more go to a "
                                                 "file that 'outcomes_file' names",
                                                 kMaxOutcomes));
  }
  RAD_TRY(result.outcomes_file, json::get_string(object, "outcomes_file", ""));
  if (!result.outcomes_file.empty() && result.outcomes_file.front() != '/') {
    return fields::wrong("outcomes_file", "an absolute path");
  }
  return result;
}

bj::object to_json(const DiagnoseResult& value) {
  bj::object object{{"cause", nullptr}};
  if (value.cause) object["cause"] = rad::to_json(*value.cause);
  return object;
}

template <>
Result<DiagnoseResult> from_json(const bj::object& object) {
  DiagnoseResult result;
  const bj::value* cause = object.if_contains("cause");
  if (cause == nullptr || cause->is_null()) return result;
  RAD_TRY(const bj::object error, need_object(object, "cause"));
  RAD_TRY(result.cause, error_from_json(error));
  return result;
}

bj::object to_json(const CleanupResult& value) {
  return {{"removed_bytes", value.removed_bytes}};
}

template <>
Result<CleanupResult> from_json(const bj::object& object) {
  CleanupResult result;
  RAD_TRY(result.removed_bytes, json::get_uint(object, "removed_bytes", 0));
  return result;
}

bj::object to_json(const GcResult& value) {
  return {{"removed", fields::to_array(value.removed)}};
}

template <>
Result<GcResult> from_json(const bj::object& object) {
  GcResult result;
  RAD_TRY(result.removed, fields::texts(object, "removed", 1000));
  return result;
}

bj::object to_json(const Progress& value) {
  return {{"bytes_done", value.bytes_done},
          {"bytes_total", value.bytes_total},
          {"note", safe_string(value.note)}};
}

template <>
Result<Progress> from_json(const bj::object& object) {
  Progress progress;
  RAD_TRY(progress.bytes_done, json::get_uint(object, "bytes_done", 0));
  RAD_TRY(progress.bytes_total, json::get_uint(object, "bytes_total", 0));
  RAD_TRY(progress.note, fields::text(object, "note", 200));
  return progress;
}

bj::object to_json(const LogLine& value) {
  return {{"level", safe_string(value.level)}, {"message", safe_string(value.message)}};
}

template <>
Result<LogLine> from_json(const bj::object& object) {
  constexpr std::array<std::string_view, 4> kLevels{"debug", "info", "warning", "error"};
  LogLine line;
  RAD_TRY(line.level, json::get_string(object, "level", "info"));
  if (std::ranges::find(kLevels, line.level) == kLevels.end()) line.level = "info";
  RAD_TRY(line.message, fields::text(object, "message"));
  return line;
}

}  // namespace rad::protocol
