// A host and an agent over years: restarts, crashes in mid-write, long absences, clock jumps,
// pauses, reloads, runs of every verdict. The agent's part is what agent/run does with
// agent/schedule/tick.h.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "agent/schedule/tick.h"
#include "tests/soak/schedule/oracle.h"

namespace rad::sim {

struct Settings {
  std::uint64_t seed = 1;
  int months = 60;
  bool calm = false;        ///< nothing ever goes wrong: every slot must be answered
  bool jumps = false;       ///< the clock jumps by hours, and forward by days
  bool far_jumps = false;   ///< and ahead by up to three years, for hours
  bool slots_known = true;  ///< runs say which slot they were begun for
};

class Simulation {
 public:
  explicit Simulation(const Settings& settings);
  const Oracle& run();
  std::size_t ticks() const noexcept { return ticks_; }
  std::size_t runs() const noexcept { return run_count_; }
  std::size_t crashes() const noexcept { return crashes_; }

 private:
  struct Going {
    PastRun run;
    TimePoint ends{};  ///< true time
    Verdict verdict = Verdict::pass;
  };

  TimePoint wall() const { return true_ + offset_; }
  bool chance(double probability);
  std::chrono::milliseconds between(std::chrono::milliseconds low, std::chrono::milliseconds high);
  TimePoint later(double mean_days);
  const std::string& any_target();

  void load();
  void end_runs();
  void happen();
  void go_down(bool gracefully, std::chrono::milliseconds duration);
  void come_up();
  void pause_something();
  void resume_something();
  void reload();
  void jump(std::chrono::milliseconds by);
  void make_backups();
  void ask_by_hand();
  void look();
  bool keep(const Tick& tick);
  void begin(const DueRun& due);
  void forget_runs(const std::string& target);
  void finish(Going& going, Verdict verdict, bool interrupted);
  TimePoint next_event(TimePoint wake) const;

  Settings settings_;
  std::mt19937_64 random_;
  Oracle oracle_;
  Truth truth_;
  std::set<std::string> absent_;
  std::set<std::string> unseen_;  ///< configured since the last look
  Plan plan_;
  World world_;
  TimePoint begin_{};
  TimePoint end_{};
  TimePoint true_{};
  std::chrono::milliseconds offset_{0};
  std::chrono::milliseconds ahead_{0};  ///< of a far jump, to be taken back
  std::vector<Going> going_;
  bool up_ = true;
  TimePoint running_since_{};
  bool after_jump_ = false;
  bool disturbed_ = true;  ///< something happened since the last look
  TimePoint down_since_{};
  TimePoint comes_up_{};
  TimePoint goes_down_{};
  TimePoint pauses_at_{};
  TimePoint resumes_at_{};
  TimePoint reloads_at_{};
  TimePoint jumps_at_{};
  TimePoint asks_at_{};
  TimePoint backup_at_{};
  TimePoint storm_until_{};
  std::string storm_target_;
  TimePoint wake_{};
  TimePoint last_look_{};
  std::set<std::pair<ScheduleKey, TimePoint>> uncertain_;  ///< ended in a tick that crashed
  std::size_t ticks_ = 0;
  std::size_t run_count_ = 0;
  std::size_t crashes_ = 0;
};

}  // namespace rad::sim
