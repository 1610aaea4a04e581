#include <limits>
#include <string>

#include "agent/store/store_impl.h"

namespace rad {

using store::from_ms;
using store::Statement;
using store::to_ms;

Status Store::append_audit(const AuditEntry& entry) {
  return store::status_of(store::change(
      impl_->database,
      "INSERT INTO audit (at, uid, user, role, action, subject, note, allowed, outcome) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      [&](Statement& write) {
        write.bind(1, to_ms(entry.at))
            .bind(2, std::int64_t{entry.uid})
            .bind(3, entry.user)
            .bind(4, entry.role)
            .bind(5, entry.action)
            .bind(6, entry.subject)
            .bind(7, entry.note)
            .bind(8, std::int64_t{entry.allowed})
            .bind(9, entry.outcome);
      }));
}

Result<std::vector<AuditEntry>> Store::list_audit(const AuditFilter& filter) {
  std::string sql =
      "SELECT id, at, uid, user, role, action, subject, note, allowed, outcome FROM audit "
      "WHERE id < ?1";
  if (!filter.user.empty()) sql += " AND user = ?2";
  if (!filter.action.empty()) sql += " AND action = ?3";
  if (!filter.subject.empty()) sql += " AND subject = ?4";
  RAD_TRY(auto list, impl_->database.prepare(sql + " ORDER BY id DESC LIMIT ?5"));
  list.bind(1, filter.before.value_or(std::numeric_limits<std::int64_t>::max()));
  if (!filter.user.empty()) list.bind(2, filter.user);
  if (!filter.action.empty()) list.bind(3, filter.action);
  if (!filter.subject.empty()) list.bind(4, filter.subject);
  list.bind(5, static_cast<std::int64_t>(filter.limit));
  std::vector<AuditEntry> entries;
  RAD_CHECK(store::each_row(list, [&](const Statement& row) -> Status {
    entries.push_back({.id = row.integer(0),
                       .at = from_ms(row.integer(1)),
                       .uid = static_cast<std::uint32_t>(row.integer(2)),
                       .user = row.text(3),
                       .role = row.text(4),
                       .action = row.text(5),
                       .subject = row.text(6),
                       .note = row.text(7),
                       .allowed = row.integer(8) != 0,
                       .outcome = row.text(9)});
    return {};
  }));
  return entries;
}

}  // namespace rad
