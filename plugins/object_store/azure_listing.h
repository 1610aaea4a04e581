// What Azure's Blob service answers in XML, taken apart. Pure; the answers are hostile input.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::object_store {

struct AzureBlob {
  std::string name;
  std::uint64_t size = 0;
  TimePoint modified{};
};

/// One answer of List Blobs. Directories of a hierarchical namespace are left out.
struct AzureListing {
  std::vector<AzureBlob> blobs;
  std::string next_marker;  ///< "" at the end
};
/// \return storage_unreachable when it is something else than a listing.
Result<AzureListing> parse_azure_listing(std::string_view xml);

/// Code, message and detail of an error's body; empty where there are none.
struct AzureError {
  std::string code;
  std::string message;  ///< its first line: request id and time follow on others
  std::string detail;   ///< AuthenticationErrorDetail
};
AzureError parse_azure_error(std::string_view xml);

}  // namespace rad::object_store
