#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/store/store_impl.h"

namespace rad {

using store::change;
using store::Database;
using store::each_row;
using store::from_ms;
using store::Statement;
using store::status_of;
using store::to_ms;

namespace {

MissedSlot missed_slot(const Statement& row) {
  return {.target = row.text(0),
          .schedule = row.text(1),
          .slot = from_ms(row.integer(2)),
          .cause = row.text(3),
          .detail = row.text(4),
          .recorded_at = from_ms(row.integer(5))};
}

/// Runs a statement that is run several times.
Status run_again(Statement& statement) {
  Status done = statement.run();
  statement.reset();
  return done;
}

Status write_missed(Database& database, const std::vector<MissedSlot>& slots,
                    std::vector<MissedSlot>& added) {
  if (slots.empty()) return {};
  RAD_TRY(auto write,
          database.prepare("INSERT OR IGNORE INTO missed_slots (target, schedule, slot, cause, "
                           "detail, recorded_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"));
  RAD_TRY(auto count, database.prepare(
                          "INSERT INTO missed_counts (target, schedule, cause, count) "
                          "VALUES (?1, ?2, ?3, 1) "
                          "ON CONFLICT (target, schedule, cause) DO UPDATE SET count = count + 1"));
  for (const MissedSlot& slot : slots) {
    write.bind(1, slot.target)
        .bind(2, slot.schedule)
        .bind(3, to_ms(slot.slot))
        .bind(4, slot.cause)
        .bind(5, slot.detail)
        .bind(6, to_ms(slot.recorded_at));
    RAD_CHECK(run_again(write));
    if (database.changes() == 0) continue;
    count.bind(1, slot.target).bind(2, slot.schedule).bind(3, slot.cause);
    RAD_CHECK(run_again(count));
    added.push_back(slot);
  }
  return {};
}

Status write_rotations(Database& database, const std::vector<RotationCursor>& cursors) {
  RAD_TRY(auto write,
          database.prepare("INSERT OR REPLACE INTO rotations (rotation, round, done, last_slot) "
                           "VALUES (?1, ?2, ?3, ?4)"));
  for (const RotationCursor& cursor : cursors) {
    boost::json::array done;
    for (const std::string& member : cursor.done) done.emplace_back(member);
    write.bind(1, cursor.rotation)
        .bind(2, static_cast<std::int64_t>(cursor.round))
        .bind(3, boost::json::serialize(done))
        .bind(4, to_ms(cursor.last_slot));
    RAD_CHECK(run_again(write));
  }
  return {};
}

Status write_states(Database& database, const std::vector<ScheduleState>& states) {
  RAD_TRY(auto write,
          database.prepare("INSERT OR REPLACE INTO schedules (target, schedule, first_seen, "
                           "slot_done) VALUES (?1, ?2, ?3, ?4)"));
  for (const ScheduleState& state : states) {
    write.bind(1, state.target)
        .bind(2, state.schedule)
        .bind(3, to_ms(state.first_seen))
        .bind(4, to_ms(state.slot_done));
    RAD_CHECK(run_again(write));
  }
  return {};
}

Status remove_rewound(Database& database, const ScheduleChanges& changes) {
  RAD_TRY(auto remove, database.prepare("DELETE FROM missed_slots WHERE target = ?1 AND "
                                        "schedule = ?2 AND slot > ?3"));
  for (const auto& [key, after] : changes.rewound) {
    remove.bind(1, key.first).bind(2, key.second).bind(3, to_ms(after));
    RAD_CHECK(run_again(remove));
  }
  return {};
}

}  // namespace

Result<std::vector<MissedSlot>> Store::write_schedules(const ScheduleChanges& changes) {
  std::vector<MissedSlot> added;
  if (changes.empty()) return added;
  Database& database = impl_->database;
  RAD_TRY(auto transaction, store::Transaction::begin(database));
  RAD_CHECK(write_missed(database, changes.missed, added));
  RAD_CHECK(write_rotations(database, changes.rotations));
  RAD_CHECK(write_states(database, changes.schedules));
  RAD_CHECK(remove_rewound(database, changes));
  RAD_TRY(auto forget,
          database.prepare("DELETE FROM schedules WHERE target = ?1 AND schedule = ?2"));
  for (const auto& [target, schedule] : changes.forgotten) {
    forget.bind(1, target).bind(2, schedule);
    RAD_CHECK(run_again(forget));
  }
  RAD_CHECK(transaction.commit());
  return added;
}

Result<std::vector<ScheduleState>> Store::list_schedules() {
  std::vector<ScheduleState> states;
  RAD_CHECK(each_row(impl_->database,
                     "SELECT target, schedule, first_seen, slot_done FROM schedules "
                     "ORDER BY target, schedule",
                     [&](const Statement& row) -> Status {
                       states.push_back({.target = row.text(0),
                                         .schedule = row.text(1),
                                         .first_seen = from_ms(row.optional_integer(2)),
                                         .slot_done = from_ms(row.optional_integer(3))});
                       return {};
                     }));
  return states;
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
    slots.push_back(missed_slot(row));
    return {};
  }));
  return slots;
}

Result<std::vector<MissedSlot>> Store::list_missed(const MissedFilter& filter) {
  RAD_TRY(auto list,
          impl_->database.prepare(
              "SELECT target, schedule, slot, cause, detail, recorded_at FROM missed_slots "
              "WHERE slot >= ?1 AND slot < ?2 AND slot <= ?3 "
              "AND (slot < ?3 OR (target, schedule) > (?4, ?5)) "
              "ORDER BY slot DESC, target, schedule LIMIT ?6"));
  const MissedKey after = filter.after.value_or(MissedKey{.slot = TimePoint::max()});
  list.bind(1, to_ms(filter.from))
      .bind(2, to_ms(filter.to))
      .bind(3, to_ms(after.slot))
      .bind(4, after.target)
      .bind(5, after.schedule)
      .bind(6, static_cast<std::int64_t>(filter.limit));
  std::vector<MissedSlot> slots;
  RAD_CHECK(each_row(list, [&](const Statement& row) -> Status {
    slots.push_back(missed_slot(row));
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
