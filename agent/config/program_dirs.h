// Where plugins and helper programs lie, seen from the running executable.
#pragma once

#include <filesystem>

namespace rad {

struct ProgramDirs {
  std::filesystem::path plugin_dir;
  std::filesystem::path libexec_dir;
  std::filesystem::path sample_dir;  ///< samples of the plugins, for `rad-agent selftest`
};

/// BUILD/plugins.d, BUILD/libexec and BUILD/selftest if `executable` (absolute, links resolved)
/// lies in BUILD/agent/main or BUILD/bin and BUILD/plugins.d exists, else the installed
/// /usr/lib/rad-agent/plugins.d, /usr/lib/rad-agent/libexec and /usr/share/rad-agent/selftest.
ProgramDirs default_program_dirs(const std::filesystem::path& executable);

}  // namespace rad
