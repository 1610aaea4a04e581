#include "agent/config/program_dirs.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace rad {
namespace {

TEST(ProgramDirs, BuildTree) {
  const test::TempDir dir;
  std::filesystem::create_directories(dir / "plugins.d");
  for (const auto* place : {"agent/main/rad-agent", "bin/rad-agent"}) {
    const auto dirs = default_program_dirs(dir / place);
    EXPECT_EQ(dirs.plugin_dir, dir / "plugins.d") << place;
    EXPECT_EQ(dirs.libexec_dir, dir / "libexec") << place;
    EXPECT_EQ(dirs.sample_dir, dir / "selftest") << place;
  }
  EXPECT_EQ(default_program_dirs(dir / "tests/rad-agent").plugin_dir,
            "/usr/lib/rad-agent/plugins.d");
}

TEST(ProgramDirs, Installed) {
  const auto dirs = default_program_dirs("/usr/bin/rad-agent");
  EXPECT_EQ(dirs.plugin_dir, "/usr/lib/rad-agent/plugins.d");
  EXPECT_EQ(dirs.libexec_dir, "/usr/lib/rad-agent/libexec");
  EXPECT_EQ(dirs.sample_dir, "/usr/share/rad-agent/selftest");
  const test::TempDir dir;
  EXPECT_EQ(default_program_dirs(dir / "bin/rad-agent").plugin_dir, "/usr/lib/rad-agent/plugins.d");
}

}  // namespace
}  // namespace rad
