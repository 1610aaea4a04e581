#pragma once

#include <chrono>

namespace rad {

/// How long a request may take.
struct CallLimits {
  /// Whole time; 0 means no limit.
  std::chrono::milliseconds timeout{0};
  /// Time without progress (a `progress` notification whose bytes differ); 0 means no limit.
  std::chrono::milliseconds stall{0};
  /// After `cancel` was sent, how long an answer is waited for before the process is killed.
  std::chrono::milliseconds grace{std::chrono::seconds(15)};
};

}  // namespace rad
