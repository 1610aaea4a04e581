#include "plugins/object_store/swift_listing.h"

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad::object_store {
namespace {

Error not_a_listing(std::string_view what) {
  Error error = fail(Reason::storage_unreachable,
                     "the service's listing cannot be understood: " + std::string(what),
                     "look for a proxy that answers in the service's place");
  error.retryable = true;
  return error;
}

}  // namespace

Result<std::vector<SwiftObject>> parse_swift_listing(std::string_view body) {
  std::vector<SwiftObject> objects;
  if (body.empty()) return objects;  // 204
  const auto document = json::parse(body, "the service's listing", Reason::storage_unreachable);
  if (!document || !document->is_array()) return not_a_listing("it is not a JSON array");
  for (const auto& entry : document->get_array()) {
    if (!entry.is_object()) return not_a_listing("an entry is not an object");
    const auto& fields = entry.get_object();
    if (fields.contains("subdir")) continue;
    const auto name = json::get_string(fields, "name");
    const auto size = json::get_uint(fields, "bytes");
    if (!name || name->empty() || !size) return not_a_listing("an entry lacks name or bytes");
    const auto time = json::get_string(fields, "last_modified");
    if (!time) return not_a_listing("an entry lacks its time");
    const auto modified = parse_time(*time);
    if (!modified) return not_a_listing("the time of an entry is none");
    objects.push_back({.name = *name, .size = *size, .modified = *modified});
  }
  return objects;
}

}  // namespace rad::object_store
