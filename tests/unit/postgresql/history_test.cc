#include <gtest/gtest.h>

#include "plugins/postgresql/instance.h"

namespace rad::postgresql {
namespace {

TEST(HistoryEnd, IsTheLastLine) {
  const auto end = parse_history_end(
      "1\t0/3000090\tno recovery target specified\n\n2\t0/41D62C0\tat restore point \"rp2\"\n");
  ASSERT_TRUE(end);
  EXPECT_EQ(end->timeline, 2U);
  EXPECT_EQ(end->lsn, *parse_lsn("0/41D62C0"));
  EXPECT_EQ(end->reason, "at restore point \"rp2\"");
}

TEST(HistoryEnd, OfGarbageIsNone) {
  EXPECT_FALSE(parse_history_end(""));
  EXPECT_FALSE(parse_history_end("x\t0/1\ty\n1\tnowhere\ty\n# 1 0/1\n"));
  EXPECT_TRUE(parse_history_end("1\t0/1"));
}

}  // namespace
}  // namespace rad::postgresql
