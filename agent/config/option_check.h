// Options of a plugin or a check against what the plugin says it takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/config.h"
#include "agent/model/plugin_schema.h"

namespace rad {

/// The rules of agent/model/option_rules.h, with line and column.
/// \param what    named in the messages: "plugin 'wal_e'"
/// \param path    of the section, "targets[0].restore"
/// \param section place of what is missing
void check_plugin_options(const PluginOptions& options, const std::vector<PluginOption>& known,
                          std::string_view what, const std::string& path, const SourceMark& section,
                          std::vector<Diagnostic>& errors);

}  // namespace rad
