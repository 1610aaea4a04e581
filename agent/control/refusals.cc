#include "agent/control/refusals.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace rad {
namespace {

constexpr double kBurst = 20;
constexpr double kPerSecond = 0.1;
constexpr double kBurstOfAll = 100;
constexpr double kPerSecondOfAll = 1;
constexpr std::size_t kMaxUsers = 1024;

}  // namespace

bool RefusalLimit::Bucket::take(SteadyPoint now, double size, double per_second) {
  if (filled == SteadyPoint{}) {
    tokens = size;
  } else {
    tokens =
        std::min(size, tokens + per_second * std::chrono::duration<double>(now - filled).count());
  }
  filled = now;
  if (tokens < 1) return false;
  tokens -= 1;
  return true;
}

std::optional<std::uint64_t> RefusalLimit::admit(std::uint32_t uid, SteadyPoint now) {
  if (users_.size() >= kMaxUsers && !users_.contains(uid)) users_.clear();
  Bucket& user = users_[uid];
  if (user.take(now, kBurst, kPerSecond) && all_.take(now, kBurstOfAll, kPerSecondOfAll)) {
    return std::exchange(user.left_out, 0);
  }
  ++user.left_out;
  return std::nullopt;
}

}  // namespace rad
