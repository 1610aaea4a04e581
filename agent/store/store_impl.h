// What the two source files of Store share. Not for use outside agent/store.
#pragma once

#include <chrono>
#include <optional>

#include "agent/base/clock.h"
#include "agent/store/database.h"
#include "agent/store/store.h"

namespace rad {

struct Store::Impl {
  store::Database database;
};

namespace store {

inline std::int64_t to_ms(TimePoint time) {
  return time.time_since_epoch().count();
}
inline std::optional<std::int64_t> to_ms(const std::optional<TimePoint>& time) {
  return time ? std::optional(to_ms(*time)) : std::nullopt;
}
inline TimePoint from_ms(std::int64_t ms) {
  return TimePoint(std::chrono::milliseconds(ms));
}
inline std::optional<TimePoint> from_ms(std::optional<std::int64_t> ms) {
  return ms ? std::optional(from_ms(*ms)) : std::nullopt;
}

}  // namespace store
}  // namespace rad
