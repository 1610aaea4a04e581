// A YAML tree as the JSON that a plugin gets.
#pragma once

#include <functional>

#include <boost/json/value.hpp>

#include "agent/config/loader.h"
#include "agent/config/yaml_document.h"

namespace rad {

/// Told of each scalar that cannot be used.
using ComplainAt = std::function<void(const YamlNode& node, const Error& error)>;

/// Plain scalars are typed as in YAML 1.2's core schema (null, bool, int, float, else string); one
/// that begins with a needless zero, or holds "${NAME}", stays a string. "${NAME}" is replaced in
/// values, never in keys.
boost::json::value to_option_value(const YamlNode& node, const Environment& environment,
                                   const ComplainAt& complain);

}  // namespace rad
