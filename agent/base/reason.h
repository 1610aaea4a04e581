// The closed list of reasons why a run did not pass, and what each one leads to.
//
// One row per reason, in reason.cc: number, name, verdict, sentence, runbook page. The name is the
// very string used in YAML, JSON, metric labels and issue titles; the number never changes once
// released. Telling these apart is the product: see docs/design.md, "Verdicts and reasons".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace rad {

enum class Reason : std::uint16_t {
  // The backup is at fault: the verdict is fail.
  no_backup = 1,
  stale_backup = 2,
  decrypt_failed = 3,
  decompress_failed = 4,
  truncated = 5,
  missing_object = 6,
  checksum_mismatch = 7,
  unsafe_content = 8,
  wal_gap = 9,
  wal_damaged = 10,
  recovery_failed = 11,
  start_failed = 12,
  check_failed = 13,
  row_count_mismatch = 14,
  stale_data = 15,
  metadata_invalid = 16,  ///< sentinel, tar header, backup_label or pg_control contradicts itself
  // We could not tell: the verdict is inconclusive.
  config_invalid = 100,
  storage_unreachable = 101,
  access_denied = 102,
  backup_removed = 103,
  key_unavailable = 104,
  tool_missing = 105,
  library_missing = 106,
  locale_missing = 107,
  version_unsupported = 108,
  host_unfit = 109,
  out_of_memory = 110,
  scratch_full = 111,
  quota = 112,
  timeout = 113,
  plugin_crashed = 114,
  plugin_protocol = 115,
  check_error = 116,
  interrupted = 117,
  no_check_ran = 118,
  target_busy = 119,     ///< another run of the same target holds its lock
  internal_error = 120,  ///< a bug of ours; never blamed on the backup
  // Somebody stopped it.
  cancelled = 200,
};

/// What a reason means for the verdict of a run.
enum class Blame : std::uint8_t { backup, unknown, cancelled };

struct ReasonInfo {
  Reason reason;
  std::string_view name;  ///< snake_case
  Blame blame;
  std::string_view text;     ///< one sentence in plain words, lower case, no full stop
  std::string_view runbook;  ///< page below runbooks/, without ".md"
};

/// All reasons in the order of their numbers.
std::span<const ReasonInfo> all_reasons() noexcept;
const ReasonInfo& info(Reason reason) noexcept;
inline std::string_view to_string(Reason reason) noexcept {
  return info(reason).name;
}
/// \return nothing for a name that is not in the list.
std::optional<Reason> parse_reason(std::string_view name) noexcept;

}  // namespace rad
