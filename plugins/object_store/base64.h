// Base64 (RFC 4648) in the two alphabets that services use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rad::object_store {

std::string base64(std::string_view bytes);
/// URL-safe alphabet without padding, as in JSON Web Tokens.
std::string base64_url(std::string_view bytes);
/// Standard alphabet with padding; nothing for anything else.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace rad::object_store
