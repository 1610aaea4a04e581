// What a plugin says of itself, as plain values: its side fills them, the answer to `initialize`
// carries them, agent/config checks the configuration against them and routes checks by them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/words.h"

namespace rad {

/// One option of a plugin or of a check; option_rules.h judges and reads its values. Types: string,
/// path, duration, bytes, integer, number, boolean, list, object, enum.
struct PluginOption {
  std::string key;
  std::string type;
  bool required = false;
  bool secret = false;               ///< the value is a path to a secret; never the secret
  std::string default_text;          ///< "" if none
  std::vector<std::string> allowed;  ///< for enum
  std::string summary;               ///< one line
  /// Range, both ends included: of the number, the seconds of a duration, the bytes of a size.
  std::optional<double> min = std::nullopt;
  std::optional<double> max = std::nullopt;
};

/// One type of check that a plugin can answer.
struct PluginCheck {
  std::string type;           ///< unique across plugins
  std::vector<Depth> depths;  ///< where it can answer; elsewhere it is not_applicable
  Proof proof = Proof::none;  ///< what a pass of it proves at most
  bool by_default = false;    ///< asked even if no target names it
  std::string summary;
  std::vector<PluginOption> options;
};

struct PluginSchema {
  std::string name;
  std::string version;
  std::vector<Role> roles;
  std::vector<std::string> produces;  ///< artifact kinds (restore), endpoint kinds (instance)
  std::vector<std::string> consumes;  ///< artifact kinds (instance), endpoint kinds (check)
  std::vector<PluginOption> options;
  std::vector<PluginCheck> checks;
};

/// By plugin name.
using PluginSchemas = std::map<std::string, PluginSchema>;

}  // namespace rad
