// Reports for the tests of the store.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include "agent/store/store.h"
#include "tests/support/temp_dir.h"

namespace rad::test {

/// Time enough for all the upkeep of a test's store.
inline constexpr std::chrono::seconds kLong{60};

inline TimePoint at(std::int64_t seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

inline RunReport begun(const std::string& id, std::int64_t created = 1000) {
  RunReport report;
  report.id = id;
  report.target = "customers-db";
  report.schedule = "daily";
  report.depth = Depth::verify;
  report.requested_by = "schedule";
  report.created_at = at(created);
  return report;
}

inline RunReport ended(RunReport report, Verdict verdict, std::int64_t seconds = 60) {
  report.verdict = verdict;
  report.ended_at = report.created_at + std::chrono::seconds(seconds);
  report.cleanup = CleanupResult::clean;
  if (verdict == Verdict::fail) report.cause = fail(Reason::wal_gap, "segment is missing");
  if (verdict == Verdict::inconclusive) report.cause = fail(Reason::timeout, "too slow");
  if (verdict == Verdict::cancelled) report.cause = fail(Reason::cancelled, "by root");
  return report;
}

/// The value of a Result, or a failed test.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message;
    std::abort();
  }
  return *std::move(result);
}
inline void must(Status status) {
  ASSERT_TRUE(status) << status.error().message;
}

inline Status put_schedule(Store& store, ScheduleState state) {
  ScheduleChanges changes;
  changes.schedules.push_back(std::move(state));
  const auto written = store.write_schedules(changes);
  return written ? Status() : Status(written.error());
}

inline Status put_rotation(Store& store, RotationCursor cursor) {
  ScheduleChanges changes;
  changes.rotations.push_back(std::move(cursor));
  const auto written = store.write_schedules(changes);
  return written ? Status() : Status(written.error());
}

/// \return whether it is new.
inline Result<bool> record_missed(Store& store, MissedSlot slot) {
  ScheduleChanges changes;
  changes.missed.push_back(std::move(slot));
  RAD_TRY(const std::vector<MissedSlot> added, store.write_schedules(changes));
  return !added.empty();
}

inline Store open_store(const TempDir& dir) {
  return must(Store::open(dir / "rad.db"));
}

}  // namespace rad::test
