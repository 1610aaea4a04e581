// A sample of a restore plugin: a small genuine backup that the package brings along, and the ways
// to damage a copy of it with what must then be said. `rad-agent selftest` runs the plugins on it.
// It is nobody's data, and a directory SAMPLE_DIR/PLUGIN with a `selftest.json`:
//
//   {"version": 1, "about": "…",
//    "options": {"storage": "file://{sample}/store", "envdir": null},
//    "cases": [{"name": "altered_byte", "about": "…", "depth": "verify",
//               "damage": [{"flip": "store/a", "at": 7}, {"cut": "store/b", "at": 9},
//                          {"remove": "store/c"}],
//               "options": {}, "checks": [{"check": "backup_age", "max": "1h"}],
//               "verdict": "fail", "reason": "decrypt_failed"}]}
//
// Options win over the target's own, null takes the target's away; "{sample}" stands for the copy.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/model/words.h"

namespace rad {

/// What is done to one file of the copy.
struct SampleDamage {
  enum class Kind : std::uint8_t {
    flip,    ///< all bits of the byte at `at` are inverted
    cut,     ///< the file ends at `at`
    remove,  ///< the file, or the directory with all it holds, is removed
  };
  Kind kind = Kind::remove;
  std::filesystem::path file;  ///< relative, below the copy
  std::uint64_t at = 0;
};

/// One run on a copy, and what must come of it.
struct SampleCase {
  std::string name;   ///< [a-z0-9_]+, unique
  std::string about;  ///< one line
  Depth depth = Depth::verify;
  std::vector<SampleDamage> damage;
  boost::json::object options;
  std::vector<CheckConfig> checks;
  Verdict verdict = Verdict::pass;
  std::optional<Reason> reason;  ///< nothing for a pass
};

struct Sample {
  std::filesystem::path directory;
  std::string about;
  boost::json::object options;
  std::vector<SampleCase> cases;
};

/// \return nothing if the plugin has none; config_invalid naming what is wrong with it. A sample
/// without a case that must pass and one that must fail proves nothing and is refused.
Result<std::optional<Sample>> load_sample(const std::filesystem::path& sample_dir,
                                          const std::string& plugin);

/// Copies the sample to `copy`, which must not exist, readable by everybody who gets there, and
/// damages the copy. \return host_unfit, scratch_full, or config_invalid for damage that hits
/// nothing.
Status lay_out(const Sample& sample, const SampleCase& one, const std::filesystem::path& copy);

/// The target as it is tested on the copy: its plugins, their options as far as the sample does not
/// say otherwise, and the checks of the case in place of its own.
TargetConfig on_sample(const TargetConfig& target, const Sample& sample, const SampleCase& one,
                       const std::filesystem::path& copy);

}  // namespace rad
