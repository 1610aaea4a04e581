// When to try again, and how fast to read. Pure but for the random jitter: time is handed in.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "agent/base/clock.h"

namespace rad::object_store {

/// Exponential back-off with jitter inside a limit that begins anew whenever something new came.
class RetryPacer {
 public:
  /// \param limit  without anything new; \param first_pause  doubled at each failure, up to 20 s.
  RetryPacer(std::chrono::milliseconds limit, std::chrono::milliseconds first_pause,
             SteadyPoint now)
      : limit_(limit), first_pause_(first_pause), since_(now) {}

  /// After a failure. \return how long to wait before the next attempt; nothing: give up.
  std::optional<std::chrono::milliseconds> pause(
      SteadyPoint now, std::optional<std::chrono::milliseconds> retry_after = {});
  /// After a failure that brought something, if not enough for progress(): does not grow.
  std::optional<std::chrono::milliseconds> short_pause(SteadyPoint now);
  void progress(SteadyPoint now);
  unsigned failures() const noexcept { return failures_; }
  std::chrono::milliseconds waited(SteadyPoint now) const;
  /// A shorter limit, e.g. while the service has never answered.
  void cap(std::chrono::milliseconds limit) { limit_ = limit < limit_ ? limit : limit_; }

 private:
  std::chrono::milliseconds limit_;
  std::chrono::milliseconds first_pause_;
  SteadyPoint since_;
  unsigned failures_ = 0;
};

/// Bytes per second for all readers of a transport together. Thread-safe.
class RateLimit {
 public:
  explicit RateLimit(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}
  /// Books `bytes`. \return when they may be asked for; never before `now`.
  SteadyPoint reserve(std::uint64_t bytes, SteadyPoint now);

 private:
  std::uint64_t rate_;
  std::mutex mutex_;
  SteadyPoint free_{};
};

}  // namespace rad::object_store
