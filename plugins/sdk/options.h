// Options as a target's section gives them: checked against what the plugin said of itself by the
// rules of agent/model/option_rules.h, then read.
#pragma once

#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "agent/model/option_rules.h"
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

/// Readers of checked options: nothing when the option was not given.
using rad::boolean_option;
using rad::bytes_option;
using rad::duration_option;
using rad::integer_option;
using rad::number_option;
using rad::text_option;

}  // namespace rad::sdk
