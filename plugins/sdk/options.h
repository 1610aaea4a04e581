// Options as a target's section gives them: checked against what the plugin said of itself, then
// read. Values are JSON made from YAML: durations and sizes are texts such as "26h" and "64MiB".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "plugins/protocol/messages.h"

namespace rad::sdk {

/// Checks every option: known key, type, range, required ones present. null counts as not given.
/// \param what  named in the messages: "plugin 'wal_e'", "check 'row_counts'".
/// \return config_invalid naming every option at fault, with "did you mean" in the hint.
Status check_options(const boost::json::object& options,
                     const std::vector<protocol::OptionInfo>& known, std::string_view what);

/// The options of the plugin and of each of its checks, and that the checks are its own.
Status check_all_options(const protocol::InitializeParams& params,
                         const protocol::PluginInfo& info);

/// Readers of checked options: nothing when the option was not given (or is of another type, which
/// check_options() has refused before).
std::optional<std::string> text_option(const boost::json::object& options, std::string_view key);
std::optional<std::chrono::milliseconds> duration_option(const boost::json::object& options,
                                                         std::string_view key);
std::optional<std::uint64_t> bytes_option(const boost::json::object& options, std::string_view key);
std::optional<std::int64_t> integer_option(const boost::json::object& options,
                                           std::string_view key);
std::optional<double> number_option(const boost::json::object& options, std::string_view key);
std::optional<bool> boolean_option(const boost::json::object& options, std::string_view key);

}  // namespace rad::sdk
