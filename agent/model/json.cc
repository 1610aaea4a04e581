#include "agent/model/json.h"

#include <cmath>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad {
namespace {

namespace bj = boost::json;
using json::safe_string;

bj::value optional_time(const std::optional<TimePoint>& time) {
  if (!time) return nullptr;
  return bj::value(format_rfc3339(*time));
}

double seconds(std::chrono::milliseconds duration) {
  return static_cast<double>(duration.count()) / 1000;
}

bj::value optional_seconds(const std::optional<std::chrono::milliseconds>& duration) {
  if (!duration) return nullptr;
  return seconds(*duration);
}

template <class E>
bj::value name(E value) {
  return bj::string(to_string(value));
}

template <class E>
bj::value optional_name(const std::optional<E>& value) {
  if (!value) return nullptr;
  return name(*value);
}

bj::value optional_error(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return to_json(*error);
}

template <class T>
bj::array list(const std::vector<T>& members) {
  bj::array array;
  array.reserve(members.size());
  for (const T& member : members) array.emplace_back(to_json(member));
  return array;
}

}  // namespace

bj::object to_json(const Error& error) {
  bj::value offset = nullptr;
  if (error.offset) offset = *error.offset;
  return {{"reason", name(error.reason)},       {"message", safe_string(error.message)},
          {"hint", safe_string(error.hint)},    {"object", safe_string(error.object)},
          {"offset", std::move(offset)},        {"retryable", error.retryable},
          {"detail", safe_string(error.detail)}};
}

bj::object to_json(const CheckOutcome& outcome) {
  bj::array details;
  details.reserve(outcome.details.size());
  for (const std::string& line : outcome.details) details.emplace_back(safe_string(line));
  return {{"name", safe_string(outcome.name)},
          {"check", safe_string(outcome.check)},
          {"plugin", safe_string(outcome.plugin)},
          {"outcome", name(outcome.outcome)},
          {"reason", optional_name(outcome.reason)},
          {"proof", name(outcome.proof)},
          {"message", safe_string(outcome.message)},
          {"hint", safe_string(outcome.hint)},
          {"object", safe_string(outcome.object)},
          {"measured", safe_string(outcome.measured)},
          {"expected", safe_string(outcome.expected)},
          {"details", std::move(details)},
          {"duration_seconds", seconds(outcome.duration)}};
}

bj::object to_json(const Finding& finding) {
  return {{"code", safe_string(finding.code)},
          {"message", safe_string(finding.message)},
          {"object", safe_string(finding.object)}};
}

bj::object to_json(const BackupRef& backup) {
  return {{"name", safe_string(backup.name)},
          {"finished_at", optional_time(backup.finished_at)},
          {"stored_bytes", backup.stored_bytes},
          {"expanded_bytes", backup.expanded_bytes},
          {"archive_end", safe_string(backup.archive_end)},
          {"version", safe_string(backup.version)}};
}

bj::object to_json(const RecoveryPoint& point) {
  return {{"lsn", safe_string(point.lsn)},
          {"last_transaction", optional_time(point.last_transaction)},
          {"timeline", point.timeline}};
}

bj::object to_json(const Artifact& artifact) {
  return {{"kind", safe_string(artifact.kind)},
          {"path", artifact.path},
          {"properties", artifact.properties}};
}

bj::object to_json(const Endpoint& endpoint) {
  return {{"kind", safe_string(endpoint.kind)}, {"properties", endpoint.properties}};
}

bj::object to_json(const StageRecord& stage) {
  return {{"stage", name(stage.stage)},
          {"started_at", format_rfc3339(stage.started_at)},
          {"ended_at", optional_time(stage.ended_at)},
          {"bytes_done", stage.bytes_done},
          {"bytes_total", stage.bytes_total},
          {"error", optional_error(stage.error)}};
}

bj::object to_json(const RunReport& report) {
  return {{"id", safe_string(report.id)},
          {"target", safe_string(report.target)},
          {"schedule", safe_string(report.schedule)},
          {"depth", name(report.depth)},
          {"requested_by", safe_string(report.requested_by)},
          {"request_note", safe_string(report.request_note)},
          {"requested_backup", safe_string(report.requested_backup)},
          {"requested_recover_to", safe_string(report.requested_recover_to)},
          {"host", safe_string(report.host)},
          {"agent_version", safe_string(report.agent_version)},
          {"created_at", format_rfc3339(report.created_at)},
          {"ended_at", optional_time(report.ended_at)},
          {"backup", to_json(report.backup)},
          {"recovery", to_json(report.recovery)},
          {"isolation", safe_string(report.isolation)},
          {"stages", list(report.stages)},
          {"checks", list(report.checks)},
          {"findings", list(report.findings)},
          {"faults", list(report.faults)},
          {"verdict", optional_name(report.verdict)},
          {"cause", optional_error(report.cause)},
          {"cleanup", name(report.cleanup)},
          {"cleanup_message", safe_string(report.cleanup_message)},
          {"kept_path", safe_string(report.kept_path)},
          {"kept_until", optional_time(report.kept_until)},
          {"bytes_read", report.bytes_read},
          {"bytes_restored", report.bytes_restored},
          {"measured_rto_seconds", optional_seconds(report.measured_rto)},
          {"measured_rpo_seconds", optional_seconds(report.measured_rpo)},
          {"rto_target_seconds", optional_seconds(report.rto_target)},
          {"rpo_target_seconds", optional_seconds(report.rpo_target)}};
}

}  // namespace rad
