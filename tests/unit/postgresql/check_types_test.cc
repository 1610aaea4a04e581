#include <set>

#include <gtest/gtest.h>

#include "plugins/postgresql/checks.h"
#include "plugins/sdk/options.h"

namespace rad::postgresql {
namespace {

TEST(CheckTypes, HaveUniqueNamesAndProveDataByDefault) {
  std::set<std::string> names;
  bool data_by_default = false;
  for (const CheckType& type : check_types()) {
    EXPECT_TRUE(names.insert(type.info.type).second) << type.info.type;
    EXPECT_NE(type.run, nullptr);
    EXPECT_FALSE(type.info.summary.empty());
    data_by_default |= type.info.by_default && type.info.type == "read_all";
  }
  EXPECT_TRUE(data_by_default);
  // It stops the server, so nothing may come after it.
  EXPECT_EQ(check_types().back().info.type, "page_checksums");
}

protocol::CheckSpec spec(boost::json::object options) {
  protocol::CheckSpec value;
  value.name = "x";
  value.options = std::move(options);
  return value;
}

TEST(CheckTypes, RefuseOptionsThatCannotBe) {
  EXPECT_TRUE(validate_sql(spec({{"min", 1}, {"max", 2}})));
  EXPECT_FALSE(validate_sql(spec({{"min", 3}, {"max", 2}})));
  EXPECT_FALSE(validate_sql(spec({{"min", 3}, {"equals", 2}})));
  EXPECT_TRUE(validate_freshness(spec({{"table", "a.b"}, {"column", "c"}})));
  EXPECT_FALSE(validate_freshness(spec({{"table", "a.b"}})));
  EXPECT_FALSE(validate_freshness(spec({{"table", "a.b"}, {"column", "c"}, {"query", "q"}})));
  EXPECT_FALSE(validate_freshness(spec({{"table", "b"}, {"column", "c"}})));
  EXPECT_TRUE(validate_amcheck(spec({{"sample", "10%"}})));
  EXPECT_FALSE(validate_amcheck(spec({{"sample", "10"}})));
  EXPECT_FALSE(validate_amcheck(spec({{"sample", "0%"}})));
  EXPECT_FALSE(validate_amcheck(spec({{"heap", false}, {"btree", false}})));
  EXPECT_FALSE(validate_row_counts(spec({{"tolerance", "much"}})));
}

}  // namespace
}  // namespace rad::postgresql
