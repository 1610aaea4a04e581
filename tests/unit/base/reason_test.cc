#include "agent/base/reason.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rad {
namespace {

TEST(ReasonTable, HasEachNumberAndNameOnceInOrder) {
  std::set<std::string_view> names;
  int last = 0;
  for (const ReasonInfo& row : all_reasons()) {
    EXPECT_GT(static_cast<int>(row.reason), last) << row.name;
    last = static_cast<int>(row.reason);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.text.empty());
    EXPECT_FALSE(row.text.ends_with("."));
    EXPECT_EQ(parse_reason(row.name), row.reason);
    EXPECT_EQ(&info(row.reason), &row);
  }
}

TEST(ReasonTable, BlamesTheBackupForTheFirstHundredAlone) {
  for (const ReasonInfo& row : all_reasons()) {
    const int number = static_cast<int>(row.reason);
    const Blame blame = number < 100   ? Blame::backup
                        : number < 200 ? Blame::unknown
                                       : Blame::cancelled;
    EXPECT_EQ(row.blame, blame) << row.name;
  }
}

TEST(ReasonTable, KnowsNoOtherName) {
  EXPECT_EQ(parse_reason(""), std::nullopt);
  EXPECT_EQ(parse_reason("Truncated"), std::nullopt);
}

TEST(ReasonTable, TakesANumberFromOutsideForABug) {
  EXPECT_EQ(to_string(static_cast<Reason>(9999)), "internal_error");
}

}  // namespace
}  // namespace rad
