#include "agent/report/progress.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/report/layout.h"

namespace rad {
namespace {

using std::chrono::milliseconds;
using Seconds = std::chrono::duration<double>;

constexpr Seconds kSmoothing{5.0};
constexpr milliseconds kSampleEvery{200};
constexpr milliseconds kMeaningful{1000};
constexpr milliseconds kRedrawEvery{100};
constexpr milliseconds kLineEvery{10'000};
constexpr std::size_t kBarColumns = 20;
constexpr std::size_t kNoteBytes = 200;

/// Floored, so that 100% means that nothing is missing.
unsigned percent(const ProgressState& state) {
  const double part =
      static_cast<double>(state.bytes_done) / static_cast<double>(state.bytes_total);
  return static_cast<unsigned>(std::floor(std::clamp(part, 0.0, 1.0) * 100.0));
}

bool has_bytes(const ProgressState& state) {
  return state.bytes_done != 0 || state.bytes_total != 0;
}

std::string amount(const ProgressState& state) {
  if (state.bytes_total == 0) return format_bytes(state.bytes_done);
  return fmt::format("{} of {}", format_bytes(state.bytes_done), format_bytes(state.bytes_total));
}

std::string rate(const ProgressState& state) {
  return fmt::format("{}/s", format_bytes(static_cast<std::uint64_t>(*state.bytes_per_second)));
}

std::string bar(const ProgressState& state) {
  const std::size_t full = percent(state) * kBarColumns / 100;
  return fmt::format("[{}{}] {:3}%", std::string(full, '#'), std::string(kBarColumns - full, '-'),
                     percent(state));
}

}  // namespace

std::string format_progress_bar(const ProgressState& state, std::size_t width) {
  // In the order in which they matter: what does not fit is left out from the right.
  std::vector<std::string> parts;
  if (state.bytes_total != 0) parts.push_back(bar(state));
  if (has_bytes(state)) parts.push_back(amount(state));
  if (state.bytes_per_second) parts.push_back(rate(state));
  parts.push_back(state.left ? format_duration(*state.left) + " left"
                             : format_duration(state.elapsed));
  if (!state.note.empty()) parts.push_back(printable(state.note, kNoteBytes));

  std::string line = cut_columns(fmt::format("{:<9}", to_string(state.stage)), width);
  for (const auto& part : parts) {
    const std::size_t used = columns(line);
    if (used + 1 + columns(part) > width) {
      if (&part == &parts.back() && used + 8 < width)
        line += " " + cut_columns(part, width - used - 1);
      break;
    }
    line += (&part == &parts.front() ? "" : " ");
    line += (&part == &parts.front() ? part : " " + part);
  }
  return cut_columns(line, width);
}

std::string format_progress_line(const ProgressState& state) {
  std::string line = fmt::format("{}:", to_string(state.stage));
  if (has_bytes(state)) {
    line += " " + amount(state);
    if (state.bytes_total != 0) line += fmt::format(" ({}%)", percent(state));
    if (state.bytes_per_second) line += ", " + rate(state);
    if (state.left) line += fmt::format(", {} left", format_duration(*state.left));
  } else if (state.elapsed > milliseconds(0)) {
    line += " " + format_duration(state.elapsed);
  } else {
    line += " started";
  }
  if (!state.note.empty()) line += ", " + printable(state.note, kNoteBytes);
  return line;
}

void ProgressMeter::begin_stage(Stage stage, SteadyPoint now) {
  stage_ = stage;
  stage_began_ = now;
  sampled_at_ = now;
  sampled_bytes_ = 0;
  bytes_done_ = 0;
  bytes_total_ = 0;
  rate_.reset();
  note_.clear();
}

void ProgressMeter::update(std::uint64_t bytes_done, std::uint64_t bytes_total,
                           std::string_view note, SteadyPoint now) {
  bytes_total_ = bytes_total;
  note_ = note;
  if (bytes_done < bytes_done_) {
    rate_.reset();
    sampled_at_ = now;
    sampled_bytes_ = bytes_done;
  }
  bytes_done_ = bytes_done;

  // Messages may come in bursts; a rate over microseconds would be noise.
  const auto span = now - sampled_at_;
  if (span < kSampleEvery) return;
  const double seconds = Seconds(span).count();
  const double current = static_cast<double>(bytes_done - sampled_bytes_) / seconds;
  const double weight = 1.0 - std::exp(-seconds / kSmoothing.count());
  rate_ = rate_ ? *rate_ + weight * (current - *rate_) : current;
  sampled_at_ = now;
  sampled_bytes_ = bytes_done;
}

ProgressState ProgressMeter::state(SteadyPoint now) const {
  ProgressState state;
  state.stage = stage_;
  state.note = note_;
  state.bytes_done = bytes_done_;
  state.bytes_total = bytes_total_;
  state.elapsed = std::chrono::duration_cast<milliseconds>(
      std::max(now - stage_began_, SteadyPoint::duration::zero()));
  if (!rate_ || state.elapsed < kMeaningful) return state;

  // Nothing reported for a while is itself a slow rate: the time left must not stand still.
  const double silence = Seconds(now - sampled_at_).count();
  const double shown =
      silence > 1.0 ? *rate_ * std::exp(-(silence - 1.0) / kSmoothing.count()) : *rate_;
  if (shown < 1.0) return state;
  state.bytes_per_second = shown;
  if (bytes_total_ > bytes_done_) {
    const double seconds = static_cast<double>(bytes_total_ - bytes_done_) / shown;
    constexpr double kLongest = 366.0 * 86400.0;
    if (seconds < kLongest) state.left = milliseconds(std::llround(seconds * 1000.0));
  }
  return state;
}

ProgressWriter::ProgressWriter(int fd, const Clock& clock, Mode mode)
    : fd_(fd), clock_(clock), mode_(mode) {
  if (mode_ == Mode::automatic) mode_ = ::isatty(fd) == 1 ? Mode::bar : Mode::lines;
}

ProgressWriter::~ProgressWriter() {
  finish();
}

void ProgressWriter::begin_stage(Stage stage) {
  meter_.begin_stage(stage, clock_.steady_now());
  active_ = true;
  draw(true);
}

void ProgressWriter::update(std::uint64_t bytes_done, std::uint64_t bytes_total,
                            std::string_view note) {
  meter_.update(bytes_done, bytes_total, note, clock_.steady_now());
  draw(false);
}

void ProgressWriter::tick() {
  draw(false);
}

void ProgressWriter::finish() {
  active_ = false;
  clear();
}

void ProgressWriter::clear() {
  if (on_screen_) write_all("\r\033[K");
  on_screen_ = false;
}

void ProgressWriter::draw(bool force) {
  if (!active_ || mode_ == Mode::off) return;
  const SteadyPoint now = clock_.steady_now();
  const auto every = mode_ == Mode::bar ? kRedrawEvery : kLineEvery;
  if (!force && drawn_at_ && now - *drawn_at_ < every) return;
  drawn_at_ = now;
  if (mode_ == Mode::lines) {
    write_all(format_progress_line(meter_.state(now)) + "\n");
    return;
  }
  winsize size{};
  // One column stays free: a terminal that has filled its last one may wrap.
  const std::size_t width =
      ::ioctl(fd_, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1U : 79U;
  write_all("\r" + format_progress_bar(meter_.state(now), width) + "\033[K");
  on_screen_ = true;
}

void ProgressWriter::write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace rad
