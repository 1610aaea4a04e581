#include "agent/store/store_impl.h"

namespace rad {

using store::each_row;
using store::Statement;
using store::unknown_word;

Status Store::count_report_error(const std::string& reporter) {
  return store::status_of(
      store::change(impl_->database,
                    "INSERT INTO report_error_counts (reporter, count) VALUES (?1, 1) "
                    "ON CONFLICT (reporter) DO UPDATE SET count = count + 1",
                    [&](Statement& write) { write.bind(1, reporter); }));
}

Result<Counters> Store::counters() {
  Counters counters;
  const auto count = [](const Statement& row, int column) {
    return static_cast<std::uint64_t>(row.integer(column));
  };
  RAD_CHECK(each_row(
      impl_->database, "SELECT target, schedule, depth, verdict, count FROM run_counts",
      [&](const Statement& row) -> Status {
        const auto depth = parse_depth(row.text(2));
        const auto verdict = parse_verdict(row.text(3));
        if (!depth) return unknown_word("run_counts", row.text(2));
        if (!verdict) return unknown_word("run_counts", row.text(3));
        counters.runs.push_back({row.text(0), row.text(1), *depth, *verdict, count(row, 4)});
        return {};
      }));
  RAD_CHECK(each_row(impl_->database, "SELECT target, reason, count FROM failure_counts",
                     [&](const Statement& row) -> Status {
                       const auto reason = parse_reason(row.text(1));
                       if (!reason) return unknown_word("failure_counts", row.text(1));
                       counters.failures.push_back({row.text(0), *reason, count(row, 2)});
                       return {};
                     }));
  RAD_CHECK(each_row(impl_->database, "SELECT target, read, restored FROM byte_counts",
                     [&](const Statement& row) -> Status {
                       counters.bytes.push_back({row.text(0), count(row, 1), count(row, 2)});
                       return {};
                     }));
  RAD_CHECK(each_row(impl_->database, "SELECT reporter, count FROM report_error_counts",
                     [&](const Statement& row) -> Status {
                       counters.report_errors.push_back({row.text(0), count(row, 1)});
                       return {};
                     }));
  return counters;
}

Result<std::vector<MissedCount>> Store::missed_counts() {
  std::vector<MissedCount> counts;
  RAD_CHECK(each_row(impl_->database, "SELECT target, schedule, cause, count FROM missed_counts",
                     [&](const Statement& row) -> Status {
                       counts.push_back({row.text(0), row.text(1), row.text(2),
                                         static_cast<std::uint64_t>(row.integer(3))});
                       return {};
                     }));
  return counts;
}

}  // namespace rad
