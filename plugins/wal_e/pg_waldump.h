// The only witness for WAL records: the pg_waldump of the major version that wrote them.
//
// It always stops with an error; where it stopped is what tells. An all-zero segment (the end mark)
// is put behind the last real one: with a missing file pg_waldump would wait five seconds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "plugins/wal_e/wal_names.h"

namespace rad::wal_e {

/// Where and why pg_waldump stopped.
struct WaldumpEnd {
  Lsn last_record = 0;          ///< start of the last record that was proved; 0 if none
  std::string message;          ///< its own words, without the program's name
  std::string at_segment;       ///< file name that the message blames, "" if none
  std::uint64_t at_offset = 0;  ///< in `at_segment`
  Lsn at_lsn = 0;               ///< record that the message blames, 0 if none
};

/// Pure. \return nothing for a text that is not pg_waldump's complaint about WAL.
std::optional<WaldumpEnd> parse_waldump_error(std::string_view text);

struct WaldumpRun {
  std::filesystem::path program;
  std::filesystem::path directory;  ///< with the files of both names and all between
  SegmentName first;                ///< holds `start`
  SegmentName end_mark;             ///< the all-zero segment
  Lsn start = 0;                    ///< where a record begins
  int major = 0;
};

/// \param line  called for each record's line; nothing: the records are only proved, which is
/// faster. \return tool_missing, host_unfit, cancelled, check_error when the text cannot be
/// understood.
Result<WaldumpEnd> run_waldump(const WaldumpRun& run,
                               const std::function<void(std::string_view)>& line,
                               std::stop_token stop);

/// Whether the text stopped exactly where the end mark begins.
bool stopped_at(const WaldumpEnd& end, const SegmentName& end_mark);

}  // namespace rad::wal_e
