#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/store/store_impl.h"

namespace rad {

using store::change;
using store::each_row;
using store::from_ms;
using store::Statement;
using store::status_of;
using store::to_ms;

Status Store::put_schedule(const ScheduleState& state) {
  return status_of(change(
      impl_->database,
      "INSERT OR REPLACE INTO schedules (target, schedule, first_seen, slot_done, slot_open, "
      "attempts, last_attempt, last_run_id, settled_as) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      [&](Statement& write) {
        write.bind(1, state.target)
            .bind(2, state.schedule)
            .bind(3, to_ms(state.first_seen))
            .bind(4, to_ms(state.slot_done))
            .bind(5, to_ms(state.slot_open))
            .bind(6, std::int64_t{state.attempts})
            .bind(7, to_ms(state.last_attempt))
            .bind(8, state.last_run_id)
            .bind(9, state.settled_as);
      }));
}

Status Store::remove_schedule(const std::string& target, const std::string& schedule) {
  return status_of(change(impl_->database,
                          "DELETE FROM schedules WHERE target = ?1 AND schedule = ?2",
                          [&](Statement& write) { write.bind(1, target).bind(2, schedule); }));
}

Result<std::vector<ScheduleState>> Store::list_schedules() {
  std::vector<ScheduleState> states;
  RAD_CHECK(each_row(impl_->database,
                     "SELECT target, schedule, first_seen, slot_done, slot_open, attempts, "
                     "last_attempt, last_run_id, settled_as FROM schedules "
                     "ORDER BY target, schedule",
                     [&](const Statement& row) -> Status {
                       states.push_back({.target = row.text(0),
                                         .schedule = row.text(1),
                                         .first_seen = from_ms(row.optional_integer(2)),
                                         .slot_done = from_ms(row.optional_integer(3)),
                                         .slot_open = from_ms(row.optional_integer(4)),
                                         .attempts = static_cast<std::uint32_t>(row.integer(5)),
                                         .last_attempt = from_ms(row.optional_integer(6)),
                                         .last_run_id = row.text(7),
                                         .settled_as = row.text(8)});
                       return {};
                     }));
  return states;
}

Status Store::put_rotation(const RotationCursor& cursor) {
  boost::json::array done;
  for (const std::string& member : cursor.done) done.emplace_back(member);
  return status_of(change(impl_->database,
                          "INSERT OR REPLACE INTO rotations (rotation, round, done, last_slot) "
                          "VALUES (?1, ?2, ?3, ?4)",
                          [&](Statement& write) {
                            write.bind(1, cursor.rotation)
                                .bind(2, static_cast<std::int64_t>(cursor.round))
                                .bind(3, boost::json::serialize(done))
                                .bind(4, to_ms(cursor.last_slot));
                          }));
}

Result<std::vector<RotationCursor>> Store::list_rotations() {
  std::vector<RotationCursor> cursors;
  RAD_CHECK(each_row(impl_->database,
                     "SELECT rotation, round, done, last_slot FROM rotations ORDER BY rotation",
                     [&](const Statement& row) -> Status {
                       RotationCursor cursor{.rotation = row.text(0),
                                             .round = static_cast<std::uint64_t>(row.integer(1)),
                                             .done = {},
                                             .last_slot = from_ms(row.optional_integer(3))};
                       // Members that somebody's edit made unreadable have their turn once more.
                       const auto done = json::parse(row.text(2), "members of a rotation");
                       if (done && done->is_array()) {
                         for (const auto& member : done->get_array()) {
                           if (member.is_string()) cursor.done.emplace_back(member.get_string());
                         }
                       }
                       cursors.push_back(std::move(cursor));
                       return {};
                     }));
  return cursors;
}

Result<bool> Store::record_missed(const MissedSlot& slot) {
  RAD_TRY(auto transaction, store::Transaction::begin(impl_->database));
  RAD_TRY(auto write, impl_->database.prepare(
                          "INSERT OR IGNORE INTO missed_slots (target, schedule, slot, cause, "
                          "detail, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  write.bind(1, slot.target)
      .bind(2, slot.schedule)
      .bind(3, to_ms(slot.slot))
      .bind(4, slot.cause)
      .bind(5, slot.detail)
      .bind(6, to_ms(slot.recorded_at));
  RAD_CHECK(write.run());
  if (impl_->database.changes() == 0) return false;
  RAD_TRY(auto count, impl_->database.prepare(
                          "INSERT INTO missed_counts (target, schedule, cause, count) "
                          "VALUES (?1, ?2, ?3, 1) "
                          "ON CONFLICT (target, schedule, cause) DO UPDATE SET count = count + 1"));
  count.bind(1, slot.target).bind(2, slot.schedule).bind(3, slot.cause);
  RAD_CHECK(count.run());
  RAD_CHECK(transaction.commit());
  return true;
}

Status Store::remove_missed(const std::string& target, const std::string& schedule,
                            TimePoint after) {
  return status_of(change(
      impl_->database, "DELETE FROM missed_slots WHERE target = ?1 AND schedule = ?2 AND slot > ?3",
      [&](Statement& write) { write.bind(1, target).bind(2, schedule).bind(3, to_ms(after)); }));
}

Result<std::vector<MissedSlot>> Store::list_missed(const std::string& target, TimePoint since,
                                                   std::size_t limit) {
  RAD_TRY(auto list, impl_->database.prepare(
                         fmt::format("SELECT target, schedule, slot, cause, detail, recorded_at "
                                     "FROM missed_slots WHERE {}slot >= ?2 "
                                     "ORDER BY slot DESC, target, schedule LIMIT ?3",
                                     target.empty() ? "" : "target = ?1 AND ")));
  if (!target.empty()) list.bind(1, target);
  list.bind(2, to_ms(since)).bind(3, static_cast<std::int64_t>(limit));
  std::vector<MissedSlot> slots;
  RAD_CHECK(each_row(list, [&](const Statement& row) -> Status {
    slots.push_back({.target = row.text(0),
                     .schedule = row.text(1),
                     .slot = from_ms(row.integer(2)),
                     .cause = row.text(3),
                     .detail = row.text(4),
                     .recorded_at = from_ms(row.integer(5))});
    return {};
  }));
  return slots;
}

Result<bool> Store::record_backup(const KnownBackup& backup) {
  RAD_TRY(auto find, impl_->database.prepare(
                         "SELECT finished_at FROM backups WHERE target = ?1 AND name = ?2"));
  find.bind(1, backup.target).bind(2, backup.name);
  RAD_TRY(const bool known, find.step());
  // Most listings tell nothing new: no fsync for those.
  if (known && find.optional_integer(0) == to_ms(backup.finished_at)) return false;
  find.reset();
  RAD_CHECK(status_of(
      change(impl_->database,
             "INSERT INTO backups (target, name, finished_at, first_seen) VALUES (?1, ?2, ?3, ?4) "
             "ON CONFLICT (target, name) DO UPDATE SET finished_at = ?3",
             [&](Statement& write) {
               write.bind(1, backup.target)
                   .bind(2, backup.name)
                   .bind(3, to_ms(backup.finished_at))
                   .bind(4, to_ms(backup.first_seen));
             })));
  return !known;
}

Result<std::vector<KnownBackup>> Store::list_backups(const std::string& target) {
  RAD_TRY(auto list, impl_->database.prepare(
                         fmt::format("SELECT target, name, finished_at, first_seen FROM backups {} "
                                     "ORDER BY ifnull(finished_at, first_seen) DESC, name DESC",
                                     target.empty() ? "" : "WHERE target = ?1")));
  if (!target.empty()) list.bind(1, target);
  std::vector<KnownBackup> backups;
  RAD_CHECK(each_row(list, [&](const Statement& row) -> Status {
    backups.push_back({.target = row.text(0),
                       .name = row.text(1),
                       .finished_at = from_ms(row.optional_integer(2)),
                       .first_seen = from_ms(row.integer(3))});
    return {};
  }));
  return backups;
}

}  // namespace rad
