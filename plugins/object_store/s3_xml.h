// S3's answers in XML: pages of a listing, and errors. Pure. The answers are hostile input.
// Source: docs.aws.amazon.com, ListObjectsV2, ListObjects and "Error responses".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"

namespace rad::object_store {

struct S3Page {
  std::vector<ObjectInfo> objects;  ///< with their whole keys, decoded
  bool truncated = false;           ///< there are more
  std::string next_token;           ///< to ask for them; "" of a service that knows version 1 only
};

/// \return storage_unreachable (to be asked for again) for what is not a whole and sane page.
Result<S3Page> parse_s3_page(std::string_view xml);

struct S3Error {
  std::string code;  ///< "NoSuchKey"; "" if the text is no error of S3
  std::string message;
  std::string region;    ///< where the bucket is, if it says so
  std::string endpoint;  ///< likewise
};
S3Error parse_s3_error(std::string_view xml);

}  // namespace rad::object_store
