#include "plugins/wal_e/base_facts.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

// WAL-E's tar_partition.py: a partition is closed when one of these would be exceeded.
constexpr std::uint64_t kPartitionBytes = 1610612736;
constexpr std::uint64_t kPartitionMembers = 6144;

Error contradiction(std::string message, std::string object) {
  return fail(Reason::metadata_invalid, std::move(message),
              "the backup's parts do not belong together; take a new base backup",
              std::move(object));
}

Status learn_major(const BaseBackupContent& content, BaseFacts& facts) {
  if (content.pg_version.empty()) {
    return fail(Reason::missing_object, "the backup has no file 'PG_VERSION'",
                "take a new base backup", "PG_VERSION");
  }
  int major = 0;
  int minor = 0;
  const char* begin = content.pg_version.data();
  const char* end = begin + content.pg_version.size();
  auto parsed = std::from_chars(begin, end, major);
  bool good = parsed.ec == std::errc{};
  if (good && major == 9 && parsed.ptr != end && *parsed.ptr == '.') {
    parsed = std::from_chars(parsed.ptr + 1, end, minor);
    good = parsed.ec == std::errc{};
  }
  if (!good || parsed.ptr != end || major < 9) {
    return contradiction(fmt::format("'PG_VERSION' holds '{}', expected a major version",
                                     printable(content.pg_version, 40)),
                         "PG_VERSION");
  }
  facts.major = major == 9 ? 90 + minor : major;
  facts.version_text = content.pg_version;
  return {};
}

Status learn_control(const BaseBackupContent& content, const PinnedBackup& pinned,
                     BaseFacts& facts) {
  if (content.pg_control.empty()) {
    return fail(Reason::missing_object, "the backup has no file 'global/pg_control'",
                "take a new base backup", "global/pg_control");
  }
  RAD_TRY(facts.control, parse_pg_control(content.pg_control));
  facts.has_checksums = facts.control.data_checksum_version != 0;
  // Catalog versions are dates: 202209061 of 15. One of another decade is damage that the CRC
  // hides.
  constexpr std::uint32_t kOldestCatalog = 200000000;
  if (facts.control.catalog_version < kOldestCatalog) {
    return contradiction(
        fmt::format("'global/pg_control' has catalog version {}", facts.control.catalog_version),
        "global/pg_control");
  }
  if (pinned.wal_system_identifier != 0 && facts.control.segment_bytes != pinned.segment_bytes) {
    return contradiction(fmt::format("'global/pg_control' says {} bytes a WAL segment, the archive "
                                     "has {}",
                                     facts.control.segment_bytes, pinned.segment_bytes),
                         "global/pg_control");
  }
  return {};
}

Status learn_online(const BaseBackupContent& content, const PinnedBackup& pinned,
                    BaseFacts& facts) {
  RAD_TRY(facts.label, parse_backup_label(content.backup_label, "backup_label"));
  const BackupLabel& label = *facts.label;
  facts.start = label.start;
  facts.stop = pinned.stop().value_or(0);
  if (label.start_segment.timeline != pinned.timeline()) {
    return contradiction(fmt::format("'backup_label' is of timeline {}, the backup's name of {}",
                                     label.start_segment.timeline, pinned.timeline()),
                         "backup_label");
  }
  const auto named = pinned.start();
  if (!named || *named != label.start) {
    return contradiction(
        fmt::format("'backup_label' starts at {}, the backup's name says {}",
                    format_lsn(label.start), named ? format_lsn(*named) : "nothing readable"),
        "backup_label");
  }
  if (pinned.history &&
      (pinned.history->start != label.start || pinned.history->checkpoint != label.checkpoint)) {
    return contradiction(
        fmt::format("'backup_label' starts at {} with its checkpoint at {}, the "
                    ".backup object of the archive at {} and {}",
                    format_lsn(label.start), format_lsn(label.checkpoint),
                    format_lsn(pinned.history->start), format_lsn(pinned.history->checkpoint)),
        "backup_label");
  }
  if (facts.stop != 0 && facts.stop < facts.start) {
    return contradiction(fmt::format("the backup starts at {} and stops at {}",
                                     format_lsn(facts.start), format_lsn(facts.stop)),
                         pinned.chosen.backup.sentinel->key);
  }
  return {};
}

Status learn_offline(const PinnedBackup& pinned, BaseFacts& facts) {
  facts.offline = true;
  facts.start = facts.control.redo;
  const bool shut_down = facts.control.state == ClusterState::shut_down ||
                         facts.control.state == ClusterState::shut_down_in_recovery;
  if (!shut_down) {
    return fail(
        Reason::missing_object,
        "the backup has no 'backup_label', and 'global/pg_control' says that the server was "
        "running",
        "a copy of a running cluster without its label cannot be recovered; take a new base "
        "backup",
        "backup_label");
  }
  if (pinned.history) {
    return contradiction("the backup has no 'backup_label', but the archive has its .backup object",
                         "backup_label");
  }
  return {};
}

}  // namespace

Result<BaseFacts> learn_facts(const BaseBackupContent& content, const PinnedBackup& pinned) {
  BaseFacts facts;
  RAD_CHECK(learn_major(content, facts));
  RAD_CHECK(learn_control(content, pinned, facts));
  if (content.backup_label.empty()) {
    RAD_CHECK(learn_offline(pinned, facts));
  } else {
    RAD_CHECK(learn_online(content, pinned, facts));
  }
  if (pinned.major && *pinned.major != facts.major) {
    return contradiction(fmt::format("'PG_VERSION' says {}, 'extended_version.txt' {}",
                                     facts.version_text, pinned.version_text),
                         "PG_VERSION");
  }
  return facts;
}

Status check_tablespaces(const BaseBackupContent& content, const PinnedBackup& pinned) {
  for (const auto& spec : pinned.chosen.sentinel.tablespaces) {
    const auto& seen = content.tablespaces_seen;
    if (std::find(seen.begin(), seen.end(), spec.oid) != seen.end()) continue;
    return fail(Reason::missing_object,
                fmt::format("tablespace {} (at '{}' on the source) has no file in the backup",
                            spec.oid, spec.location),
                "take a new base backup; was the tablespace mounted when this one was pushed?",
                "pg_tblspc/" + spec.oid);
  }
  return {};
}

SizeVerdict judge_size(const BaseBackupContent& content, const PinnedBackup& pinned,
                       std::uint64_t dropped_relations) {
  SizeVerdict verdict;
  const auto& planned = pinned.chosen.sentinel.expanded_bytes;
  if (!planned || *planned == content.member_bytes) return verdict;
  const auto& sentinel = pinned.chosen.backup.sentinel->key;
  if (content.member_bytes > *planned) {
    verdict.error = contradiction(fmt::format("the partitions hold {} bytes, sentinel '{}' says {}",
                                              content.member_bytes, sentinel, *planned),
                                  sentinel);
    return verdict;
  }
  const std::uint64_t shortfall = *planned - content.member_bytes;
  const bool full = !content.members_per_partition.empty() &&
                    (content.members_per_partition.back() >= kPartitionMembers ||
                     content.bytes_per_partition.back() + shortfall >= kPartitionBytes);
  const auto& partitions = pinned.chosen.backup.partitions;
  const auto next = partition_key(pinned.name(), partitions.size(), partitions.back().padded);
  if (full && dropped_relations == 0) {
    verdict.error = fail(
        Reason::missing_object,
        fmt::format(
            "{} bytes that the sentinel counts are in no partition, and the last one is full: "
            "'{}' is missing",
            shortfall, next),
        "take a new base backup now; look for the object in versions or copies of the store", next);
    return verdict;
  }
  verdict.finding = Finding{
      "fewer_bytes",
      fmt::format(
          "the partitions hold {} bytes less than the sentinel says, as when files vanish "
          "during the copy{}",
          shortfall,
          full ? fmt::format("; the last partition is full, but {} relations were dropped or "
                             "truncated meanwhile",
                             dropped_relations)
               : ""),
      sentinel};
  return verdict;
}

}  // namespace rad::wal_e
