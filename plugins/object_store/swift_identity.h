// How a Swift client gets its token and the address of its storage: auth v1 (TempAuth and its
// kin), Keystone v2.0 and v3. Pure; answers are hostile input.
//
// Settings, all WAL-E's: SWIFT_AUTHURL SWIFT_USER SWIFT_PASSWORD SWIFT_AUTH_VERSION (1, 2 or 3;
// default 2) SWIFT_TENANT SWIFT_TENANT_ID SWIFT_USER_ID SWIFT_REGION SWIFT_ENDPOINT_TYPE (default
// publicURL) SWIFT_{DOMAIN,USER_DOMAIN,PROJECT,PROJECT_DOMAIN}_{ID,NAME}.
#pragma once

#include <string>
#include <string_view>

#include "plugins/object_store/http_message.h"
#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/token_keeper.h"

namespace rad::object_store {

struct SwiftSettings {
  /// A name, or an id that comes before it.
  struct Named {
    std::string id;
    std::string name;
    bool empty() const noexcept { return id.empty() && name.empty(); }
  };

  unsigned version = 2;
  std::string base;  ///< "https://host:port" of the identity service
  std::string path;  ///< e.g. "/v3", "/auth/v1.0"
  Named user;
  std::string password;
  Named project;  ///< in v2 the tenant
  Named user_domain;
  Named project_domain;
  std::string region;                       ///< "": the first
  std::string endpoint_type = "publicURL";  ///< publicURL, internalURL or adminURL

  /// \return config_invalid naming the variable.
  static Result<SwiftSettings> from(const Variables& variables);
  /// "public", "internal", "admin": v3's words for endpoint_type.
  std::string interface() const;
};

/// What to send for a token. It holds the password.
HttpRequest swift_auth_request(const SwiftSettings& settings);

/// \param answer  of a status below 300.
/// \return config_invalid when the catalogue has no storage for region and endpoint type, naming
///   those that it has; access_denied when there is no token in it.
Result<AccessToken> read_swift_token(const SwiftSettings& settings, const HttpResponse& answer,
                                     TimePoint now, SteadyPoint steady_now);

/// What an answer of 300 or above of the identity service means: never missing_object.
Error judge_swift_identity(const HttpResponse& response);

}  // namespace rad::object_store
