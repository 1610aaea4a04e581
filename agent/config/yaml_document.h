// A YAML file as a tree with a line and column for every node. Hostile input is bounded, duplicate
// keys are told, aliases are copied. The only user of yaml-cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/config/diagnostic.h"

namespace rad {

struct YamlEntry;

struct YamlNode {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  std::string text;     ///< of a scalar
  bool quoted = false;  ///< a scalar in quotes, a block scalar, or one tagged !!str
  int line = 0;         ///< from 1
  int column = 0;       ///< from 1, in bytes
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  ///< keys are unique

  /// \return nullptr if there is no such key.
  const YamlNode* find(std::string_view key) const noexcept;
};

struct YamlEntry {
  std::string key;
  int line = 0;
  int column = 0;
  YamlNode value;
};

struct YamlLimits {
  std::size_t depth = 32;
  std::size_t nodes = 100'000;         ///< an alias counts as what it stands for
  std::size_t text_bytes = 8U << 20U;  ///< likewise
};

struct YamlDocument {
  YamlNode root;  ///< null for an empty file
  /// Duplicate keys leave a usable tree (the first one counts); anything else does not.
  std::vector<Diagnostic> errors;
  bool usable = false;
};

/// Never throws. \param file named in the diagnostics.
YamlDocument parse_yaml(std::string_view text, const std::string& file,
                        const YamlLimits& limits = {});

/// "a string", "a list", "a mapping", "nothing": what was found, for error messages; scalars are
/// quoted and cut.
std::string describe(const YamlNode& node);

}  // namespace rad
