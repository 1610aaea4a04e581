// A page of a Swift container's listing in JSON, taken apart. Pure; the answer is hostile input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::object_store {

struct SwiftObject {
  std::string name;
  std::uint64_t size = 0;  ///< 0 for the manifest of a dynamic large object and for a symlink
  TimePoint modified{};
};
/// \return storage_unreachable when it is something else than a listing.
Result<std::vector<SwiftObject>> parse_swift_listing(std::string_view body);

}  // namespace rad::object_store
