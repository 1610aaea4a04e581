#include "plugins/wal_e/checks.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/sdk/options.h"

namespace rad::wal_e {
namespace {

using protocol::CheckSpec;

constexpr std::size_t kMaxDetails = 100;

CheckOutcome passed(Proof proof, std::string message) {
  CheckOutcome outcome;
  outcome.outcome = Outcome::pass;
  outcome.proof = proof;
  outcome.message = std::move(message);
  return outcome;
}

CheckOutcome from_error(const Error& error) {
  CheckOutcome outcome;
  outcome.outcome =
      info(error.reason).blame == Blame::backup ? Outcome::fail : Outcome::inconclusive;
  outcome.reason = error.reason;
  outcome.message = error.message;
  outcome.hint = error.hint;
  outcome.object = error.object;
  return outcome;
}

CheckOutcome not_applicable(std::string message) {
  CheckOutcome outcome;
  outcome.outcome = Outcome::not_applicable;
  outcome.message = std::move(message);
  return outcome;
}

std::string age_text(std::chrono::milliseconds age) {
  return format_duration(std::max(age, std::chrono::milliseconds(0)));
}

CheckOutcome backup_age(const CheckSpec& spec, const Evidence& evidence, TimePoint now) {
  const PinnedBackup& pinned = *evidence.pinned;
  if (!pinned.finished_at) {
    return from_error(fail(Reason::check_error, "nothing says when the backup ended"));
  }
  const auto max = sdk::duration_option(spec.options, "max").value_or(std::chrono::hours(24));
  const auto age = now - *pinned.finished_at;
  const std::string source = pinned.finished_by_sentinel
                                 ? "by the sentinel's time, since no STOP TIME in UTC is known"
                                 : "by STOP TIME of the .backup object";
  CheckOutcome outcome = passed(Proof::metadata, fmt::format("backup '{}' ended {} ago, {}",
                                                             pinned.name(), age_text(age), source));
  outcome.measured = age_text(age);
  outcome.expected = fmt::format("at most {}", format_duration(max));
  if (age > max) {
    outcome.outcome = Outcome::fail;
    outcome.reason = Reason::stale_backup;
    outcome.object = pinned.name();
    outcome.hint = "look at the log of wal-e backup-push; push a backup";
  }
  return outcome;
}

CheckOutcome wal_age(const CheckSpec& spec, const Evidence& evidence, TimePoint now) {
  const PinnedBackup& pinned = *evidence.pinned;
  if (pinned.path.steps.empty()) {
    return not_applicable("the offline backup is only placed in the archive when it is read");
  }
  const WalStep& last = pinned.path.steps.back();
  const auto max = sdk::duration_option(spec.options, "max").value_or(std::chrono::hours(1));
  const auto age = now - last.modified;
  const auto name = to_string(pinned.path.name(last));
  CheckOutcome outcome =
      passed(Proof::metadata,
             fmt::format("the newest segment, {}, was stored {} ago", name, age_text(age)));
  outcome.measured = age_text(age);
  outcome.expected = fmt::format("at most {}", format_duration(max));
  if (age <= max) return outcome;
  if (sdk::boolean_option(spec.options, "idle_ok").value_or(false)) {
    outcome.message += "; older than asked for, and taken for an idle cluster's (idle_ok)";
    return outcome;
  }
  outcome.outcome = Outcome::fail;
  outcome.reason = Reason::stale_backup;
  outcome.object = pinned.path.object(last).key;
  outcome.hint =
      "look at pg_stat_archiver on the source; an idle cluster archives nothing: set idle_ok, or "
      "archive_timeout on the source";
  return outcome;
}

CheckOutcome wal_continuity(const Evidence& evidence) {
  const PinnedBackup& pinned = *evidence.pinned;
  if (pinned.path.steps.empty()) {
    return not_applicable("the offline backup is only placed in the archive when it is read");
  }
  if (pinned.gap_after_stop) return from_error(*pinned.gap_after_stop);
  const WalPath& path = pinned.path;
  CheckOutcome outcome =
      passed(Proof::metadata,
             "no segment and no timeline history is missing from the backup's start "
             "to the end of the archive");
  outcome.measured = fmt::format("{} segments, {} to {}", path.steps.size(),
                                 to_string(path.name(path.steps.front())),
                                 to_string(path.name(path.steps.back())));
  outcome.expected = fmt::format("no gap up to timeline {}", path.timeline);
  return outcome;
}

CheckOutcome backup_complete(const Evidence& evidence) {
  const PinnedBackup& pinned = *evidence.pinned;
  if (pinned.chosen.overdue) return from_error(*pinned.chosen.overdue);
  const auto partitions = pinned.chosen.backup.partitions.size();
  if (evidence.depth == Depth::inspect) {
    CheckOutcome outcome = passed(Proof::metadata, "every partition and the sentinel are there");
    outcome.measured = fmt::format("{} partitions, {} stored", partitions,
                                   format_bytes(pinned.chosen.backup.stored_bytes()));
    outcome.expected = "partitions 0 to n without a gap, none empty";
    return outcome;
  }
  if (!evidence.read) {
    return from_error(fail(Reason::check_error, "the backup was not read to its end"));
  }
  const BaseBackupContent& content = evidence.read->content;
  CheckOutcome outcome =
      passed(Proof::bytes,
             "every byte was decrypted, decompressed and unpacked, and agrees with the "
             "backup's own description");
  outcome.measured = fmt::format("{} partitions, {} members, {} bytes", partitions, content.members,
                                 content.member_bytes);
  const auto& planned = pinned.chosen.sentinel.expanded_bytes;
  outcome.expected = planned ? fmt::format("{} bytes", *planned) : "no size in the sentinel";
  return outcome;
}

CheckOutcome stream_page_checksums(const Evidence& evidence) {
  if (evidence.depth == Depth::inspect) return not_applicable("inspect reads no pages");
  if (!evidence.read) {
    return from_error(fail(Reason::check_error, "the backup was not read to its end"));
  }
  const ReadEvidence& read = *evidence.read;
  if (!read.facts.has_checksums) {
    return not_applicable("the cluster has no data checksums, so its pages prove nothing");
  }
  std::vector<std::string> details;
  for (const auto& page : read.unexplained) {
    if (details.size() == kMaxDetails) break;
    details.push_back(fmt::format("{} block {}", page.path, page.block));
  }
  const auto measured =
      fmt::format("{} pages, {} suspect, {} unexplained", read.content.pages_checked, read.suspects,
                  read.unexplained.size());
  CheckOutcome outcome;
  if (read.suspects > 0 && read.unproved) {
    outcome = from_error(*read.unproved);
    outcome.message = fmt::format("{} pages have a wrong checksum, and {}", read.suspects,
                                  read.unproved->message);
  } else if ((!read.unexplained.empty() || read.suspects_cut) && evidence.depth == Depth::restore) {
    outcome = not_applicable(
        fmt::format("{}{} pages with a wrong checksum are left to page_checksums after recovery",
                    read.suspects_cut ? "more than " : "",
                    read.suspects_cut ? read.suspects : read.unexplained.size()));
  } else if (!read.unexplained.empty()) {
    outcome.outcome = Outcome::fail;
    outcome.reason = Reason::checksum_mismatch;
    outcome.object =
        fmt::format("{} block {}", read.unexplained.front().path, read.unexplained.front().block);
    outcome.message = "pages have a wrong checksum, and the backup's WAL does not replace them";
  } else {
    outcome =
        passed(Proof::bytes,
               read.suspects == 0
                   ? "every page matches its checksum"
                   : "every page matches its checksum or is replaced by the backup's own WAL");
  }
  outcome.details = std::move(details);
  outcome.measured = measured;
  outcome.expected = "0 unexplained";
  return outcome;
}

/// At restore recovery itself reads the records; what is left to say is whether it was handed all.
CheckOutcome wal_of_recovery(const Evidence& evidence) {
  const ReadEvidence& read = *evidence.read;
  if (!evidence.to_archive_end || !read.chain) {
    return not_applicable("recovery was not asked to go to the end of the archive");
  }
  const PinnedBackup& pinned = *evidence.pinned;
  const auto last = to_string(pinned.path.name(pinned.path.steps.back()));
  CheckOutcome outcome =
      passed(Proof::bytes, "every segment to the end of the archive was proved and handed over");
  outcome.measured = evidence.last_served != 0
                         ? to_string(pinned.path.expected_name(evidence.last_served))
                         : "no segment was asked for";
  outcome.expected = last;
  return outcome;
}

CheckOutcome wal_records(const Evidence& evidence) {
  if (evidence.depth == Depth::inspect) return not_applicable("inspect reads no WAL");
  if (evidence.failure) return from_error(*evidence.failure);
  if (!evidence.read) {
    return from_error(fail(Reason::check_error, "the WAL was not read to its end"));
  }
  const ReadEvidence& read = *evidence.read;
  if (read.unproved) return from_error(*read.unproved);
  if (read.chain && read.chain->damage) return from_error(*read.chain->damage);
  if (evidence.depth == Depth::restore) return wal_of_recovery(evidence);
  if (!read.chain) return from_error(fail(Reason::check_error, "the WAL was not read to its end"));
  CheckOutcome outcome = passed(
      Proof::bytes, "every WAL record from the backup's start to the end of the archive is good");
  outcome.measured = fmt::format("{} segments, last record at {}", read.chain->segments,
                                 format_lsn(read.chain->last_record));
  outcome.expected = "one unbroken chain of records";
  return outcome;
}

protocol::OptionInfo option(std::string key, std::string type, bool required, std::string fallback,
                            std::string summary) {
  return {.key = std::move(key),
          .type = std::move(type),
          .required = required,
          .secret = false,
          .default_text = std::move(fallback),
          .allowed = {},
          .summary = std::move(summary)};
}

}  // namespace

std::vector<protocol::CheckInfo> known_checks() {
  const std::vector<Depth> all{Depth::inspect, Depth::verify, Depth::restore};
  const std::vector<Depth> reading{Depth::verify, Depth::restore};
  return {
      {"backup_age",
       all,
       Proof::metadata,
       false,
       "the newest backup is young enough",
       {option("max", "duration", true, "", "oldest age allowed, counted from the backup's end")}},
      {"wal_age",
       all,
       Proof::metadata,
       false,
       "the newest archived WAL is young enough",
       {option("max", "duration", true, "", "oldest age allowed of the newest segment"),
        option("idle_ok", "boolean", false, "false",
               "an idle cluster archives nothing: old WAL is said, but passes")}},
      {"wal_continuity",
       all,
       Proof::metadata,
       true,
       "no segment or history is missing from the backup to the end of the archive",
       {}},
      {"backup_complete",
       all,
       Proof::bytes,
       true,
       "the backup is whole: sentinel, partitions, members, sizes, label, pg_control, tablespaces",
       {}},
      {"stream_page_checksums",
       reading,
       Proof::bytes,
       true,
       "every page of every relation matches its checksum, torn pages that WAL replaces excepted",
       {}},
      {"wal_records",
       reading,
       Proof::bytes,
       true,
       "every WAL record from the backup's start to the end of the archive is good",
       {}},
  };
}

CheckOutcome answer_check(const CheckSpec& spec, const Evidence& evidence, TimePoint now) {
  CheckOutcome outcome;
  if (!evidence.pinned) {
    outcome = from_error(fail(Reason::check_error, "no backup has been looked at"));
  } else if (spec.check == "backup_age") {
    outcome = backup_age(spec, evidence, now);
  } else if (spec.check == "wal_age") {
    outcome = wal_age(spec, evidence, now);
  } else if (spec.check == "wal_continuity") {
    outcome = wal_continuity(evidence);
  } else if (evidence.failure && evidence.depth != Depth::inspect) {
    outcome = from_error(*evidence.failure);
  } else if (spec.check == "backup_complete") {
    outcome = backup_complete(evidence);
  } else if (spec.check == "stream_page_checksums") {
    outcome = stream_page_checksums(evidence);
  } else if (spec.check == "wal_records") {
    outcome = wal_records(evidence);
  } else {
    outcome = from_error(
        fail(Reason::config_invalid, fmt::format("wal_e offers no check '{}'", spec.check)));
  }
  outcome.name = spec.name;
  outcome.check = spec.check;
  return outcome;
}

}  // namespace rad::wal_e
