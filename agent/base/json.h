// Reading JSON of unknown origin: every access says what it wanted when it is not there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "agent/base/error.h"

namespace rad::json {

namespace bj = boost::json;

/// Parses one document of bounded depth (32) that fills the whole text.
/// \param what named in the error message; the error's reason is `reason`.
Result<bj::value> parse(std::string_view text, std::string_view what,
                        Reason reason = Reason::plugin_protocol);

/// Missing or null gives `fallback`; a wrong type is an error naming `key`.
Result<std::string> get_string(const bj::object& object, std::string_view key,
                               std::optional<std::string> fallback = std::nullopt);
Result<std::int64_t> get_int(const bj::object& object, std::string_view key,
                             std::optional<std::int64_t> fallback = std::nullopt);
Result<std::uint64_t> get_uint(const bj::object& object, std::string_view key,
                               std::optional<std::uint64_t> fallback = std::nullopt);
Result<double> get_double(const bj::object& object, std::string_view key,
                          std::optional<double> fallback = std::nullopt);
Result<bool> get_bool(const bj::object& object, std::string_view key,
                      std::optional<bool> fallback = std::nullopt);
/// Missing or null gives an empty object or array.
Result<bj::object> get_object(const bj::object& object, std::string_view key);
Result<bj::array> get_array(const bj::object& object, std::string_view key);

/// Strings made valid UTF-8 (see printable()) for putting untrusted text into JSON.
bj::string safe_string(std::string_view text, std::size_t max_bytes = 4000);

/// Two-space indented text for people; ends in a newline.
std::string pretty(const bj::value& value);

}  // namespace rad::json
