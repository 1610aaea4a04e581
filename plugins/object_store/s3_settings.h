// What a WAL-E environment says of an S3 storage. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/sigv4.h"

namespace rad::object_store {

enum class S3Style : std::uint8_t {
  path,         ///< https://host/bucket/key
  subdomain,    ///< https://bucket.host/key
  virtualhost,  ///< https://bucket/key: the bucket's name is the host's
};

struct S3Settings {
  std::string bucket;
  std::string prefix;  ///< without "/" at its ends
  std::string scheme = "https";
  std::string endpoint;  ///< host[:port]
  S3Style style = S3Style::path;
  std::string region;
  AwsKeys keys;                   ///< empty with an instance profile
  bool instance_profile = false;  ///< AWS_INSTANCE_PROFILE, or nothing else was given
  std::string metadata_endpoint = "http://169.254.169.254";
  std::vector<std::string> notes;

  std::string base() const;                             ///< "https://bucket.host"
  std::string object_path(std::string_view key) const;  ///< encoded
  std::string bucket_path() const;
};

/// Variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SECURITY_TOKEN or AWS_SESSION_TOKEN,
/// AWS_REGION or AWS_DEFAULT_REGION, AWS_INSTANCE_PROFILE, WALE_S3_ENDPOINT
/// ("https+path://host:port", also virtualhost and subdomain), AWS_EC2_METADATA_SERVICE_ENDPOINT.
/// \return config_invalid naming the variable, never its value if that may be a secret.
Result<S3Settings> understand_s3(std::string_view url, const Variables& variables);

/// "bucket" and "prefix" of "scheme://bucket/prefix". \return config_invalid.
struct BucketUrl {
  std::string bucket;
  std::string prefix;
};
Result<BucketUrl> parse_bucket_url(std::string_view url);

}  // namespace rad::object_store
