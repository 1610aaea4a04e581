// Progress of a run on stderr: a bar that redraws itself on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/model/words.h"

namespace rad {

/// Everything that one line of progress says.
struct ProgressState {
  Stage stage = Stage::preflight;
  std::string note;  ///< e.g. "partition 3 of 12"; untrusted
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;                  ///< 0 if unknown
  std::chrono::milliseconds elapsed{0};           ///< in this stage
  std::optional<double> bytes_per_second;         ///< smoothed; nothing until it means something
  std::optional<std::chrono::milliseconds> left;  ///< nothing until it means something
};

/// "fetch    [#########---------]  51%  24.9 MiB of 49.0 MiB  12.1 MiB/s  2.0s left  partition 1"
/// Never more than `width` columns (parts are left out from the right), never a control character.
std::string format_progress_bar(const ProgressState& state, std::size_t width);
/// "fetch: 24.9 MiB of 49.0 MiB (51%), 12.1 MiB/s, 2.0s left, partition 1 of 1", without a newline.
std::string format_progress_line(const ProgressState& state);

/// Turns notifications into ProgressState: rate by exponential smoothing (time constant 5 s), so
/// that one stalled second does not double the time left. Pure; time is handed in. One thread.
class ProgressMeter {
 public:
  /// A new stage: counters, rate and note start anew.
  void begin_stage(Stage stage, SteadyPoint now);
  /// Numbers that go backwards are taken as they are; the rate then starts anew.
  void update(std::uint64_t bytes_done, std::uint64_t bytes_total, std::string_view note,
              SteadyPoint now);
  ProgressState state(SteadyPoint now) const;

 private:
  Stage stage_ = Stage::preflight;
  SteadyPoint stage_began_{};
  SteadyPoint sampled_at_{};
  std::uint64_t sampled_bytes_ = 0;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_total_ = 0;
  std::optional<double> rate_;
  std::string note_;
};

/// Writes progress to a descriptor, which it borrows. On a terminal it redraws one line at most
/// 10 times a second; elsewhere it writes a line at each change of stage and at most every 10 s.
/// Errors of writing are ignored: progress must never stop a run. One thread.
class ProgressWriter {
 public:
  enum class Mode : std::uint8_t { automatic, bar, lines, off };

  /// `clock` must live longer. automatic: bar if `fd` is a terminal, else lines.
  ProgressWriter(int fd, const Clock& clock, Mode mode = Mode::automatic);
  ~ProgressWriter();  ///< as finish()
  ProgressWriter(const ProgressWriter&) = delete;
  ProgressWriter& operator=(const ProgressWriter&) = delete;

  void begin_stage(Stage stage);
  void update(std::uint64_t bytes_done, std::uint64_t bytes_total, std::string_view note = {});
  /// Redraws the bar so that elapsed time moves while nothing is reported; call it about each
  /// second.
  void tick();
  /// Takes the bar off the screen to make room for other text; the stage goes on.
  void clear();
  /// Takes the bar off the screen. Idempotent; a later begin_stage() starts again.
  void finish();

 private:
  void draw(bool force);
  void write_all(std::string_view text);

  int fd_;
  const Clock& clock_;
  Mode mode_;
  ProgressMeter meter_;
  std::optional<SteadyPoint> drawn_at_;
  bool active_ = false;
  bool on_screen_ = false;
};

}  // namespace rad
