#include "plugins/object_store/open_storage.h"

#include <fmt/format.h>

#include "plugins/object_store/azure_storage.h"
#include "plugins/object_store/file_storage.h"
#include "plugins/object_store/gcs_storage.h"
#include "plugins/object_store/rclone_storage.h"
#include "plugins/object_store/s3_storage.h"
#include "plugins/object_store/swift_storage.h"

namespace rad::object_store {

std::string value_of(const Variables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

Result<OpenedStorage> open_storage(std::string_view url, const Variables& variables,
                                   const TransportOptions& transport) {
  OpenedStorage opened;
  if (url.starts_with("file://")) {
    RAD_TRY(opened.storage, open_file_storage(url));
    opened.summary.kind = "file";
  } else if (url.starts_with("s3://")) {
    return open_s3_storage(url, variables, transport);
  } else if (url.starts_with("wabs://")) {
    return open_azure_storage(url, variables, transport);
  } else if (url.starts_with("swift://")) {
    return open_swift_storage(url, variables, transport);
  } else if (url.starts_with("gs://")) {
    return open_gcs_storage(url, variables, transport);
  } else if (url.starts_with("rclone://")) {
    return open_rclone_storage(url, variables, transport);
  } else {
    return fail(Reason::config_invalid,
                fmt::format("storage '{}' is of a kind that is not known here", url),
                "understood are file:///path, s3://bucket/prefix, wabs://container/prefix, "
                "swift://container/prefix, gs://bucket/prefix and rclone://remote/path");
  }
  opened.summary.url = opened.storage->describe();
  return opened;
}

Result<std::unique_ptr<Storage>> open_storage(std::string_view url) {
  RAD_TRY(OpenedStorage opened, open_storage(url, {}, {}));
  return std::move(opened.storage);
}

}  // namespace rad::object_store
