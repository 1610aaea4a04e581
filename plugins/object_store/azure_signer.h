// Azure Storage's SharedKey authorisation and SAS tokens. Pure.
// Source: "Authorize with Shared Key", learn.microsoft.com/rest/api/storageservices
#pragma once

#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "plugins/object_store/http_message.h"

namespace rad::object_store {

/// What is signed of a request to the Blob service, version 2015-02-21 or later. The request has
/// its x-ms-date and x-ms-version already.
std::string azure_string_to_sign(const HttpRequest& request, std::string_view account);

/// "SharedKey account:signature". \param key the account's key, decoded.
std::string azure_shared_key(const HttpRequest& request, std::string_view account,
                             std::string_view key);

/// A SAS token as query fields, decoded; a leading "?" is left out.
/// \return config_invalid, without quoting the token, when it has no signature.
Result<Fields> parse_sas_token(std::string_view token);

}  // namespace rad::object_store
