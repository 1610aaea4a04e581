#include "agent/config/program_dirs.h"

#include <system_error>

namespace rad {

ProgramDirs default_program_dirs(const std::filesystem::path& executable) {
  const auto folder = executable.parent_path();
  std::filesystem::path build;
  if (folder.filename() == "bin") {
    build = folder.parent_path();
  } else if (folder.filename() == "main" && folder.parent_path().filename() == "agent") {
    build = folder.parent_path().parent_path();
  }
  std::error_code ignored;
  if (!build.empty() && std::filesystem::is_directory(build / "plugins.d", ignored)) {
    return {.plugin_dir = build / "plugins.d",
            .libexec_dir = build / "libexec",
            .sample_dir = build / "selftest"};
  }
  return {.plugin_dir = "/usr/lib/rad-agent/plugins.d",
          .libexec_dir = "/usr/lib/rad-agent/libexec",
          .sample_dir = "/usr/share/rad-agent/selftest"};
}

}  // namespace rad
