// Everything that Azure, Swift and Google answer in text: listings, errors, tokens, credentials.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "plugins/object_store/azure_listing.h"
#include "plugins/object_store/azure_signer.h"
#include "plugins/object_store/base64.h"
#include "plugins/object_store/gcs_credentials.h"
#include "plugins/object_store/gcs_listing.h"
#include "plugins/object_store/metadata_token.h"
#include "plugins/object_store/object_names.h"
#include "plugins/object_store/swift_identity.h"
#include "plugins/object_store/swift_listing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rad::object_store;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  // The first byte chooses the reader, so that each keeps its own inputs in the corpus.
  switch (data[0] % 8) {
    case 0:
      (void)parse_azure_listing(text);
      break;
    case 1:
      (void)parse_azure_error(text);
      break;
    case 2:
      (void)parse_swift_listing(text);
      break;
    case 3:
      (void)parse_gcs_listing(text);
      (void)parse_gcs_error(text);
      break;
    case 4:
      (void)read_oauth_token(text, {});
      break;
    case 5:
      (void)GcsCredentials::parse(text, "file");
      break;
    case 6:
      for (const unsigned version : {2U, 3U}) {
        SwiftSettings settings;
        settings.version = version;
        const HttpResponse answer{
            .status = 200, .headers = {{"x-subject-token", "t"}}, .body = std::string(text)};
        (void)read_swift_token(settings, answer, {}, {});
      }
      break;
    default:
      (void)parse_sas_token(text);
      (void)decode_base64(text);
      (void)parse_endpoint(text, "X");
      (void)parse_container_url(text);
  }
  return 0;
}
