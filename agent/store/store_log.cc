#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::Database;
using store::from_ms;
using store::Statement;
using store::to_ms;

/// How much of a run's log is there already.
struct Extent {
  std::int64_t lines = 0;
  std::uint64_t bytes = 0;
  bool cut = false;
};

Result<Extent> find_extent(Database& database, const std::string& run_id) {
  RAD_TRY(auto find, database.prepare("SELECT lines, bytes, cut FROM run_logs WHERE run_id = ?1"));
  find.bind(1, run_id);
  RAD_TRY(const bool row, find.step());
  if (!row) return Extent{};
  return Extent{find.integer(0), static_cast<std::uint64_t>(find.integer(1)), find.integer(2) != 0};
}

Status write_extent(Database& database, const std::string& run_id, const Extent& extent,
                    TimePoint last_at) {
  RAD_TRY(auto write,
          database.prepare("INSERT OR REPLACE INTO run_logs (run_id, lines, bytes, cut, last_at) "
                           "VALUES (?1, ?2, ?3, ?4, ?5)"));
  write.bind(1, run_id)
      .bind(2, extent.lines)
      .bind(3, static_cast<std::int64_t>(extent.bytes))
      .bind(4, std::int64_t{extent.cut})
      .bind(5, to_ms(last_at));
  return write.run();
}

/// A line in the store is text; what is not UTF-8 is kept as far as it can be shown.
LogLine shortened(const LogLine& line) {
  LogLine out = line;
  out.text = printable(line.text, Store::kLogLineBytes);
  out.plugin = printable(line.plugin, 200);
  out.level = printable(line.level, 20);
  return out;
}

}  // namespace

Status Store::append_log(const std::string& run_id, const std::vector<LogLine>& lines) {
  if (lines.empty()) return {};
  RAD_TRY(auto transaction, store::Transaction::begin(impl_->database));
  RAD_TRY(Extent extent, find_extent(impl_->database, run_id));
  if (extent.cut) return {};
  RAD_TRY(auto write, impl_->database.prepare(
                          "INSERT INTO run_log_lines (run_id, seq, at, plugin, level, text) "
                          "VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  for (const LogLine& given : lines) {
    // What a line costs beside its text: key, time and two words.
    constexpr std::uint64_t kRowBytes = 64;
    LogLine line = shortened(given);
    if (extent.bytes + line.text.size() + kRowBytes > kLogBytes) {
      extent.cut = true;
      line.plugin.clear();
      line.level = "warning";
      line.text = fmt::format("the log of this run is cut here: it has reached {}",
                              format_bytes(kLogBytes));
    }
    extent.bytes += line.text.size() + kRowBytes;
    write.bind(1, run_id)
        .bind(2, ++extent.lines)
        .bind(3, to_ms(line.at))
        .bind(4, line.plugin)
        .bind(5, line.level)
        .bind(6, line.text);
    RAD_CHECK(write.run());
    write.reset();
    if (extent.cut) break;
  }
  RAD_CHECK(write_extent(impl_->database, run_id, extent, lines.back().at));
  return transaction.commit();
}

Result<std::vector<LogLine>> Store::read_log(const std::string& run_id, std::uint64_t from,
                                             std::size_t limit) {
  RAD_TRY(auto list,
          impl_->database.prepare("SELECT seq, at, plugin, level, text FROM run_log_lines "
                                  "WHERE run_id = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3"));
  list.bind(1, run_id)
      .bind(2, static_cast<std::int64_t>(
                   std::min<std::uint64_t>(from, std::numeric_limits<std::int64_t>::max())))
      .bind(3, static_cast<std::int64_t>(limit));
  std::vector<LogLine> lines;
  RAD_CHECK(store::each_row(list, [&](const Statement& row) -> Status {
    lines.push_back({.seq = static_cast<std::uint64_t>(row.integer(0)),
                     .at = from_ms(row.integer(1)),
                     .plugin = row.text(2),
                     .level = row.text(3),
                     .text = row.text(4)});
    return {};
  }));
  return lines;
}

}  // namespace rad
