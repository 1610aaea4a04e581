// The files that people copy from must load.
#include <gtest/gtest.h>

#include "agent/config/explain.h"
#include "agent/config/loader.h"
#include "agent/config/option_table.h"
#include "tests/support/golden.h"

namespace rad {
namespace {

const std::string kConfigs = std::string(RAD_SOURCE_DIR) + "/configs/";

void expect_loads(const std::string& name, std::size_t targets) {
  const auto result = load_config(kConfigs + name, {});
  EXPECT_TRUE(result.errors.empty()) << to_text(result.errors, "error");
  EXPECT_TRUE(result.warnings.empty()) << to_text(result.warnings, "warning");
  EXPECT_EQ(result.config.targets.size(), targets);
}

TEST(Examples, Minimal) {
  expect_loads("minimal.yaml", 1);
}
TEST(Examples, Full) {
  expect_loads("full/rad.yaml", 2);
}
TEST(Examples, AllOptions) {
  expect_loads("all-options.yaml", 1);
}

TEST(Examples, AllOptionsIsUpToDateAndComplete) {
  const auto text = example_config();
  for (const auto& row : option_table()) {
    EXPECT_NE(text.find(std::string(last_word(row.path)) + ":"), std::string::npos) << row.path;
  }
  test::expect_golden("../../configs/all-options.yaml", text);
}

}  // namespace
}  // namespace rad
