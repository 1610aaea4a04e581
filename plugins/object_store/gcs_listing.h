// What Google Cloud Storage's JSON interface answers, taken apart. Pure; answers are hostile input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::object_store {

struct GcsObject {
  std::string name;
  std::uint64_t size = 0;
  TimePoint modified{};
};

struct GcsListing {
  std::vector<GcsObject> objects;
  std::string next_page;  ///< "" at the end
};
/// \return storage_unreachable when it is something else than a listing.
Result<GcsListing> parse_gcs_listing(std::string_view body);

/// Of an error's body; both empty where there is none. Media answers have plain text.
struct GcsError {
  std::string reason;  ///< "notFound", "rateLimitExceeded", ...
  std::string message;
};
GcsError parse_gcs_error(std::string_view body);

}  // namespace rad::object_store
