#include <fmt/format.h>

#include "agent/store/store_impl.h"

namespace rad {

using store::from_ms;
using store::Statement;
using store::to_ms;

Status Store::ledger_add(const LedgerEntry& entry) {
  if (!impl_->durable && entry.kind == LedgerKind::kept) {
    return fail(Reason::host_unfit,
                fmt::format("'{}' of run '{}' cannot be kept while the store cannot be written: "
                            "after a reboot nobody would know of it",
                            entry.path, entry.run_id),
                "put the store right (the agent's log says what is wrong with it)", entry.path);
  }
  return store::status_of(store::change(impl_->database, R"sql(
INSERT INTO ledger (run_id, kind, path, marker, keep_until) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (run_id, path) DO UPDATE SET kind = ?2, marker = ?4, keep_until = ?5)sql",
                                        [&](Statement& write) {
                                          write.bind(1, entry.run_id)
                                              .bind(2, to_string(entry.kind))
                                              .bind(3, entry.path)
                                              .bind(4, entry.marker)
                                              .bind(5, to_ms(entry.keep_until));
                                        }));
}

Status Store::ledger_remove(const std::string& run_id, const std::string& path) {
  return store::status_of(
      store::change(impl_->database, "DELETE FROM ledger WHERE run_id = ?1 AND path = ?2",
                    [&](Statement& write) { write.bind(1, run_id).bind(2, path); }));
}

Result<std::vector<LedgerEntry>> Store::ledger(const std::string& run_id) {
  RAD_TRY(auto find, impl_->database.prepare(
                         fmt::format("SELECT run_id, kind, path, marker, keep_until FROM ledger {} "
                                     "ORDER BY number",
                                     run_id.empty() ? "" : "WHERE run_id = ?1")));
  if (!run_id.empty()) find.bind(1, run_id);
  std::vector<LedgerEntry> entries;
  RAD_CHECK(store::each_row(find, [&](const Statement& row) -> Status {
    const auto kind = parse_ledger_kind(row.text(1));
    if (!kind) return store::unknown_word("ledger", row.text(1));
    entries.push_back({.run_id = row.text(0),
                       .kind = *kind,
                       .path = row.text(2),
                       .marker = row.text(3),
                       .keep_until = from_ms(row.optional_integer(4))});
    return {};
  }));
  return entries;
}

}  // namespace rad
