#include <cmath>
#include <limits>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"

namespace rad {
namespace {

namespace bj = boost::json;

constexpr std::size_t kMaxMembers = 10'000;
constexpr std::size_t kMaxDetails = 100;
constexpr std::size_t kMaxPath = 4096;
constexpr double kMaxSeconds = 100 * 366.0 * 86400;

/// Reads the fields of one object and remembers the first that is wrong, so that a value is read
/// as a plain list of its fields.
class Fields {
 public:
  explicit Fields(const bj::object& object) : object_(object) {}

  void text(std::string_view key, std::string& out, std::size_t max_bytes = 4000) {
    if (auto value = get(json::get_string(object_, key, ""))) out = printable(*value, max_bytes);
  }

  void path(std::string_view key, std::string& out) {
    auto value = get(json::get_string(object_, key));
    if (!value) return;
    // A path that had to be changed would be another path.
    if (value->empty() || value->front() != '/' || value->size() > kMaxPath ||
        printable(*value, kMaxPath) != *value) {
      return wrong(key, "is not an absolute path of printable characters");
    }
    out = *std::move(value);
  }

  void flag(std::string_view key, bool& out) {
    if (const auto value = get(json::get_bool(object_, key, false))) out = *value;
  }

  template <class T>
  void number(std::string_view key, T& out) {
    const auto value = get(json::get_uint(object_, key, 0));
    if (!value) return;
    if (*value > std::numeric_limits<T>::max()) return wrong(key, "is too large");
    out = static_cast<T>(*value);
  }

  void number(std::string_view key, std::optional<std::uint64_t>& out) {
    if (!is_none(key)) number(key, out.emplace());
  }

  void time(std::string_view key, TimePoint& out) {
    const auto text = get(json::get_string(object_, key));
    if (!text) return;
    const auto value = parse_time(*text);
    if (!value) return wrong(key, "is not a time: " + value.error().message);
    out = *value;
  }

  void time(std::string_view key, std::optional<TimePoint>& out) {
    if (!is_none(key)) time(key, out.emplace());
  }

  void seconds(std::string_view key, std::chrono::milliseconds& out) {
    const auto value = get(json::get_double(object_, key, 0.0));
    if (!value) return;
    if (!(std::abs(*value) <= kMaxSeconds)) return wrong(key, "is longer than 100 years");
    out = std::chrono::milliseconds(std::llround(*value * 1000));
  }

  void seconds(std::string_view key, std::optional<std::chrono::milliseconds>& out) {
    if (!is_none(key)) seconds(key, out.emplace());
  }

  /// A word of a closed list; `parse` is its parser.
  template <class E>
  void word(std::string_view key, E& out, std::optional<E> (*parse)(std::string_view) noexcept) {
    const auto text = get(json::get_string(object_, key));
    if (!text) return;
    const std::optional<E> value = parse(*text);
    if (!value) return wrong(key, fmt::format("has the unknown value '{}'", printable(*text, 100)));
    out = *value;
  }

  template <class E>
  void word(std::string_view key, std::optional<E>& out,
            std::optional<E> (*parse)(std::string_view) noexcept) {
    if (!is_none(key)) word(key, out.emplace(), parse);
  }

  void object(std::string_view key, bj::object& out) {
    if (auto value = get(json::get_object(object_, key))) out = *std::move(value);
  }

  /// A value with a reader of its own; missing or null leaves `out` as it is.
  template <class T>
  void value(std::string_view key, T& out, Result<T> (*read)(const bj::object&)) {
    if (is_none(key)) return;
    const auto member = get(json::get_object(object_, key));
    if (!member) return;
    auto result = read(*member);
    if (!result) return fail_in(key, std::move(result).error());
    out = *std::move(result);
  }

  template <class T>
  void value(std::string_view key, std::optional<T>& out, Result<T> (*read)(const bj::object&)) {
    if (!is_none(key)) value(key, out.emplace(), read);
  }

  template <class T>
  void values(std::string_view key, std::vector<T>& out, Result<T> (*read)(const bj::object&)) {
    const auto array = get(json::get_array(object_, key));
    if (!array) return;
    if (array->size() > kMaxMembers) return wrong(key, "has more than 10000 members");
    for (std::size_t i = 0; i < array->size(); ++i) {
      const std::string place = fmt::format("{}[{}]", key, i);
      const bj::object* member = (*array)[i].if_object();
      if (member == nullptr) return wrong(place, "is not an object");
      auto result = read(*member);
      if (!result) return fail_in(place, std::move(result).error());
      out.push_back(*std::move(result));
    }
  }

  /// The first lines of a list of texts.
  void lines(std::string_view key, std::vector<std::string>& out) {
    const auto array = get(json::get_array(object_, key));
    if (!array) return;
    if (array->size() > kMaxMembers) return wrong(key, "has more than 10000 members");
    for (const bj::value& member : *array) {
      const bj::string* line = member.if_string();
      if (line == nullptr) return wrong(key, "has a member that is not a string");
      if (out.size() < kMaxDetails) out.push_back(printable(std::string_view(*line), 4000));
    }
  }

  void wrong(std::string_view key, std::string_view what) {
    if (!error_) error_ = fail(Reason::plugin_protocol, fmt::format("field '{}' {}", key, what));
  }

  /// `value` if every field was right.
  template <class T>
  Result<T> finish(T value) {
    if (error_) return *std::move(error_);
    return value;
  }

 private:
  bool is_none(std::string_view key) const {
    const bj::value* value = object_.if_contains(key);
    return value == nullptr || value->is_null();
  }

  void fail_in(std::string_view place, Error error) {
    if (!error_) error_ = std::move(error).within(fmt::format("in '{}'", place));
  }

  template <class T>
  std::optional<T> get(Result<T> result) {
    if (result) return *std::move(result);
    if (!error_) error_ = std::move(result).error();
    return std::nullopt;
  }

  const bj::object& object_;
  std::optional<Error> error_;
};

}  // namespace

Result<Error> error_from_json(const bj::object& object) {
  Fields fields(object);
  Error error;
  fields.word("reason", error.reason, parse_reason);
  fields.text("message", error.message);
  fields.text("hint", error.hint);
  fields.text("object", error.object);
  fields.number("offset", error.offset);
  fields.flag("retryable", error.retryable);
  fields.text("detail", error.detail);
  // Value and failure are of one type here, so each must be named.
  auto checked = fields.finish(true);
  if (!checked) return {boost::system::in_place_error, std::move(checked).error()};
  return {boost::system::in_place_value, std::move(error)};
}

Result<CheckOutcome> check_outcome_from_json(const bj::object& object) {
  Fields fields(object);
  CheckOutcome outcome;
  fields.text("name", outcome.name, 200);
  fields.text("check", outcome.check, 200);
  fields.text("plugin", outcome.plugin, 200);
  fields.word("outcome", outcome.outcome, parse_outcome);
  fields.word("reason", outcome.reason, parse_reason);
  std::optional<Proof> proof;
  fields.word("proof", proof, parse_proof);
  fields.text("message", outcome.message);
  fields.text("hint", outcome.hint);
  fields.text("object", outcome.object);
  fields.text("measured", outcome.measured);
  fields.text("expected", outcome.expected);
  fields.lines("details", outcome.details);
  fields.seconds("duration_seconds", outcome.duration);
  outcome.proof = proof.value_or(Proof::none);
  if (outcome.check.empty()) fields.wrong("check", "is missing or empty");
  if (outcome.name.empty()) outcome.name = outcome.check;
  if (outcome.outcome == Outcome::fail) {
    if (!outcome.reason) outcome.reason = Reason::check_failed;
    // "We could not tell" must never arrive as "the backup is bad".
    if (info(*outcome.reason).blame != Blame::backup) {
      fields.wrong("reason", fmt::format("is '{}', which does not blame the backup, with outcome "
                                         "'fail'",
                                         to_string(*outcome.reason)));
    }
  } else if (outcome.outcome == Outcome::inconclusive && !outcome.reason) {
    outcome.reason = Reason::check_error;
  }
  return fields.finish(std::move(outcome));
}

Result<Finding> finding_from_json(const bj::object& object) {
  Fields fields(object);
  Finding finding;
  fields.text("code", finding.code, 100);
  fields.text("message", finding.message);
  fields.text("object", finding.object);
  return fields.finish(std::move(finding));
}

Result<BackupRef> backup_ref_from_json(const bj::object& object) {
  Fields fields(object);
  BackupRef backup;
  fields.text("name", backup.name);
  fields.time("finished_at", backup.finished_at);
  fields.number("stored_bytes", backup.stored_bytes);
  fields.number("expanded_bytes", backup.expanded_bytes);
  fields.text("archive_end", backup.archive_end, 200);
  fields.text("version", backup.version, 100);
  return fields.finish(std::move(backup));
}

Result<RecoveryPoint> recovery_point_from_json(const bj::object& object) {
  Fields fields(object);
  RecoveryPoint point;
  fields.text("lsn", point.lsn, 100);
  fields.time("last_transaction", point.last_transaction);
  fields.number("timeline", point.timeline);
  return fields.finish(std::move(point));
}

Result<Artifact> artifact_from_json(const bj::object& object) {
  Fields fields(object);
  Artifact artifact;
  fields.text("kind", artifact.kind, 100);
  fields.path("path", artifact.path);
  fields.object("properties", artifact.properties);
  if (artifact.kind.empty()) fields.wrong("kind", "is missing or empty");
  return fields.finish(std::move(artifact));
}

Result<Endpoint> endpoint_from_json(const bj::object& object) {
  Fields fields(object);
  Endpoint endpoint;
  fields.text("kind", endpoint.kind, 100);
  fields.object("properties", endpoint.properties);
  if (endpoint.kind.empty()) fields.wrong("kind", "is missing or empty");
  return fields.finish(std::move(endpoint));
}

Result<StageRecord> stage_record_from_json(const bj::object& object) {
  Fields fields(object);
  StageRecord stage;
  fields.word("stage", stage.stage, parse_stage);
  fields.time("started_at", stage.started_at);
  fields.time("ended_at", stage.ended_at);
  fields.number("bytes_done", stage.bytes_done);
  fields.number("bytes_total", stage.bytes_total);
  fields.value("error", stage.error, error_from_json);
  return fields.finish(std::move(stage));
}

Result<RunReport> run_report_from_json(const bj::object& object) {
  Fields fields(object);
  RunReport report;
  fields.text("id", report.id, 200);
  fields.text("target", report.target, 200);
  fields.text("schedule", report.schedule, 200);
  fields.word("depth", report.depth, parse_depth);
  fields.text("requested_by", report.requested_by);
  fields.text("request_note", report.request_note);
  fields.text("requested_backup", report.requested_backup);
  fields.text("requested_recover_to", report.requested_recover_to);
  fields.text("host", report.host);
  fields.text("agent_version", report.agent_version, 200);
  fields.time("created_at", report.created_at);
  fields.time("ended_at", report.ended_at);
  fields.value("backup", report.backup, backup_ref_from_json);
  fields.value("recovery", report.recovery, recovery_point_from_json);
  fields.text("isolation", report.isolation);
  fields.values("stages", report.stages, stage_record_from_json);
  fields.values("checks", report.checks, check_outcome_from_json);
  fields.values("findings", report.findings, finding_from_json);
  fields.values("faults", report.faults, error_from_json);
  fields.word("verdict", report.verdict, parse_verdict);
  fields.value("cause", report.cause, error_from_json);
  fields.word("cleanup", report.cleanup, parse_cleanup_result);
  fields.text("cleanup_message", report.cleanup_message);
  fields.text("kept_path", report.kept_path);
  fields.time("kept_until", report.kept_until);
  fields.number("bytes_read", report.bytes_read);
  fields.number("bytes_restored", report.bytes_restored);
  fields.seconds("measured_rto_seconds", report.measured_rto);
  fields.seconds("measured_rpo_seconds", report.measured_rpo);
  fields.seconds("rto_target_seconds", report.rto_target);
  fields.seconds("rpo_target_seconds", report.rpo_target);
  return fields.finish(std::move(report));
}

}  // namespace rad
