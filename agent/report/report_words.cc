#include "agent/report/report_words.h"

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

using std::chrono::milliseconds;

std::string_view proved_words(Depth depth) {
  switch (depth) {
    case Depth::inspect:
      return "the backup's names and metadata are as they should be";
    case Depth::verify:
      return "every byte in scope was read and is as it should be";
    case Depth::restore:
      return "the backup was restored, recovered and checked";
  }
  return {};
}

std::string rate_words(std::uint64_t bytes, milliseconds took) {
  if (bytes == 0 || took < milliseconds(1)) return {};
  const double per_second = static_cast<double>(bytes) * 1000.0 / static_cast<double>(took.count());
  return format_bytes(static_cast<std::uint64_t>(per_second)) + "/s";
}

Row objective_row(std::string_view name, const std::optional<milliseconds>& measured,
                  const std::optional<milliseconds>& target) {
  std::string result;
  if (measured && target) result = *measured <= *target ? "met" : "missed";
  return {std::string(name), measured ? format_duration(*measured) : "not measured",
          target ? format_duration(*target) : "none set", result};
}

}  // namespace

std::string verdict_sentence(const RunReport& report) {
  if (!report.verdict) return "the run has not ended";
  if (*report.verdict == Verdict::pass) return std::string(proved_words(report.depth));
  if (!report.cause) return "no cause was recorded";
  const ReasonInfo& reason = info(report.cause->reason);
  return fmt::format("{} ({})", reason.text, reason.name);
}

std::string object_words(const Error& error) {
  if (error.object.empty() || !error.offset) return error.object;
  return fmt::format("{}, byte {}", error.object, *error.offset);
}

std::string runbook_page(const RunReport& report) {
  if (!report.cause || report.verdict == Verdict::pass) return {};
  return std::string(info(report.cause->reason).runbook);
}

std::string backup_words(const RunReport& report) {
  const BackupRef& backup = report.backup;
  if (backup.name.empty()) return {};
  std::string words = backup.name;
  if (backup.finished_at) {
    words += fmt::format(", ended {}", format_rfc3339(*backup.finished_at));
    const auto age = report.created_at - *backup.finished_at;
    if (age >= milliseconds(0)) words += fmt::format(" ({} old)", format_duration(age));
  }
  if (backup.stored_bytes != 0) {
    words += fmt::format(", {} as stored", format_bytes(backup.stored_bytes));
  }
  if (!backup.version.empty()) words += fmt::format(", PostgreSQL {}", backup.version);
  return words;
}

std::string recovery_words(const RunReport& report) {
  const RecoveryPoint& point = report.recovery;
  if (point.lsn.empty() && !point.last_transaction) return {};
  std::string words = "reached " + (point.lsn.empty() ? "an unknown position" : point.lsn);
  if (point.timeline != 0) words += fmt::format(" on timeline {}", point.timeline);
  if (point.last_transaction) {
    words += fmt::format(", last transaction {}", format_rfc3339(*point.last_transaction));
  }
  return words;
}

std::string request_words(const RunReport& report) {
  std::string words = report.schedule == "manual" ? std::string("by hand")
                                                  : fmt::format("schedule {}", report.schedule);
  if (!report.requested_by.empty() && report.requested_by != "schedule") {
    words += fmt::format(", asked for by {}", report.requested_by);
  }
  if (!report.request_note.empty()) words += fmt::format(": {}", report.request_note);
  if (!report.host.empty()) words += fmt::format("; on {}", report.host);
  return words;
}

std::string time_words(const RunReport& report) {
  std::string words = format_rfc3339(report.created_at);
  if (report.ended_at) {
    words += fmt::format(", took {}", format_duration(*report.ended_at - report.created_at));
  }
  return words;
}

std::string cleanup_words(const RunReport& report) {
  const std::string more =
      report.cleanup_message.empty() ? std::string() : ": " + report.cleanup_message;
  switch (report.cleanup) {
    case CleanupResult::pending:
      return "not done yet" + more;
    case CleanupResult::clean:
      return "nothing of the run is left on the host" + more;
    case CleanupResult::kept:
      return fmt::format("kept on purpose in {}{}{}", report.kept_path,
                         report.kept_until
                             ? fmt::format(" until {}", format_rfc3339(*report.kept_until))
                             : std::string(),
                         more);
    case CleanupResult::failed:
      return "restored data may be left on the host" + more;
  }
  return {};
}

std::vector<Row> check_rows(const RunReport& report) {
  std::vector<Row> rows{{"check", "outcome", "measured", "expected", "took"}};
  for (const auto& check : report.checks) {
    std::string outcome(to_string(check.outcome));
    if (check.outcome == Outcome::not_applicable) outcome = "not at this depth";
    if (check.reason && needs_words(check)) {
      outcome += fmt::format(" ({})", to_string(*check.reason));
    }
    rows.push_back({check.name, outcome, check.measured, check.expected,
                    check.duration.count() == 0 ? "" : format_duration(check.duration)});
  }
  return rows;
}

std::vector<Row> stage_rows(const RunReport& report) {
  std::vector<Row> rows{{"stage", "took", "bytes", "rate", "result"}};
  for (const auto& stage : report.stages) {
    const auto took = stage.ended_at ? *stage.ended_at - stage.started_at : milliseconds(0);
    std::string result = "done";
    if (stage.error) {
      result = to_string(stage.error->reason);
    } else if (!stage.ended_at) {
      // The report itself is written in the stage `report`.
      result = !report.verdict || stage.stage == Stage::report ? "under way" : "not finished";
    }
    rows.push_back({std::string(to_string(stage.stage)),
                    stage.ended_at ? format_duration(took) : "",
                    stage.bytes_done == 0 ? "" : format_bytes(stage.bytes_done),
                    rate_words(stage.bytes_done, took), result});
  }
  return rows;
}

std::vector<Row> objective_rows(const RunReport& report) {
  std::vector<Row> rows{{"objective", "measured", "target", "result"}};
  // Only a restore measures them; elsewhere the targets alone would say nothing.
  const bool restore = report.depth == Depth::restore;
  if (report.measured_rto || (restore && report.rto_target)) {
    rows.push_back(objective_row("RTO (time to restore)", report.measured_rto, report.rto_target));
  }
  if (report.measured_rpo || (restore && report.rpo_target)) {
    rows.push_back(objective_row("RPO (data lost)", report.measured_rpo, report.rpo_target));
  }
  return rows.size() == 1 ? std::vector<Row>{} : rows;
}

bool needs_words(const CheckOutcome& check) {
  return check.outcome != Outcome::pass && check.outcome != Outcome::not_applicable;
}

bool needs_paragraph(const RunReport& report, const CheckOutcome& check) {
  const bool never_asked = check.outcome == Outcome::skipped && report.cause &&
                           check.reason == report.cause->reason && check.details.empty();
  return needs_words(check) && !never_asked;
}

}  // namespace rad
