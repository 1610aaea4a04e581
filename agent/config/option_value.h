// One value of the configuration as text: environment, type and range.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/config/loader.h"
#include "agent/config/option_table.h"

namespace rad {

/// Replaces "${NAME}"; "$${" becomes "${". \return config_invalid naming the variable.
Result<std::string> expand_environment(std::string_view text, const Environment& environment);

/// Whether `text` (already expanded) is a value of the row's type and range.
/// \return config_invalid with "found 'x', expected …" and, where one is near, "did you mean".
Status check_value(const OptionRow& row, std::string_view text);

/// \return config_invalid unless it is "IP:PORT", "[IPv6]:PORT" or "localhost:PORT".
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace rad
