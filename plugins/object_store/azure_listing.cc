#include "plugins/object_store/azure_listing.h"

#include <algorithm>
#include <charconv>

#include <pugixml.hpp>

#include "plugins/object_store/http_message.h"

namespace rad::object_store {
namespace {

Error not_a_listing(std::string_view what) {
  Error error = fail(Reason::storage_unreachable,
                     "the service's listing cannot be understood: " + std::string(what),
                     "look for a proxy that answers in the service's place");
  error.retryable = true;
  return error;
}

bool parse_xml(pugi::xml_document& document, std::string_view xml) {
  return static_cast<bool>(document.load_buffer(xml.data(), xml.size(),
                                                pugi::parse_default | pugi::parse_ws_pcdata_single,
                                                pugi::encoding_utf8));
}

Result<AzureBlob> parse_blob(const pugi::xml_node& node) {
  AzureBlob blob;
  const auto name = node.child("Name");
  blob.name = name.text().get();
  // What XML cannot hold is percent-encoded, since version 2021-02-12.
  if (name.attribute("Encoded").as_bool()) {
    const auto decoded = percent_decode(blob.name);
    if (!decoded) return not_a_listing("a name is not encoded as it says");
    blob.name = *decoded;
  }
  if (blob.name.empty()) return not_a_listing("an object has no name");
  const auto properties = node.child("Properties");
  const std::string_view size = properties.child("Content-Length").text().get();
  const auto read = std::from_chars(size.data(), size.data() + size.size(), blob.size);
  if (size.empty() || read.ec != std::errc{} || read.ptr != size.data() + size.size()) {
    return not_a_listing("an object has no size");
  }
  const auto modified = parse_http_date(properties.child("Last-Modified").text().get());
  if (!modified) return not_a_listing("an object has no time");
  blob.modified = *modified;
  return blob;
}

}  // namespace

Result<AzureListing> parse_azure_listing(std::string_view xml) {
  pugi::xml_document document;
  if (!parse_xml(document, xml)) return not_a_listing("it is not XML");
  const auto root = document.child("EnumerationResults");
  const auto blobs = root.child("Blobs");
  if (!root || !blobs) return not_a_listing("it has no EnumerationResults with Blobs");
  AzureListing listing;
  for (const auto& node : blobs.children("Blob")) {
    const std::string_view type = node.child("Properties").child("ResourceType").text().get();
    if (type == "directory") continue;
    RAD_TRY(AzureBlob blob, parse_blob(node));
    listing.blobs.push_back(std::move(blob));
  }
  listing.next_marker = root.child("NextMarker").text().get();
  return listing;
}

AzureError parse_azure_error(std::string_view xml) {
  pugi::xml_document document;
  if (!parse_xml(document, xml)) return {};
  const auto root = document.child("Error");
  AzureError error;
  error.code = root.child("Code").text().get();
  error.message = root.child("Message").text().get();
  error.message.resize(std::min(error.message.find('\n'), error.message.size()));
  error.detail = root.child("AuthenticationErrorDetail").text().get();
  return error;
}

}  // namespace rad::object_store
