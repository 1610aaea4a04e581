#include "tests/support/golden.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "agent/base/files.h"

namespace rad::test {

void expect_golden(const std::string& name, std::string_view text) {
  const std::filesystem::path path = std::filesystem::path(RAD_SOURCE_DIR) / "tests/golden" / name;
  const char* accept = std::getenv("RAD_ACCEPT");
  if (accept != nullptr && std::string_view(accept) == "1") {
    std::filesystem::create_directories(path.parent_path());
    const Status written = write_file_atomic(path, text);
    ASSERT_TRUE(written) << written.error().message;
    return;
  }
  const Result<std::string> golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message << "\nRAD_ACCEPT=1 writes it";
  EXPECT_EQ(text, *golden) << "differs from " << path << "; RAD_ACCEPT=1 accepts the new text";
}

}  // namespace rad::test
