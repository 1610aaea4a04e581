// Text made from the option table: for `rad-agent explain`, the example file and the reference.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/array.hpp>

namespace rad {

/// All keys below `key_or_prefix` with type, default, range and meaning; all keys if it is empty.
/// Indices are accepted and ignored ("targets[0].name"). An unknown key gives a text that begins
/// with "error: " and proposes the closest ones; see explains().
std::string explain(std::string_view key_or_prefix);
/// Whether explain() knows the key.
bool explains(std::string_view key_or_prefix);

/// Every option with its default, commented; a file that loads. configs/all-options.yaml is this.
std::string example_config();
/// docs/reference/configuration.md.
std::string reference_markdown();
/// One object per option: {path, type, default, range, unit, secret, reloadable, required, summary,
/// detail}.
boost::json::array option_table_json();

}  // namespace rad
