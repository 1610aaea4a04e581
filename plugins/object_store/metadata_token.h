// Tokens from the metadata service of a cloud's virtual machine, and addresses given by hand.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/token_keeper.h"

namespace rad::object_store {

/// Asks a few times within some seconds: the service is on this host's hypervisor, or nowhere.
/// \param hint  what to do where there is none.
/// \return access_denied; cancelled.
Result<AccessToken> fetch_metadata_token(HttpTransport& transport, const HttpRequest& request,
                                         std::string_view hint, std::stop_token stop);

struct EndpointUrl {
  std::string base;  ///< "https://host:port"
  std::string path;  ///< "" or "/path", without a trailing slash
};
/// \param variable  where the text is from, for messages. \return config_invalid.
Result<EndpointUrl> parse_endpoint(std::string_view text, std::string_view variable);

}  // namespace rad::object_store
