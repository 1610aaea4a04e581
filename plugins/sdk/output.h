// The one writer of protocol lines. Internal to plugins/sdk.
#pragma once

#include <atomic>
#include <mutex>
#include <string_view>

#include "agent/base/unique_fd.h"

namespace rad::sdk {

/// Writes whole lines in the order of the calls. Thread-safe. A reader that takes nothing blocks
/// the caller, until the plugin has to stop: then it gets two more seconds.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}

  /// \return false when the agent is gone; then nothing more is written.
  bool write(std::string_view line);
  /// From now on a blocked write gives up. SIGTERM has the same effect.
  void hurry() noexcept { hurried_.store(true); }

 private:
  bool wait_until_writable();

  int fd_;
  std::mutex mutex_;
  std::atomic<bool> gone_{false};
  std::atomic<bool> hurried_{false};
};

}  // namespace rad::sdk
