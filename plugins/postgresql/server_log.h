// Reading the log of a server that we configured ourselves (English, known prefix). Pure.
//
// What the server's end means is decided here: the backup is blamed only when the log and the exit
// status have ruled out the host. The texts are those of PostgreSQL 10 to 17; those of 15 are
// tested with logs that a real server wrote.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/child_process.h"
#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "plugins/postgresql/lsn.h"

namespace rad::postgresql {

/// Why the server ended. `doing` completes "PostgreSQL 15 ended while ...": for the message.
/// \param log     everything it has written
/// \param status  how the postmaster ended
/// \return library_missing, locale_missing, out_of_memory, scratch_full, quota, host_unfit,
///   version_unsupported, config_invalid (a target before the end of the backup),
///   storage_unreachable (the restore command failed; the restore plugin knows why), or, the host
///   being ruled out, recovery_failed or start_failed. `detail` is the log's tail.
Error classify_server_end(std::string_view log, const ExitStatus& status, std::string_view doing);

/// Whether the log says that the server stopped over damaged data rather than over the host or a
/// kill: PANIC, or a failed assertion on a page.
bool blames_data(std::string_view log);

/// What the log tells about recovery.
struct RecoveryLog {
  bool archive_recovery = false;  ///< a recovery from an archive was started
  bool target_reached = false;    ///< "recovery stopping ..."
  std::string stop_text;          ///< that line, without its prefix
  std::optional<Lsn> redo_done;   ///< start of the last record replayed
  std::optional<TimePoint> last_transaction;
  std::string last_restored_segment;  ///< last one got from the archive before replay ended
  std::map<std::uint64_t, std::uint32_t> restored;  ///< segment number to the timeline it came from
  /// Transaction status files that replay wanted and did not find: normal if the source truncated
  /// them during the backup, a hole in the backup if not; nobody can tell from here.
  std::vector<std::string> missing_status_files;
  /// Segment and text of the last complaint about a record or page, if the log has one: why replay
  /// went no further. A clean end leaves a complaint too (a record of zero length).
  std::string end_segment;
  std::string end_text;
};
RecoveryLog parse_recovery_log(std::string_view log, std::uint64_t segment_bytes);

/// The last `max_bytes` of the log in whole lines, made printable, line ends kept.
std::string log_tail(std::string_view log, std::size_t max_bytes = 3000);

}  // namespace rad::postgresql
