// From a URL and a WAL-E environment to a storage: the list of the kinds that there are.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/storage.h"

namespace rad::object_store {

/// Settings by the names that WAL-E and the vendors' own tools have for them (AWS_ACCESS_KEY_ID,
/// WALE_S3_ENDPOINT, WABS_ACCOUNT_NAME, SWIFT_AUTHURL, ...). Values may be secrets and are never
/// part of a message.
using Variables = std::map<std::string, std::string, std::less<>>;

/// `variables`' value, "" if it is not set.
std::string value_of(const Variables& variables, std::string_view name);

/// What the settings were understood as, in words without a secret, for check-config.
struct StorageSummary {
  std::string kind;                ///< "file", "s3", "azure", "swift", "gcs", "rclone"
  std::string url;                 ///< as Storage::describe()
  std::string endpoint;            ///< where requests go, "" for file
  std::string credentials;         ///< "static keys (AWS_ACCESS_KEY_ID)", "instance profile", ...
  std::vector<std::string> notes;  ///< e.g. settings that are not used
};

struct OpenedStorage {
  std::unique_ptr<Storage> storage;
  StorageSummary summary;
};

/// Files that `variables` name are read here, while the caller may still have the rights to; no
/// request is made and no thread started before the storage is used.
/// \param url  file:///path, file://host/path (the host is ignored, as WAL-E does),
/// s3://bucket/prefix,
///   wabs://container/prefix, swift://container/prefix, gs://bucket/prefix.
/// \return config_invalid for other schemes and for settings that contradict each other.
Result<OpenedStorage> open_storage(std::string_view url, const Variables& variables,
                                   const TransportOptions& transport = {});

}  // namespace rad::object_store
