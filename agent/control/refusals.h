// How often a refusal is written down: somebody who is refused again and again must not fill the
// audit, or keep the store busy.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "agent/base/clock.h"

namespace rad {

/// A bucket of tokens for each user, and one for all together.
class RefusalLimit {
 public:
  /// \return nothing: do not write this one down; else how many were not since the last that was.
  std::optional<std::uint64_t> admit(std::uint32_t uid, SteadyPoint now);

 private:
  struct Bucket {
    double tokens = 0;
    SteadyPoint filled{};
    std::uint64_t left_out = 0;
    bool take(SteadyPoint now, double size, double per_second);
  };
  std::map<std::uint32_t, Bucket> users_;
  Bucket all_;
};

}  // namespace rad
