#include "agent/base/reason.h"

#include <array>

namespace rad {
namespace {

constexpr std::array kReasons{
    ReasonInfo{Reason::no_backup, "no_backup", Blame::backup, "there is no complete backup",
               "no_backup"},
    ReasonInfo{Reason::stale_backup, "stale_backup", Blame::backup,
               "the newest backup or WAL is older than allowed", "stale_backup"},
    ReasonInfo{Reason::decrypt_failed, "decrypt_failed", Blame::backup,
               "an object of the backup cannot be decrypted although the key works",
               "decrypt_failed"},
    ReasonInfo{Reason::decompress_failed, "decompress_failed", Blame::backup,
               "an object of the backup cannot be decompressed", "decompress_failed"},
    ReasonInfo{Reason::truncated, "truncated", Blame::backup,
               "an object of the backup ends before its end mark", "truncated"},
    ReasonInfo{Reason::missing_object, "missing_object", Blame::backup,
               "an object that the backup needs is not in the store", "missing_object"},
    ReasonInfo{Reason::checksum_mismatch, "checksum_mismatch", Blame::backup,
               "a data page or an object does not match its checksum", "checksum_mismatch"},
    ReasonInfo{Reason::unsafe_content, "unsafe_content", Blame::backup,
               "the backup holds something that must never be unpacked", "unsafe_content"},
    ReasonInfo{Reason::wal_gap, "wal_gap", Blame::backup,
               "a WAL segment or timeline history that recovery needs is missing", "wal_gap"},
    ReasonInfo{Reason::wal_damaged, "wal_damaged", Blame::backup,
               "a WAL segment is damaged, so recovery cannot go past it", "wal_damaged"},
    ReasonInfo{Reason::recovery_failed, "recovery_failed", Blame::backup,
               "PostgreSQL could not recover from the backup and its WAL", "recovery_failed"},
    ReasonInfo{Reason::start_failed, "start_failed", Blame::backup,
               "the restored instance did not start, and the host is not the cause",
               "start_failed"},
    ReasonInfo{Reason::check_failed, "check_failed", Blame::backup,
               "a check of the restored data failed", "check_failed"},
    ReasonInfo{Reason::row_count_mismatch, "row_count_mismatch", Blame::backup,
               "a table has not the number of rows it must have", "row_count_mismatch"},
    ReasonInfo{Reason::stale_data, "stale_data", Blame::backup,
               "the newest data in the restored copy is older than allowed", "stale_data"},
    ReasonInfo{Reason::metadata_invalid, "metadata_invalid", Blame::backup,
               "the backup's own description is unreadable or contradicts its content",
               "metadata_invalid"},
    ReasonInfo{Reason::config_invalid, "config_invalid", Blame::unknown,
               "the configuration is wrong", "config_invalid"},
    ReasonInfo{Reason::storage_unreachable, "storage_unreachable", Blame::unknown,
               "the storage of the backups cannot be reached", "storage_unreachable"},
    ReasonInfo{Reason::access_denied, "access_denied", Blame::unknown,
               "the storage or a file refuses access", "access_denied"},
    ReasonInfo{Reason::backup_removed, "backup_removed", Blame::unknown,
               "the backup under test was removed while it was read", "backup_removed"},
    ReasonInfo{Reason::key_unavailable, "key_unavailable", Blame::unknown,
               "the secret key is not on this host or cannot be used", "key_unavailable"},
    ReasonInfo{Reason::tool_missing, "tool_missing", Blame::unknown,
               "a program that the run needs is not installed", "tool_missing"},
    ReasonInfo{Reason::library_missing, "library_missing", Blame::unknown,
               "the restored database needs a library that this host lacks", "library_missing"},
    ReasonInfo{Reason::locale_missing, "locale_missing", Blame::unknown,
               "the restored database needs a locale that this host lacks", "locale_missing"},
    ReasonInfo{Reason::version_unsupported, "version_unsupported", Blame::unknown,
               "the backup is of a version that this host cannot handle", "version_unsupported"},
    ReasonInfo{Reason::host_unfit, "host_unfit", Blame::unknown,
               "this host's limits or settings do not allow the test", "host_unfit"},
    ReasonInfo{Reason::out_of_memory, "out_of_memory", Blame::unknown,
               "this host ran out of memory", "out_of_memory"},
    ReasonInfo{Reason::scratch_full, "scratch_full", Blame::unknown,
               "there is not enough space in scratch", "scratch_full"},
    ReasonInfo{Reason::quota, "quota", Blame::unknown, "a quota was reached", "quota"},
    ReasonInfo{Reason::timeout, "timeout", Blame::unknown,
               "a stage exceeded its time limit or stopped making progress", "timeout"},
    ReasonInfo{Reason::plugin_crashed, "plugin_crashed", Blame::unknown, "a plugin ended early",
               "plugin_crashed"},
    ReasonInfo{Reason::plugin_protocol, "plugin_protocol", Blame::unknown,
               "a plugin broke the protocol", "plugin_protocol"},
    ReasonInfo{Reason::check_error, "check_error", Blame::unknown,
               "a check could not be carried out", "check_error"},
    ReasonInfo{Reason::interrupted, "interrupted", Blame::unknown,
               "the agent stopped before the run had ended", "interrupted"},
    ReasonInfo{Reason::no_check_ran, "no_check_ran", Blame::unknown,
               "no check proved anything at this depth", "no_check_ran"},
    ReasonInfo{Reason::target_busy, "target_busy", Blame::unknown,
               "another run of this target is in progress", "target_busy"},
    ReasonInfo{Reason::internal_error, "internal_error", Blame::unknown,
               "the agent or a plugin has a bug", "internal_error"},
    ReasonInfo{Reason::cancelled, "cancelled", Blame::cancelled, "somebody cancelled the run",
               "cancelled"},
};

}  // namespace

std::span<const ReasonInfo> all_reasons() noexcept {
  return kReasons;
}

const ReasonInfo& info(Reason reason) noexcept {
  for (const ReasonInfo& row : kReasons) {
    if (row.reason == reason) return row;
  }
  return info(Reason::internal_error);
}

std::optional<Reason> parse_reason(std::string_view name) noexcept {
  for (const ReasonInfo& row : kReasons) {
    if (row.name == name) return row.reason;
  }
  return std::nullopt;
}

}  // namespace rad
