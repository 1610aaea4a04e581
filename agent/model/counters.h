// What is remembered of runs that ended, as the store gives it and the metrics tell it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/reason.h"
#include "agent/model/run_report.h"
#include "agent/model/words.h"

namespace rad {

/// The last ended run of one (target, schedule, depth), and when one last passed.
struct LatestRun {
  RunReport report;
  std::optional<TimePoint> last_success;  ///< ended_at of the last pass, of any age
};

struct RunCount {
  std::string target;
  std::string schedule;
  Depth depth = Depth::restore;
  Verdict verdict = Verdict::pass;
  std::uint64_t count = 0;
};
struct FailureCount {
  std::string target;
  Reason reason = Reason::internal_error;
  std::uint64_t count = 0;
};
struct ByteCount {
  std::string target;
  std::uint64_t read = 0;      ///< from storage, as stored
  std::uint64_t restored = 0;  ///< as written to scratch
};
struct ReportErrorCount {
  std::string reporter;
  std::uint64_t count = 0;
};

/// Counted since the store was made; they only grow. What was never counted has no row.
struct Counters {
  std::vector<RunCount> runs;
  std::vector<FailureCount> failures;
  std::vector<ByteCount> bytes;
  std::vector<ReportErrorCount> report_errors;
};

/// Missed slots since the store was made; only grows.
struct MissedCount {
  std::string target;
  std::string schedule;
  std::string cause;
  std::uint64_t count = 0;
};

}  // namespace rad
