// Google's application default credentials, and the requests that make a token of them. Pure but
// for reading the file. Source: google.aip.dev/auth/4112, /4113; RFC 7519, RFC 7523, RFC 6749.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "plugins/object_store/http_message.h"
#include "plugins/object_store/open_storage.h"

namespace rad::object_store {

/// "All may be read, nothing written", among the scopes of the service.
inline constexpr std::string_view kGcsScope =
    "https://www.googleapis.com/auth/devstorage.read_only";

struct GcsCredentials {
  enum class Kind : std::uint8_t {
    service_account,  ///< a JSON file with a private key
    user,             ///< a JSON file with a refresh token, from `gcloud auth application-default`
    metadata,         ///< the service account of this virtual machine
  };
  Kind kind = Kind::metadata;
  std::string account;        ///< client_email or client_id
  std::string key_id;         ///< of the private key; may be ""
  std::string private_key;    ///< PEM; a secret
  std::string client_secret;  ///< a secret
  std::string refresh_token;  ///< a secret
  std::string token_base;     ///< "https://host" of the token endpoint
  std::string token_path;
  std::string token_uri;  ///< both, as the file has it: the audience of the JWT

  /// \param file for messages. \return config_invalid, never quoting a value.
  static Result<GcsCredentials> parse(std::string_view json, std::string_view file);
};

/// "header.claims.signature", RS256. \return config_invalid when the key cannot be used.
Result<std::string> make_gcs_jwt(const GcsCredentials& credentials, TimePoint now);

/// What to send for a token. Not for Kind::metadata. \return as make_gcs_jwt().
Result<HttpRequest> gcs_token_request(const GcsCredentials& credentials, TimePoint now);

/// What an answer of 300 or above of a token endpoint means: never missing_object.
Error judge_gcs_token(const HttpResponse& response);

}  // namespace rad::object_store
