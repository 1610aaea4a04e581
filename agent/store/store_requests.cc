#include "agent/store/store_impl.h"

namespace rad {

using store::change;
using store::each_row;
using store::from_ms;
using store::Statement;
using store::status_of;
using store::to_ms;

Status Store::put_pause(const Pause& pause) {
  return status_of(
      change(impl_->database,
             "INSERT OR REPLACE INTO pauses (target, schedule, owner, reason, since, until) "
             "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
             [&](Statement& write) {
               write.bind(1, pause.target)
                   .bind(2, pause.schedule)
                   .bind(3, pause.owner)
                   .bind(4, pause.reason)
                   .bind(5, to_ms(pause.since))
                   .bind(6, to_ms(pause.until));
             }));
}

Status Store::remove_pause(const std::string& target, const std::string& schedule) {
  return status_of(change(impl_->database, "DELETE FROM pauses WHERE target = ?1 AND schedule = ?2",
                          [&](Statement& write) { write.bind(1, target).bind(2, schedule); }));
}

Result<std::vector<Pause>> Store::list_pauses() {
  std::vector<Pause> pauses;
  RAD_CHECK(each_row(impl_->database,
                     "SELECT target, schedule, owner, reason, since, until FROM pauses "
                     "ORDER BY target, schedule",
                     [&](const Statement& row) -> Status {
                       pauses.push_back({.target = row.text(0),
                                         .schedule = row.text(1),
                                         .owner = row.text(2),
                                         .reason = row.text(3),
                                         .since = from_ms(row.integer(4)),
                                         .until = from_ms(row.optional_integer(5))});
                       return {};
                     }));
  return pauses;
}

Status Store::put_request(const QueuedRequest& request) {
  return status_of(change(
      impl_->database,
      "INSERT INTO requests (id, target, depth, schedule, backup, recover_to, hold_ms, priority, "
      "requested_by, note, requested_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
      "ON CONFLICT (id) DO UPDATE SET target = ?2, depth = ?3, schedule = ?4, backup = ?5, "
      "recover_to = ?6, hold_ms = ?7, priority = ?8, requested_by = ?9, note = ?10, "
      "requested_at = ?11",
      [&](Statement& write) {
        write.bind(1, request.id)
            .bind(2, request.target)
            .bind(3, to_string(request.depth))
            .bind(4, request.schedule)
            .bind(5, request.backup)
            .bind(6, request.recover_to)
            .bind(7,
                  request.hold ? std::optional<std::int64_t>(request.hold->count()) : std::nullopt)
            .bind(8, std::int64_t{request.priority})
            .bind(9, request.requested_by)
            .bind(10, request.note)
            .bind(11, to_ms(request.requested_at));
      }));
}

Status Store::remove_request(const std::string& id) {
  return status_of(change(impl_->database, "DELETE FROM requests WHERE id = ?1",
                          [&](Statement& write) { write.bind(1, id); }));
}

Result<std::vector<QueuedRequest>> Store::list_requests() {
  std::vector<QueuedRequest> requests;
  RAD_CHECK(each_row(
      impl_->database,
      "SELECT id, target, depth, schedule, backup, recover_to, hold_ms, priority, requested_by, "
      "note, requested_at FROM requests ORDER BY number",
      [&](const Statement& row) -> Status {
        const auto depth = parse_depth(row.text(2));
        if (!depth) return store::unknown_word("requests", row.text(2));
        const auto hold = row.optional_integer(6);
        requests.push_back(
            {.id = row.text(0),
             .target = row.text(1),
             .depth = *depth,
             .schedule = row.text(3),
             .backup = row.text(4),
             .recover_to = row.text(5),
             .hold = hold ? std::optional(std::chrono::milliseconds(*hold)) : std::nullopt,
             .priority = static_cast<std::int32_t>(row.integer(7)),
             .requested_by = row.text(8),
             .note = row.text(9),
             .requested_at = from_ms(row.integer(10))});
        return {};
      }));
  return requests;
}

Status Store::put_hold(const Hold& hold) {
  return status_of(change(
      impl_->database,
      "INSERT OR REPLACE INTO holds (run_id, target, owner, note, since, until, state, socket_dir, "
      "port, database, user) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
      [&](Statement& write) {
        write.bind(1, hold.run_id)
            .bind(2, hold.target)
            .bind(3, hold.owner)
            .bind(4, hold.note)
            .bind(5, to_ms(hold.since))
            .bind(6, to_ms(hold.until))
            .bind(7, to_string(hold.state))
            .bind(8, hold.socket_dir)
            .bind(9, std::int64_t{hold.port})
            .bind(10, hold.database)
            .bind(11, hold.user);
      }));
}

Status Store::remove_hold(const std::string& run_id) {
  return status_of(change(impl_->database, "DELETE FROM holds WHERE run_id = ?1",
                          [&](Statement& write) { write.bind(1, run_id); }));
}

Result<std::vector<Hold>> Store::list_holds() {
  std::vector<Hold> holds;
  RAD_CHECK(each_row(
      impl_->database,
      "SELECT run_id, target, owner, note, since, until, state, socket_dir, port, database, user "
      "FROM holds ORDER BY since, run_id",
      [&](const Statement& row) -> Status {
        const auto state = parse_hold_state(row.text(6));
        if (!state) return store::unknown_word("holds", row.text(6));
        holds.push_back({.run_id = row.text(0),
                         .target = row.text(1),
                         .owner = row.text(2),
                         .note = row.text(3),
                         .since = from_ms(row.integer(4)),
                         .until = from_ms(row.integer(5)),
                         .state = *state,
                         .socket_dir = row.text(7),
                         .port = static_cast<std::uint16_t>(row.integer(8)),
                         .database = row.text(9),
                         .user = row.text(10)});
        return {};
      }));
  return holds;
}

}  // namespace rad
