#include "plugins/object_store/s3_xml.h"

#include <charconv>

#include <fmt/format.h>
#include <pugixml.hpp>

#include "agent/base/text.h"
#include "plugins/object_store/http_message.h"

namespace rad::object_store {
namespace {

constexpr std::size_t kMaxKeyBytes = 4096;
constexpr std::size_t kMaxKeysInPage = 10'000;

Error bad_page(std::string_view what) {
  Error error = fail(Reason::storage_unreachable,
                     fmt::format("the listing that the service gave cannot be used: {}", what));
  error.retryable = true;
  return error;
}

Result<ObjectInfo> parse_object(const pugi::xml_node& node, bool encoded) {
  ObjectInfo object;
  object.key = node.child("Key").text().get();
  if (encoded) {
    auto decoded = percent_decode(object.key, true);
    if (!decoded) return bad_page("a key is not percent-encoded as it should be");
    object.key = *std::move(decoded);
  }
  if (object.key.empty() || object.key.size() > kMaxKeyBytes) {
    return bad_page(fmt::format("a key of {} bytes", object.key.size()));
  }
  const std::string_view size = node.child("Size").text().get();
  const auto end = std::from_chars(size.data(), size.data() + size.size(), object.size);
  if (size.empty() || end.ec != std::errc{} || end.ptr != size.data() + size.size()) {
    return bad_page(
        fmt::format("'{}' has the size '{}'", printable(object.key, 200), printable(size, 40)));
  }
  const auto time = parse_time(node.child("LastModified").text().get());
  if (!time) {
    return bad_page(fmt::format("'{}' has no time that can be read", printable(object.key, 200)));
  }
  object.modified = *time;
  return object;
}

}  // namespace

Result<S3Page> parse_s3_page(std::string_view xml) {
  pugi::xml_document document;
  const auto parsed = document.load_buffer(xml.data(), xml.size(),
                                           pugi::parse_default | pugi::parse_ws_pcdata_single);
  if (!parsed) return bad_page(fmt::format("it is not whole XML ({})", parsed.description()));
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) {
    return bad_page(fmt::format("its element is '{}', not 'ListBucketResult'",
                                printable(document.document_element().name(), 60)));
  }
  S3Page page;
  const bool encoded = std::string_view(root.child("EncodingType").text().get()) == "url";
  const std::string_view truncated = root.child("IsTruncated").text().get();
  if (truncated != "true" && truncated != "false")
    return bad_page("it does not say if it is whole");
  page.truncated = truncated == "true";
  page.next_token = root.child("NextContinuationToken").text().get();
  for (const pugi::xml_node& node : root.children("Contents")) {
    if (page.objects.size() >= kMaxKeysInPage) return bad_page("it has more keys than a page may");
    RAD_TRY(ObjectInfo object, parse_object(node, encoded));
    page.objects.push_back(std::move(object));
  }
  if (const pugi::xml_node count = root.child("KeyCount")) {
    const std::uint64_t prefixes = static_cast<std::uint64_t>(std::distance(
        root.children("CommonPrefixes").begin(), root.children("CommonPrefixes").end()));
    if (count.text().as_ullong(UINT64_MAX) != page.objects.size() + prefixes) {
      return bad_page(fmt::format("it has {} keys and says that it has '{}'", page.objects.size(),
                                  printable(count.text().get(), 20)));
    }
  }
  if (page.truncated && page.objects.empty())
    return bad_page("it has no keys, but says there are more");
  return page;
}

S3Error parse_s3_error(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  const pugi::xml_node root = document.child("Error");
  S3Error error;
  error.code = printable(root.child("Code").text().get(), 100);
  error.message = printable(root.child("Message").text().get(), 200);
  error.region = printable(root.child("Region").text().get(), 60);
  error.endpoint = printable(root.child("Endpoint").text().get(), 200);
  return error;
}

}  // namespace rad::object_store
