#include "plugins/object_store/retry.h"

#include <algorithm>
#include <random>
#include <utility>

namespace rad::object_store {
namespace {

constexpr std::chrono::milliseconds kLongestPause = std::chrono::seconds(20);

/// 0.5 to 1.5: readers that failed together must not come back together.
double jitter() {
  static thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0.5, 1.5)(generator);
}

}  // namespace

std::optional<std::chrono::milliseconds> RetryPacer::pause(
    SteadyPoint now, std::optional<std::chrono::milliseconds> retry_after) {
  const auto doubled = first_pause_ * (std::int64_t{1} << std::min(failures_, 10U));
  ++failures_;
  const std::chrono::duration<double, std::milli> wished =
      jitter() * std::chrono::duration<double, std::milli>(std::min(doubled, kLongestPause));
  auto pause = std::chrono::duration_cast<std::chrono::milliseconds>(wished);
  if (retry_after) pause = std::max(pause, *retry_after);
  if (now - since_ + pause > limit_) return std::nullopt;
  return pause;
}

std::optional<std::chrono::milliseconds> RetryPacer::short_pause(SteadyPoint now) {
  const unsigned before = std::exchange(failures_, 0);
  const auto result = pause(now);
  failures_ = before + 1;
  return result;
}

void RetryPacer::progress(SteadyPoint now) {
  since_ = now;
  failures_ = 0;
}

std::chrono::milliseconds RetryPacer::waited(SteadyPoint now) const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
}

SteadyPoint RateLimit::reserve(std::uint64_t bytes, SteadyPoint now) {
  if (rate_ == 0) return now;
  const std::lock_guard lock(mutex_);
  const SteadyPoint start = std::max(free_, now);
  const std::chrono::duration<double> cost(static_cast<double>(bytes) / static_cast<double>(rate_));
  free_ = start + std::chrono::duration_cast<SteadyPoint::duration>(cost);
  return start;
}

}  // namespace rad::object_store
