#include "tests/soak/schedule/simulation.h"

#include <algorithm>

#include <date/date.h>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "tests/soak/schedule/fleet.h"

namespace rad::sim {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kGiB = 1ULL << 30U;

}  // namespace

Simulation::Simulation(const Settings& settings)
    : settings_(settings), random_(settings.seed), oracle_(!settings.far_jumps) {
  begin_ = parse_time("2027-01-01T00:00:00Z").value();
  begin_ += hours(settings.seed % 8760);
  end_ = begin_ + settings.months * hours(731);
  true_ = begin_;
  running_since_ = begin_;
  const auto never = TimePoint::max();
  goes_down_ = settings.calm ? never : later(4);
  pauses_at_ = settings.calm ? never : later(20);
  resumes_at_ = never;
  reloads_at_ = settings.calm ? never : later(30);
  jumps_at_ = settings.jumps ? later(25) : never;
  asks_at_ = later(3);
  backup_at_ = begin_ + hours(1);
  std::uint64_t size = 12;
  for (const auto& name : all_targets()) {
    world_.scratch[name] = size * kGiB;
    size += 7;
    unseen_.insert(name);
  }
  load();
}

bool Simulation::chance(double probability) {
  return std::uniform_real_distribution<>(0, 1)(random_) < probability;
}

milliseconds Simulation::between(milliseconds low, milliseconds high) {
  return milliseconds(
      std::uniform_int_distribution<std::int64_t>(low.count(), high.count())(random_));
}

TimePoint Simulation::later(double mean_days) {
  const auto wait = std::exponential_distribution<>(1 / mean_days)(random_);
  return true_ + minutes(1) + milliseconds(static_cast<std::int64_t>(wait * 86'400'000));
}

const std::string& Simulation::any_target() {
  static const auto kNames = all_targets();
  return kNames[random_() % kNames.size()];
}

void Simulation::load() {
  plan_ = make_plan(fleet(absent_)).value();
}

void Simulation::finish(Going& going, Verdict verdict, bool interrupted) {
  for (PastRun& run : world_.runs[going.run.target]) {
    if (run.id != going.run.id) continue;
    run.verdict = verdict;
    run.ended_at = wall();
    run.interrupted = interrupted;
    if (interrupted) run.reason = Reason::interrupted;
    auto told = run;
    told.slot = going.run.slot;
    oracle_.run_ended(going.run.target, told);
  }
  std::erase_if(world_.running, [&](const RunningRun& run) { return run.id == going.run.id; });
  disturbed_ = true;
}

void Simulation::end_runs() {
  for (Going& going : going_) {
    if (going.ends > true_) continue;
    const bool storm = going.run.target == storm_target_ && true_ < storm_until_;
    finish(going, storm ? Verdict::inconclusive : going.verdict, false);
  }
  std::erase_if(going_, [&](const Going& going) { return going.ends <= true_; });
}

void Simulation::go_down(bool gracefully, milliseconds duration) {
  if (gracefully) {
    for (Going& going : going_) finish(going, Verdict::cancelled, true);
    going_.clear();
  }
  up_ = false;
  down_since_ = wall();
  comes_up_ = true_ + duration;
}

void Simulation::come_up() {
  up_ = true;
  comes_up_ = {};
  // The sweep: what died with the agent is marked so.
  for (Going& going : going_) finish(going, Verdict::inconclusive, true);
  going_.clear();
  truth_.down.push_back({std::min(down_since_, wall()), std::max(down_since_, wall())});
  running_since_ = wall();
  after_jump_ = false;
  world_.hindrances.clear();
  disturbed_ = true;
  // A host that is down over the 2nd is the case that matters most.
  goes_down_ = later(4);
  const auto today = date::floor<date::days>(true_);
  const date::year_month_day ymd{today};
  if (chance(0.25)) {
    const auto next = date::sys_days{ymd.year() / ymd.month() / 2} + date::months(0);
    const auto second =
        next > today ? TimePoint(next)
                     : TimePoint(date::sys_days{(ymd.year() / ymd.month() + date::months(1)) / 2});
    goes_down_ = std::min(goes_down_, second - minutes(random_() % 600));
  }
  goes_down_ = std::max(goes_down_, true_ + minutes(1));
}

void Simulation::make_backups() {
  backup_at_ = true_ + between(hours(23), hours(25));
  for (const auto& name : all_targets()) {
    if (chance(0.05)) continue;
    auto& backups = world_.backups[name];
    const auto finished = wall() - between(minutes(0), minutes(20));
    backups.push_back({"base_" + format_rfc3339(finished), finished, wall()});
    if (backups.size() > 8) backups.erase(backups.begin());
  }
  disturbed_ = true;
}

void Simulation::ask_by_hand() {
  asks_at_ = later(3);
  const auto& target = any_target();
  if (absent_.contains(target)) return;
  DueRun request{.request = fmt::format("request-{}", random_()),
                 .target = target,
                 .schedule = "manual",
                 .depth = settings_.calm ? Depth::inspect : static_cast<Depth>(random_() % 3),
                 .since = wall()};
  if (request.depth == Depth::restore) request.scratch = world_.scratch[target];
  world_.requests.push_back(std::move(request));
  disturbed_ = true;
}

void Simulation::happen() {
  end_runs();
  if (!up_ && true_ >= comes_up_) come_up();
  if (true_ >= backup_at_ && up_) make_backups();
  if (true_ >= asks_at_) ask_by_hand();
  if (true_ >= pauses_at_) pause_something();
  if (true_ >= resumes_at_) resume_something();
  const bool quiet = up_ && !disturbed_ && ahead_ == milliseconds(0);
  if (true_ >= reloads_at_ && quiet) reload();
  if (true_ >= jumps_at_ && up_) {
    if (ahead_ != milliseconds(0)) {
      jump(-std::exchange(ahead_, milliseconds(0)));
      jumps_at_ = later(25);
    } else if (settings_.far_jumps && chance(0.3)) {
      ahead_ = between(days(3), days(1100));
      jump(ahead_);
      jumps_at_ = true_ + between(minutes(10), hours(6));
    } else {
      jump(chance(0.5)   ? -between(seconds(1), hours(2))
           : chance(0.5) ? between(seconds(1), hours(3))
                         : between(hours(3), days(6)));
      jumps_at_ = later(25);
    }
  }
  if (true_ >= storm_until_ && !settings_.calm && chance(0.002)) {
    storm_target_ = any_target();
    storm_until_ = true_ + between(hours(1), days(12));
  }
  if (up_ && true_ >= goes_down_) {
    const auto duration = chance(0.7)   ? between(seconds(5), minutes(5))
                          : chance(0.6) ? between(minutes(5), hours(10))
                                        : between(hours(10), days(12));
    go_down(chance(0.5), duration);
  }
}

void Simulation::forget_runs(const std::string& target) {
  const OldestNeeded oldest = oldest_needed(plan_, world_.memories, wall());
  std::erase_if(world_.runs[target], [&](const PastRun& run) {
    const auto needed = oldest.find({target, run.depth});
    return run.verdict && (needed == oldest.end() || run.begun_at < needed->second);
  });
}

void Simulation::begin(const DueRun& due) {
  PastRun run{.schedule = due.schedule, .depth = due.depth, .begun_at = wall()};
  run.id = fmt::format("r{}", ++run_count_);
  run.target = due.target;
  if (const auto& backups = world_.backups[due.target]; !backups.empty()) {
    run.backup = backups.back().name;
  }
  run.slot = due.slot;
  Going going{.run = run};
  const auto low =
      due.depth == Depth::restore ? hours(1) : minutes(due.depth == Depth::verify ? 20 : 1);
  const auto high = due.depth == Depth::restore  ? minutes(settings_.calm ? 70 : 840)
                    : due.depth == Depth::verify ? minutes(settings_.calm ? 40 : 120)
                                                 : minutes(5);
  going.ends = true_ + between(low, high);
  if (due.schedule == "manual" && !settings_.calm && chance(0.05)) going.ends += days(3);
  const auto dice = random_() % 100;
  going.verdict = settings_.calm || dice < 75 ? Verdict::pass
                  : dice < 83                 ? Verdict::fail
                  : dice < 97                 ? Verdict::inconclusive
                                              : Verdict::cancelled;
  if (!settings_.slots_known) run.slot.reset();
  auto& runs = world_.runs[due.target];
  runs.push_back(run);
  if (ahead_ == milliseconds(0) && run_count_ % 16 == 0) forget_runs(due.target);
  RunningRun running{run.id, due.target, due.schedule, due.depth, wall()};
  running.scratch_used = due.scratch / 2;
  running.scratch_to_come = due.scratch - running.scratch_used;
  world_.running.push_back(running);
  going_.push_back(std::move(going));
  std::erase_if(world_.requests, [&](const DueRun& one) {
    return !due.request.empty() && one.request == due.request;
  });
}

/// \return false if the agent died in the middle
bool Simulation::keep(const Tick& tick) {
  const auto writes = tick.ended.size() + tick.cursors.size() + tick.memories.size();
  std::size_t dies_after = writes + 1;
  if (!settings_.calm && writes > 0 && chance(0.01)) dies_after = random_() % writes;
  std::size_t written = 0;
  std::set<ScheduleKey> remembered;
  const auto next_write = [&] { return written++ < dies_after; };
  const auto tell = [&](const Ended& ended) {
    const bool again = uncertain_.contains({ended.key, ended.slot.slot});
    oracle_.ended(plan_, world_, truth_, ended, {ended.slot, wall(), ahead_ != milliseconds(0)},
                  again);
  };
  bool alive = true;
  for (const Ended& ended : tick.ended) {
    alive = alive && next_write();
    if (!alive) break;
    if (ended.slot.answered) continue;
    tell(ended);
    auto& missed = world_.missed[ended.key];
    missed.emplace_back(ended.slot.slot, wall());
    if (missed.size() > 2000) missed.erase(missed.begin());
  }
  for (const RotationProgress& cursor : tick.cursors) {
    alive = alive && next_write();
    if (!alive) break;
    const auto before = world_.cursors[cursor.rotation];
    for (const Ended& ended : tick.ended) {
      const bool ran_ahead = before.last_slot && *before.last_slot > wall();
      if (ended.key.second != cursor.rotation || ended.slot.target.empty() || ran_ahead) continue;
      if (before.last_slot && ended.slot.last_slot <= *before.last_slot) continue;
      oracle_.turn_used(cursor.rotation, before.round, ended.slot.target, [&](const auto& name) {
        return pause_of(world_.pauses, name, cursor.rotation, wall()) != nullptr;
      });
    }
    world_.cursors[cursor.rotation] = cursor;
  }
  for (const auto& [key, memory] : tick.memories) {
    alive = alive && next_write();
    if (!alive) break;
    world_.memories[key] = memory;
    remembered.insert(key);
  }
  for (const Ended& ended : tick.ended) {
    if (ended.slot.answered && remembered.contains(ended.key)) tell(ended);
    if (!remembered.contains(ended.key)) uncertain_.insert({ended.key, ended.slot.slot});
  }
  for (const ScheduleKey& key : alive ? tick.rewound : std::vector<ScheduleKey>{}) {
    std::erase_if(world_.missed[key], [&](const auto& missed) { return missed.first > wall(); });
    oracle_.rewound(key, wall());
  }
  for (const ScheduleKey& key : tick.forgotten) world_.memories.erase(key);
  return alive;
}

void Simulation::look() {
  ++ticks_;
  const auto now = wall();
  for (const Pause& pause : world_.pauses) {
    disturbed_ = disturbed_ || (*pause.until > last_look_ && *pause.until <= now);
  }
  last_look_ = now;
  std::uint64_t used = 0;
  for (const RunningRun& run : world_.running) used += run.scratch_used;
  const Limits limits{settings_.calm ? 6U : 2U, (settings_.calm ? 600 : 120) * kGiB - used,
                      10 * kGiB};
  const auto result = tick(plan_, world_, {now, running_since_, after_jump_}, limits);
  if (!keep(result)) {
    ++crashes_;
    go_down(false, between(seconds(5), minutes(20)));
    return;
  }
  for (const auto& name : unseen_) truth_.configured[name].push_back({now, TimePoint::max()});
  unseen_.clear();
  oracle_.ticked(result);
  for (const DueRun& due : result.start) {
    const bool rotates = world_.cursors.contains(due.schedule);
    const ScheduleKey key{rotates ? due.schedule : due.target, due.schedule};
    oracle_.started(plan_, world_, truth_, due, now, ahead_ != milliseconds(0));
    const bool held = world_.hindrances.contains(key);
    if (due.slot && !disturbed_ && !held && now - due.since > seconds(20)) {
      oracle_.overslept(due, now);
    }
    begin(due);
  }
  if (world_.running.size() > limits.max_runs) oracle_.too_many(now);
  world_.hindrances = result.hindrances;
  wake_ = result.wake;
  disturbed_ = !result.start.empty();
}

TimePoint Simulation::next_event(TimePoint wake) const {
  auto next = true_ + hours(6);
  for (const auto at :
       {goes_down_, pauses_at_, resumes_at_, reloads_at_, jumps_at_, asks_at_, backup_at_}) {
    if (at > true_) next = std::min(next, at);
  }
  if (!up_) next = std::min(next, comes_up_);
  if (up_ && wake != TimePoint::max()) next = std::min(next, wake - offset_);
  for (const Going& going : going_) next = std::min(next, going.ends);
  return next;
}

const Oracle& Simulation::run() {
  while (true_ < end_) {
    happen();
    if (up_) look();
    const bool again = up_ && disturbed_;
    const auto next = again ? true_ + seconds(1) : next_event(wake_);
    true_ = std::max(next, true_ + seconds(1)) + between(milliseconds(0), seconds(10));
  }
  // What came due after the last look is still to be told.
  oracle_.finished(plan_, world_, truth_, begin_, std::min(last_look_, end_) - hours(1));
  return oracle_;
}

}  // namespace rad::sim
