// What people and clocks do to the simulated agent.
#include "tests/soak/schedule/fleet.h"
#include "tests/soak/schedule/simulation.h"

namespace rad::sim {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

void Simulation::pause_something() {
  Pause pause;
  pause.target = chance(0.2) ? std::string(kEvery) : any_target();
  pause.schedule = chance(0.6) ? std::string(kEvery) : chance(0.5) ? "rad" : "daily";
  if (chance(0.2)) {
    pause.target = kEvery;
    pause.schedule = "fleet";
  }
  pause.owner = "sre";
  pause.reason = "maintenance";
  pause.since = wall();
  const auto length = chance(0.7) ? between(minutes(30), hours(20)) : between(days(1), days(12));
  pause.until = wall() + length;
  world_.pauses.push_back(pause);
  truth_.pauses.emplace_back(pause, *pause.until);
  resumes_at_ = chance(0.5) ? true_ + between(minutes(5), length) : TimePoint::max();
  pauses_at_ = later(20);
  disturbed_ = true;
}

void Simulation::resume_something() {
  resumes_at_ = TimePoint::max();
  if (world_.pauses.empty()) return;
  const auto gone = world_.pauses.back();
  world_.pauses.pop_back();
  for (auto& [pause, end] : truth_.pauses) {
    if (pause.since == gone.since) end = std::min(end, wall());
  }
  disturbed_ = true;
}

void Simulation::reload() {
  const auto names = changing_targets();
  const auto& name = names[random_() % names.size()];
  if (absent_.erase(name) == 1) {
    unseen_.insert(name);
  } else {
    absent_.insert(name);
    if (unseen_.erase(name) == 0) truth_.configured[name].back().end = wall();
  }
  load();
  reloads_at_ = later(30);
  disturbed_ = true;
}

void Simulation::jump(milliseconds by) {
  const auto before = wall();
  offset_ += by;
  truth_.jumped.push_back({std::min(before, wall()), std::max(before, wall())});
  // The agent's loop compares its two clocks.
  running_since_ = wall();
  after_jump_ = true;
  world_.hindrances.clear();
  disturbed_ = true;
}

}  // namespace rad::sim
