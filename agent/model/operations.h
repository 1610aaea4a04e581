// What people ask of the agent and what the agent owes them: pauses, holds, requests that wait, and
// the record of who asked for what. Kept in the store, shown by the control API.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/model/words.h"

namespace rad {

/// Stands for all targets or all schedules in a Pause.
inline constexpr std::string_view kEvery = "*";

/// Schedules that are not to start for a while; unique by (target, schedule).
struct Pause {
  std::string target;    ///< or kEvery
  std::string schedule;  ///< or kEvery
  std::string owner;
  std::string reason;
  TimePoint since{};
  std::optional<TimePoint> until;  ///< nothing: until it is resumed
};

/// A run that was asked for and has not begun; unique by id, which becomes the run's.
struct QueuedRequest {
  std::string id;
  std::string target;
  Depth depth = Depth::restore;
  std::string schedule;                           ///< "manual" for a request by hand
  std::string backup;                             ///< "" for the configured one
  std::string recover_to;                         ///< "" for the configured one
  std::optional<std::chrono::milliseconds> hold;  ///< keep the instance so long
  std::int32_t priority = 0;                      ///< higher goes first
  std::string requested_by;
  std::string note;  ///< why
  TimePoint requested_at{};
};

enum class HoldState : std::uint8_t {
  held,       ///< the instance answers
  releasing,  ///< it is being taken down
  lost,       ///< the instance is gone (reboot, crash), its data is still to be removed
};
std::string_view to_string(HoldState value) noexcept;
std::optional<HoldState> parse_hold_state(std::string_view text) noexcept;

/// A test instance that outlives its run for a named person; unique by run_id.
struct Hold {
  std::string run_id;
  std::string target;
  std::string owner;
  std::string note;
  TimePoint since{};
  TimePoint until{};
  HoldState state = HoldState::held;
  // How to reach the instance, as its plugin said it.
  std::string socket_dir;
  std::uint16_t port = 0;
  std::string database;
  std::string user;
};

/// Who asked the agent for what, and whether it was done.
struct AuditEntry {
  std::int64_t id = 0;  ///< given by the store; grows
  TimePoint at{};
  std::uint32_t uid = 0;
  std::string user;     ///< "" if the uid has no name
  std::string role;     ///< "none", "viewer", "operator"; "agent" for what it does by itself
  std::string action;   ///< e.g. "run.start"
  std::string subject;  ///< what it was about: a target, a run
  std::string note;     ///< the reason that was given
  bool allowed = false;
  std::string outcome;  ///< one line: what came of it
};

/// A due instant that no run answered; unique by (target, schedule, slot).
struct MissedSlot {
  std::string target;
  std::string schedule;
  TimePoint slot{};
  std::string cause;   ///< a word of agent/schedule
  std::string detail;  ///< one sentence
  TimePoint recorded_at{};
};

}  // namespace rad
