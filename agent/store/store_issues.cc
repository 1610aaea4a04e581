#include <fmt/format.h>

#include "agent/store/store_impl.h"

namespace rad {
namespace {

using store::from_ms;
using store::Statement;
using store::to_ms;

constexpr std::string_view kIssueColumns =
    "reporter, target, depth, reference, open, opened_at, count, last_reason, last_run_id";

IssueState read_issue(const Statement& row) {
  return {.reporter = row.text(0),
          .target = row.text(1),
          .depth = parse_depth(row.text(2)).value_or(Depth::restore),
          .reference = row.text(3),
          .open = row.integer(4) != 0,
          .opened_at = from_ms(row.integer(5)),
          .count = static_cast<std::uint64_t>(row.integer(6)),
          .last_reason = row.text(7),
          .last_run_id = row.text(8)};
}

}  // namespace

Status Store::put_issue(const IssueState& state) {
  return store::status_of(store::change(
      impl_->database,
      fmt::format("INSERT OR REPLACE INTO issues ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                  kIssueColumns),
      [&](Statement& write) {
        write.bind(1, state.reporter)
            .bind(2, state.target)
            .bind(3, to_string(state.depth))
            .bind(4, state.reference)
            .bind(5, std::int64_t{state.open})
            .bind(6, to_ms(state.opened_at))
            .bind(7, static_cast<std::int64_t>(state.count))
            .bind(8, state.last_reason)
            .bind(9, state.last_run_id);
      }));
}

Result<std::optional<IssueState>> Store::get_issue(const std::string& reporter,
                                                   const std::string& target, Depth depth) {
  RAD_TRY(auto find, impl_->database.prepare(fmt::format(
                         "SELECT {} FROM issues WHERE reporter = ?1 AND target = ?2 AND depth = ?3",
                         kIssueColumns)));
  find.bind(1, reporter).bind(2, target).bind(3, to_string(depth));
  RAD_TRY(const bool row, find.step());
  return row ? std::optional(read_issue(find)) : std::nullopt;
}

Result<std::vector<IssueState>> Store::list_issues() {
  std::vector<IssueState> issues;
  RAD_CHECK(store::each_row(
      impl_->database,
      fmt::format("SELECT {} FROM issues ORDER BY reporter, target, depth", kIssueColumns),
      [&](const Statement& row) -> Status {
        issues.push_back(read_issue(row));
        return {};
      }));
  return issues;
}

}  // namespace rad
