#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "plugins/postgresql/row_manifest.h"

namespace rad::postgresql {
namespace {

TEST(Examples, RowManifest) {
  const std::string path = std::string(RAD_SOURCE_DIR) + "/configs/full/customers-rows.json";
  const auto text = read_file(path);
  ASSERT_TRUE(text) << text.error().message;
  const auto manifest = parse_row_manifest(*text, path);
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->databases.at("customers").size(), 5U);
}

}  // namespace
}  // namespace rad::postgresql
