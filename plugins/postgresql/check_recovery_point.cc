#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/postgresql/checks.h"

namespace rad::postgresql {
namespace {

std::string measured_text(const RecoveryEnd& end) {
  std::string text = end.point.lsn;
  if (end.point.last_transaction) {
    text += ", last transaction " + format_rfc3339(*end.point.last_transaction);
  }
  return text;
}

// Replay that complained met bytes it could not take; replay that ended without a word was told
// that there is no further segment.
void blame_segment(CheckOutcome& outcome, const DataDirectory& data, const RecoveryEnd& end) {
  if (!end.log.end_segment.empty()) {
    outcome.reason = Reason::wal_damaged;
    outcome.object = end.log.end_segment;
    outcome.message = fmt::format("WAL segment {} is damaged: recovery ended at {}",
                                  end.log.end_segment, end.point.lsn);
    outcome.details.push_back(end.log.end_text);
    return;
  }
  Segment missing{end.point.timeline, end.lsn / data.wal_segment_bytes};
  const auto last = parse_segment(end.log.last_restored_segment, data.wal_segment_bytes);
  if (last && last->number >= missing.number) missing.number = last->number + 1;
  outcome.reason = Reason::wal_gap;
  outcome.object = format_segment(missing, data.wal_segment_bytes);
  outcome.message =
      fmt::format("WAL segment {} is missing: recovery ended at {}", outcome.object, end.point.lsn);
}

CheckOutcome judge_latest(CheckOutcome outcome, const DataDirectory& data, const RecoveryEnd& end) {
  if (!data.archive_end) {
    if (data.restore_command.empty()) {
      outcome.outcome = Outcome::pass;
      outcome.message = "the backup needs no archive, and none is configured";
      return outcome;
    }
    outcome.outcome = Outcome::inconclusive;
    outcome.reason = Reason::check_error;
    outcome.message =
        "the end of the archive is not known, so nothing says how far recovery had to go";
    return outcome;
  }
  const ArchiveEnd& archive = *data.archive_end;
  outcome.expected =
      fmt::format("past {} (segment {})", format_lsn(archive.last_record_lsn), archive.segment);
  outcome.outcome = Outcome::fail;
  const bool other_timeline = archive.timeline > end.point.timeline;
  if (end.lsn <= archive.last_record_lsn) {
    blame_segment(outcome, data, end);
    if (other_timeline) {
      outcome.details.push_back(fmt::format("recovery was on timeline {}, the archive ends on {}",
                                            end.point.timeline, archive.timeline));
    }
    return outcome;
  }
  if (other_timeline) {
    outcome.reason = Reason::wal_gap;
    outcome.object = fmt::format("{:08X}.history", archive.timeline);
    outcome.message = fmt::format("recovery followed timeline {}, the archive ends on timeline {}",
                                  end.point.timeline, archive.timeline);
    return outcome;
  }
  if (!archive.clean) {
    outcome.reason = Reason::wal_damaged;
    outcome.object = archive.segment;
    outcome.message = fmt::format("the archive ends in bytes that are no WAL after {}",
                                  format_lsn(archive.last_record_lsn));
    return outcome;
  }
  outcome.outcome = Outcome::pass;
  outcome.message = "recovery reached the end of the archive";
  return outcome;
}

bool short_of_position(const DataDirectory& data, const RecoveryEnd& end) {
  switch (data.recover_to.kind) {
    case RecoverTo::Kind::lsn:
      return end.lsn < parse_lsn(data.recover_to.value).value_or(0);
    case RecoverTo::Kind::immediate:
      return end.lsn < parse_lsn(data.backup_stop_lsn).value_or(0);
    default:
      return false;
  }
}

CheckOutcome judge_target(CheckOutcome outcome, const DataDirectory& data, const RecoveryEnd& end) {
  outcome.expected = data.recover_to.text();
  if (data.recover_to.kind == RecoverTo::Kind::immediate && !data.backup_stop_lsn.empty()) {
    outcome.expected = "at least " + data.backup_stop_lsn;
  }
  // Before version 13 a server that does not meet its target promotes without a word.
  if (!end.log.target_reached || short_of_position(data, end)) {
    outcome.outcome = Outcome::fail;
    blame_segment(outcome, data, end);
    outcome.message += ", before the recovery target";
    return outcome;
  }
  outcome.outcome = Outcome::pass;
  outcome.message = "recovery reached its target: " + end.log.stop_text;
  return outcome;
}

}  // namespace

CheckOutcome judge_recovery(const DataDirectory& data, const RecoveryEnd& end) {
  CheckOutcome outcome;
  outcome.proof = Proof::metadata;
  outcome.measured = measured_text(end);
  if (!end.replaced_segment.empty()) {
    outcome.outcome = Outcome::fail;
    outcome.reason = Reason::wal_gap;
    outcome.object = end.replaced_segment;
    outcome.message = fmt::format(
        "WAL segment {} is missing: recovery took the segment of an older timeline instead",
        end.replaced_segment);
    return outcome;
  }
  return data.recover_to.kind == RecoverTo::Kind::latest
             ? judge_latest(std::move(outcome), data, end)
             : judge_target(std::move(outcome), data, end);
}

CheckOutcome check_recovery_point(const protocol::CheckSpec& spec, CheckEnv& env) {
  if (env.instance == nullptr) {
    return from_error(spec,
                      fail(Reason::check_error, "the instance was not recovered by this plugin"));
  }
  CheckOutcome outcome = judge_recovery(env.instance->data(), env.instance->recovery());
  outcome.name = spec.name;
  outcome.check = spec.check;
  return outcome;
}

}  // namespace rad::postgresql
