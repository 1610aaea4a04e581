#include "plugins/object_store/gcs_listing.h"

#include <charconv>

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

Result<GcsObject> parse_object(const boost::json::object& fields) {
  GcsObject found;
  const auto name = json::get_string(fields, "name");
  const auto size = json::get_string(fields, "size");
  const auto time = json::get_string(fields, "updated");
  if (!name || name->empty() || !size || !time) {
    return not_a_listing("an object lacks its name, size or time");
  }
  // 64-bit numbers are strings in this interface.
  const char* end = size->data() + size->size();
  const auto read = std::from_chars(size->data(), end, found.size);
  const auto modified = parse_time(*time);
  if (size->empty() || read.ec != std::errc{} || read.ptr != end || !modified) {
    return not_a_listing("the size or time of an object is none");
  }
  found.name = *name;
  found.modified = *modified;
  return found;
}

}  // namespace

Result<GcsListing> parse_gcs_listing(std::string_view body) {
  const auto document = json::parse(body, "the service's listing", Reason::storage_unreachable);
  if (!document || !document->is_object()) return not_a_listing("it is not a JSON object");
  const auto& fields = document->get_object();
  const auto next = json::get_string(fields, "nextPageToken", "");
  const auto items = json::get_array(fields, "items");
  if (!next || !items) return not_a_listing("items or nextPageToken is something else");
  // An empty page has neither; "kind" is asked for so that any other object is not taken for one.
  const auto kind = json::get_string(fields, "kind", "");
  if (!kind || *kind != "storage#objects") return not_a_listing("it is of another kind");
  GcsListing listing{.objects = {}, .next_page = *next};
  for (const auto& item : *items) {
    if (!item.is_object()) return not_a_listing("an item is not an object");
    RAD_TRY(GcsObject object, parse_object(item.get_object()));
    listing.objects.push_back(std::move(object));
  }
  return listing;
}

GcsError parse_gcs_error(std::string_view body) {
  GcsError found;
  const auto document = json::parse(body, "the service's error");
  if (!document || !document->is_object()) return found;
  const auto error = json::get_object(document->get_object(), "error");
  if (!error) return found;
  if (const auto message = json::get_string(*error, "message", "")) found.message = *message;
  const auto errors = json::get_array(*error, "errors");
  if (!errors || errors->empty() || !errors->front().is_object()) return found;
  const auto reason = json::get_string(errors->front().get_object(), "reason", "");
  if (reason) found.reason = *reason;
  return found;
}

}  // namespace rad::object_store
