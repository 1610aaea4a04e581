// What storage services answer: pages of listings, errors, and the headers that lengths depend on.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plugins/object_store/aws_credentials.h"
#include "plugins/object_store/http_message.h"
#include "plugins/object_store/s3_storage.h"
#include "plugins/object_store/s3_xml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rad::object_store;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // The first byte chooses the reader, so that each keeps its own inputs in the corpus.
  switch (data[0] % 4) {
    case 0: {
      const auto page = parse_s3_page(text);
      if (!page) break;
      for (const ObjectInfo& object : page->objects) {
        if (object.key.empty()) __builtin_trap();
      }
      break;
    }
    case 1: {
      HttpResponse response;
      response.status = 400;
      response.body = text;
      (void)judge_s3(response, "us-east-1", {});
      break;
    }
    case 2:
      (void)parse_role_credentials(text);
      break;
    default:
      (void)parse_content_range(text);
      (void)parse_retry_after(text, {});
      (void)parse_http_date(text);
      if (const auto decoded = percent_decode(text)) {
        if (percent_decode(percent_encode(*decoded)) != *decoded) __builtin_trap();
      }
  }
  return 0;
}
