#include "agent/schedule/choose.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

bool is_manual(const DueRun& run) {
  return !run.request.empty();
}

/// A place in the order, with the priority and the wait of what it stands for.
struct Place {
  DueRun run;
  int priority = 0;
  TimePoint since{};
  bool leads = true;  ///< nothing deeper of its target is due
};

std::vector<Place> places(std::vector<DueRun> due) {
  std::vector<Place> all;
  std::map<std::string, std::size_t> deepest;
  for (auto& run : due) {
    Place place{.run = std::move(run)};
    place.priority = place.run.priority;
    place.since = place.run.since;
    all.push_back(std::move(place));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_manual(all[i].run)) continue;
    const auto [found, is_new] = deepest.try_emplace(all[i].run.target, i);
    if (is_new) continue;
    const auto rank = [&](std::size_t k) {
      return std::tuple(all[k].run.depth, all[k].run.priority,
                        -all[k].run.since.time_since_epoch().count());
    };
    if (rank(i) > rank(found->second)) found->second = i;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_manual(all[i].run)) continue;
    auto& lead = all[deepest.at(all[i].run.target)];
    lead.priority = std::max(lead.priority, all[i].run.priority);
    lead.since = std::min(lead.since, all[i].run.since);
    all[i].leads = &lead == &all[i];
  }
  std::stable_sort(all.begin(), all.end(), [](const Place& a, const Place& b) {
    const auto order = [](const Place& place) {
      // The leader comes before those that it stands for, whose rank may be the same.
      return std::tuple(-place.priority, !is_manual(place.run), place.since, !place.leads);
    };
    return order(a) < order(b);
  });
  return all;
}

std::string describe(const RunningRun& run) {
  if (!run.what.empty()) return run.what;
  const auto what = run.schedule == "manual" ? std::string("by hand") : "of " + run.schedule;
  return fmt::format("run {} of {} ({}, {}, since {})", run.id, run.target, what,
                     to_string(run.depth), format_rfc3339(run.begun_at));
}

class Chooser {
 public:
  Chooser(const std::vector<RunningRun>& running, const Limits& limits)
      : running_(running), limits_(limits), free_(limits.scratch_free) {
    most_ = limits.scratch_free;
    std::uint64_t to_come = limits.scratch_reserve;
    for (const RunningRun& run : running) {
      busy_.emplace(run.target, &run);
      if (!run.id.empty()) ++count_;
      to_come += run.scratch_to_come;
      most_ += run.scratch_used;
    }
    free_ -= std::min(free_, to_come);
    most_ -= std::min(most_, limits.scratch_reserve);
  }

  void offer(const Place& place);
  void bar(const DueRun& run) { wait(run, MissCause::cannot_begin, run.barred); }
  Choice take() { return std::move(choice_); }

 private:
  void wait(const DueRun& run, MissCause cause, std::string detail) {
    choice_.waiting.push_back({run, cause, std::move(detail)});
  }
  void claim(std::uint64_t bytes) { free_ -= std::min(free_, bytes); }
  std::string places_taken() const;

  const std::vector<RunningRun>& running_;
  const Limits& limits_;
  std::size_t count_ = 0;
  std::uint64_t free_;      ///< what the next one in the order may take
  std::uint64_t most_ = 0;  ///< what could be free if all running ones ended
  std::map<std::string, const RunningRun*> busy_;
  std::map<std::string, DueRun> started_;  ///< by target
  std::string gathering_;                  ///< the first of them
  Choice choice_;
};

std::string Chooser::places_taken() const {
  std::string text = fmt::format("a free place: {} of {} runs go on", count_, limits_.max_runs);
  const RunningRun* oldest = nullptr;
  for (const RunningRun& run : running_) {
    if (run.id.empty() || !run.what.empty()) continue;
    if (oldest == nullptr || run.begun_at < oldest->begun_at) oldest = &run;
  }
  if (oldest != nullptr) text += ", the oldest is " + describe(*oldest);
  return text;
}

void Chooser::offer(const Place& place) {
  const DueRun& run = place.run;
  if (const auto held = busy_.find(run.target); held != busy_.end()) {
    const RunningRun& other = *held->second;
    const bool gathers =
        other.schedule != "manual" && other.depth < run.depth && run.scratch <= most_;
    if (gathers) claim(run.scratch);
    return wait(run, MissCause::target_busy, describe(other) + ", which holds the target");
  }
  if (const auto first = started_.find(run.target); first != started_.end()) {
    return wait(run, MissCause::target_busy,
                fmt::format("a {} of the same target ({}), which goes first",
                            to_string(first->second.depth), first->second.schedule));
  }
  if (run.scratch > free_) {
    const auto text = fmt::format("scratch space: {} are needed, {} can be had now",
                                  format_bytes(run.scratch), format_bytes(free_));
    if (run.scratch > most_) {
      return wait(run, MissCause::scratch,
                  text + fmt::format(" and {} at most", format_bytes(most_)));
    }
    const auto behind = gathering_.empty() ? "" : fmt::format(", and {} comes first", gathering_);
    if (gathering_.empty()) gathering_ = run.target;
    claim(run.scratch);
    return wait(run, MissCause::scratch, text + behind);
  }
  if (count_ >= limits_.max_runs) {
    claim(run.scratch);
    return wait(run, MissCause::concurrency, places_taken());
  }
  ++count_;
  claim(run.scratch);
  started_.emplace(run.target, run);
  choice_.start.push_back(run);
}

}  // namespace

Choice choose(std::vector<DueRun> due, const std::vector<RunningRun>& running,
              const Limits& limits) {
  Chooser chooser(running, limits);
  std::erase_if(due, [&](const DueRun& run) {
    if (run.barred.empty()) return false;
    chooser.bar(run);
    return true;
  });
  for (const Place& place : places(std::move(due))) chooser.offer(place);
  return chooser.take();
}

}  // namespace rad
