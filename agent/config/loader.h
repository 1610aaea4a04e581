// From YAML files to a Config, with every mistake found in one go. The only user of yaml-cpp is
// yaml_document.cc.
//
// Files      `path` and, beside it, conf.d/*.yaml in order of names; each of those holds
// `targets:`. Limits     1 MiB a file, depth 32, 100 000 nodes (aliases counted as often as they
// are used). Strings    "${NAME}" is replaced from the environment, an unset name is an error;
// "$${" is "${".
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/diagnostic.h"

namespace rad {

struct LoadResult {
  Config config;  ///< usable only if `errors` is empty
  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;
  bool ok() const noexcept { return errors.empty(); }
};

using Environment = std::map<std::string, std::string, std::less<>>;

/// A copy of this process's environment.
Environment process_environment();

/// Never throws and never stops at the first mistake.
LoadResult load_config(const std::filesystem::path& path,
                       const Environment& environment = process_environment());

}  // namespace rad
