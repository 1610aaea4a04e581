// Where plugins and helper programs lie, seen from the running executable.
#pragma once

#include <filesystem>

namespace rad {

struct ProgramDirs {
  std::filesystem::path plugin_dir;
  std::filesystem::path libexec_dir;
};

/// BUILD/plugins.d and BUILD/libexec if `executable` (absolute, links resolved) lies in
/// BUILD/agent/main or BUILD/bin and BUILD/plugins.d exists, else the installed
/// /usr/lib/rad-agent/plugins.d and /usr/lib/rad-agent/libexec.
ProgramDirs default_program_dirs(const std::filesystem::path& executable);

}  // namespace rad
