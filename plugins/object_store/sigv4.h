// AWS Signature Version 4. Pure; proved with the examples that AWS has published.
// Source: docs.aws.amazon.com, "Signature Version 4 signing process" and, for S3, "Authenticating
// Requests: Using the Authorization Header".
#pragma once

#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "plugins/object_store/http_message.h"

namespace rad::object_store {

struct AwsKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  ///< "" if they are not temporary
};

struct AwsScope {
  std::string region;
  std::string service = "s3";
};

/// What is hashed and signed; apart for the tests. `signed_headers` is set to
/// "host;x-amz-date;...".
std::string canonical_request_v4(const HttpRequest& request, std::string_view payload_hash,
                                 std::string& signed_headers);

/// Adds X-Amz-Date, X-Amz-Content-Sha256 (service s3), X-Amz-Security-Token and Authorization;
/// every header that the request has is signed. `path` must be encoded as it is sent.
void sign_v4(HttpRequest& request, const AwsKeys& keys, const AwsScope& scope, TimePoint now);

std::string sha256_hex(std::string_view text);
std::string hmac_sha256(std::string_view key, std::string_view text);  ///< 32 bytes

}  // namespace rad::object_store
