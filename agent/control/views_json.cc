#include "agent/control/views_json.h"

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

/// Null for an instant that never was.
bj::value known_time(TimePoint time) {
  if (time == TimePoint{}) return nullptr;
  return bj::value(format_rfc3339(time));
}

template <class E>
bj::value optional_name(const std::optional<E>& value) {
  if (!value) return nullptr;
  return bj::string(to_string(*value));
}

bj::array texts(const std::vector<std::string>& members) {
  bj::array array;
  for (const std::string& member : members) array.emplace_back(safe_string(member));
  return array;
}

template <class E>
bj::array names(const std::vector<E>& members) {
  bj::array array;
  for (const E member : members) array.emplace_back(to_string(member));
  return array;
}

bj::object to_json(const PluginOption& option) {
  return {{"key", safe_string(option.key)},
          {"type", safe_string(option.type)},
          {"required", option.required},
          {"secret", option.secret},
          {"default", safe_string(option.default_text)},
          {"allowed", texts(option.allowed)},
          {"summary", safe_string(option.summary)}};
}

bj::array options_of(const std::vector<PluginOption>& options) {
  bj::array array;
  for (const PluginOption& option : options) array.emplace_back(to_json(option));
  return array;
}

bj::object to_json(const PluginCheck& check) {
  return {{"check", safe_string(check.type)},      {"depths", names(check.depths)},
          {"proof", to_string(check.proof)},       {"by_default", check.by_default},
          {"summary", safe_string(check.summary)}, {"options", options_of(check.options)}};
}

}  // namespace

bj::value optional_seconds(const std::optional<std::chrono::milliseconds>& duration) {
  if (!duration) return nullptr;
  return static_cast<double>(duration->count()) / 1000;
}

bj::object to_json(const LiveRun& run) {
  const RunReport& report = run.report;
  bj::value stage = nullptr;
  bj::value stage_started = nullptr;
  if (!report.stages.empty()) {
    stage = bj::string(to_string(report.stages.back().stage));
    stage_started = bj::value(format_rfc3339(report.stages.back().started_at));
  }
  return {{"id", safe_string(report.id)},
          {"target", safe_string(report.target)},
          {"schedule", safe_string(report.schedule)},
          {"depth", to_string(report.depth)},
          {"requested_by", safe_string(report.requested_by)},
          {"request_note", safe_string(report.request_note)},
          {"created_at", format_rfc3339(report.created_at)},
          {"stage", std::move(stage)},
          {"stage_started_at", std::move(stage_started)},
          {"bytes_done", run.bytes_done},
          {"bytes_total", run.bytes_total},
          {"note", safe_string(run.note)},
          {"time_left_seconds", optional_seconds(run.time_left)}};
}

bj::object to_json(const WaitingRun& run) {
  return {{"id", safe_string(run.id)},
          {"target", safe_string(run.target)},
          {"depth", to_string(run.depth)},
          {"requested_by", safe_string(run.requested_by)},
          {"note", safe_string(run.note)},
          {"requested_at", format_rfc3339(run.requested_at)},
          {"waits_for", safe_string(run.waits_for)}};
}

bj::object to_json(const Pause& pause) {
  return {{"target", safe_string(pause.target)},  {"schedule", safe_string(pause.schedule)},
          {"owner", safe_string(pause.owner)},    {"reason", safe_string(pause.reason)},
          {"since", format_rfc3339(pause.since)}, {"until", optional_time(pause.until)}};
}

bj::object to_json(const ScheduleView& schedule) {
  bj::value pause = nullptr;
  if (schedule.pause) pause = to_json(*schedule.pause);
  bj::array members;
  for (const std::string& member : schedule.members) members.emplace_back(safe_string(member));
  return {{"target", safe_string(schedule.target)},
          {"member", safe_string(schedule.member)},
          {"members", std::move(members)},
          {"schedule", safe_string(schedule.schedule)},
          {"depth", to_string(schedule.depth)},
          {"when", safe_string(schedule.when)},
          {"time_zone", safe_string(schedule.time_zone)},
          {"state", safe_string(schedule.state)},
          {"slot", optional_time(schedule.slot)},
          {"next", optional_time(schedule.next)},
          {"attempts", schedule.attempts},
          {"waits_for", safe_string(schedule.waits_for)},
          {"turns", schedule.turns},
          {"proof_within_seconds", optional_seconds(schedule.proof_within)},
          {"pause", std::move(pause)}};
}

bj::object to_json(const MissedSlot& missed) {
  return {{"target", safe_string(missed.target)},
          {"schedule", safe_string(missed.schedule)},
          {"slot", format_rfc3339(missed.slot)},
          {"cause", safe_string(missed.cause)},
          {"detail", safe_string(missed.detail)}};
}

bj::object to_json(const ProofView& proof) {
  return {
      {"depth", to_string(proof.depth)},           {"run_id", safe_string(proof.run_id)},
      {"verdict", optional_name(proof.verdict)},   {"reason", optional_name(proof.reason)},
      {"ended_at", optional_time(proof.ended_at)}, {"proved_at", optional_time(proof.proved_at)}};
}

bj::object to_json(const TargetView& target) {
  return {{"name", safe_string(target.name)},
          {"restore_plugin", safe_string(target.restore_plugin)},
          {"instance_plugin", safe_string(target.instance_plugin)},
          {"checks", texts(target.checks)},
          {"proofs", to_json_list(target.proofs)},
          {"cleanup_failed", safe_string(target.cleanup_failed)},
          {"schedules", to_json_list(target.schedules)}};
}

bj::object to_json(const MeasuredRestore& restore) {
  return {{"target", safe_string(restore.target)},
          {"run_id", safe_string(restore.run_id)},
          {"measured_rto_seconds", optional_seconds(restore.measured_rto)},
          {"measured_rpo_seconds", optional_seconds(restore.measured_rpo)},
          {"rto_target_seconds", optional_seconds(restore.rto_target)},
          {"rpo_target_seconds", optional_seconds(restore.rpo_target)}};
}

bj::object to_json(const RunSummary& run) {
  return {{"id", safe_string(run.id)},
          {"target", safe_string(run.target)},
          {"schedule", safe_string(run.schedule)},
          {"depth", to_string(run.depth)},
          {"requested_by", safe_string(run.requested_by)},
          {"backup", safe_string(run.backup)},
          {"created_at", format_rfc3339(run.created_at)},
          {"ended_at", optional_time(run.ended_at)},
          {"verdict", optional_name(run.verdict)},
          {"reason", optional_name(run.reason)},
          {"cleanup", to_string(run.cleanup)},
          {"bytes_read", run.bytes_read},
          {"bytes_restored", run.bytes_restored}};
}

bj::object to_json(const LogLine& line) {
  return {{"number", line.seq},
          {"at", format_rfc3339(line.at)},
          {"plugin", safe_string(line.plugin)},
          {"level", safe_string(line.level)},
          {"text", safe_string(line.text, 16U << 10U)}};
}

bj::object to_json(const AuditEntry& entry) {
  return {{"id", entry.id},
          {"at", format_rfc3339(entry.at)},
          {"uid", entry.uid},
          {"user", safe_string(entry.user)},
          {"role", safe_string(entry.role)},
          {"action", safe_string(entry.action)},
          {"subject", safe_string(entry.subject)},
          {"note", safe_string(entry.note)},
          {"allowed", entry.allowed},
          {"outcome", safe_string(entry.outcome)}};
}

bj::object to_json(const PluginSchema& plugin) {
  bj::array checks;
  for (const PluginCheck& check : plugin.checks) checks.emplace_back(to_json(check));
  return {{"name", safe_string(plugin.name)},   {"version", safe_string(plugin.version)},
          {"roles", names(plugin.roles)},       {"produces", texts(plugin.produces)},
          {"consumes", texts(plugin.consumes)}, {"options", options_of(plugin.options)},
          {"checks", std::move(checks)}};
}

bj::object to_json(const HoldView& hold, bool with_command) {
  return {{"run_id", safe_string(hold.run_id)},
          {"target", safe_string(hold.target)},
          {"owner", safe_string(hold.owner)},
          {"note", safe_string(hold.note)},
          {"since", format_rfc3339(hold.since)},
          {"until", format_rfc3339(hold.until)},
          {"state", safe_string(hold.state)},
          {"detail", safe_string(hold.detail)},
          {"command", with_command ? safe_string(hold.command) : bj::string()}};
}

bj::array to_json_list(const std::vector<HoldView>& holds, bool with_command) {
  bj::array array;
  for (const HoldView& hold : holds) array.emplace_back(to_json(hold, with_command));
  return array;
}

bj::object to_json(const StatusView& status, bool with_commands) {
  bj::array troubles;
  for (const std::string& text : status.troubles) troubles.emplace_back(safe_string(text));
  return {{"version", safe_string(status.version)},
          {"started_at", format_rfc3339(status.started_at)},
          {"last_tick", known_time(status.last_tick)},
          {"config_loaded_at", format_rfc3339(status.config_loaded_at)},
          {"config_error", safe_string(status.config_error)},
          {"store_error", safe_string(status.store_error)},
          {"troubles", std::move(troubles)},
          {"targets", status.targets},
          {"schedules", status.schedules},
          {"scratch_free", status.scratch_free},
          {"leftover_bytes", status.leftover_bytes},
          {"running", to_json_list(status.running)},
          {"waiting", to_json_list(status.waiting)},
          {"pauses", to_json_list(status.pauses)},
          {"holds", to_json_list(status.holds, with_commands)}};
}

}  // namespace rad
