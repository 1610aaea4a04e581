// What checks and stages say about a backup.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/model/words.h"

namespace rad {

/// The answer to one question. `measured` and `expected` are short texts for people ("98 rows",
/// "0/721B598"), never row values.
struct CheckOutcome {
  std::string name;    ///< unique in the target; default: the check's type
  std::string check;   ///< the check's type
  std::string plugin;  ///< filled in by the agent
  Outcome outcome = Outcome::inconclusive;
  std::optional<Reason> reason;  ///< set unless outcome is pass or not_applicable
  Proof proof = Proof::none;     ///< what this outcome proves if it is a pass
  std::string message;           ///< one sentence
  std::string hint;
  std::string object;  ///< object, relation or file at fault
  std::string measured;
  std::string expected;
  std::vector<std::string> details;  ///< at most 100 lines, e.g. one per table at fault
  std::chrono::milliseconds duration{0};
};

/// Worth saying, but does not change the verdict.
struct Finding {
  std::string code;  ///< snake_case, e.g. "key_expired", "unfinished_backup", "links_left_out"
  std::string message;
  std::string object;
};

/// One backup as it was pinned at preflight.
struct BackupRef {
  std::string name;                      ///< e.g. "base_000000010000000000000003_00000040"
  std::optional<TimePoint> finished_at;  ///< when the backup ended at the source
  std::uint64_t stored_bytes = 0;        ///< as stored, without WAL
  std::uint64_t expanded_bytes = 0;      ///< after decompression, 0 if unknown
  std::string archive_end;               ///< last WAL segment known at preflight, "" if none
  std::string version;                   ///< of the server, e.g. "15"
};

/// How far recovery came and when; instants of the source cluster.
struct RecoveryPoint {
  std::string lsn;                            ///< "0/721B598", "" if unknown
  std::optional<TimePoint> last_transaction;  ///< commit time of the last replayed transaction
  std::uint32_t timeline = 0;
};

}  // namespace rad
