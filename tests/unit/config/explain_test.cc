#include "agent/config/explain.h"

#include <gtest/gtest.h>

#include "agent/config/option_table.h"
#include "tests/support/golden.h"

namespace rad {
namespace {

TEST(Explain, OneKeyWithOrWithoutIndices) {
  const auto text = explain("targets[].schedules[].cron");
  EXPECT_NE(text.find("five fields"), std::string::npos);
  EXPECT_EQ(explain("targets[3].schedules[0].cron"), text);
  EXPECT_EQ(explain("targets.schedules.cron"), text);
  EXPECT_EQ(explain("lead"), explain("targets[].schedules[].lead"));
  const auto everywhere = explain("cron");
  EXPECT_TRUE(everywhere.starts_with(text));
  EXPECT_NE(everywhere.find("rotations[].cron"), std::string::npos);
}

TEST(Explain, APrefixGivesAllBelow) {
  const auto text = explain("targets.keep");
  EXPECT_NE(text.find("targets[].keep.on_pass"), std::string::npos);
  EXPECT_NE(text.find("targets[].keep.on_fail"), std::string::npos);
  EXPECT_EQ(text.find("targets[].name"), std::string::npos);
}

TEST(Explain, NothingGivesAll) {
  const auto text = explain("");
  for (const auto& row : option_table()) {
    EXPECT_NE(text.find(std::string(row.path) + "\n"), std::string::npos) << row.path;
  }
}

TEST(Explain, UnknownKeysGetAProposal) {
  EXPECT_FALSE(explains("agent.stal_timeout"));
  EXPECT_EQ(explain("agent.stal_timeout"),
            "error: there is no key 'agent.stal_timeout'\n"
            "hint: did you mean 'agent.stall_timeout'?\n");
  EXPECT_EQ(explain("qqqqqqqqqqqq"),
            "error: there is no key 'qqqqqqqqqqqq'\n"
            "hint: `rad-agent explain` lists all keys\n");
  EXPECT_FALSE(explains("agent.state_di"));
  EXPECT_FALSE(explains("["));
}

TEST(Explain, Text) {
  test::expect_golden("config/explain-agent.txt", explain("agent"));
}

TEST(Explain, JsonHasEveryRow) {
  EXPECT_EQ(option_table_json().size(), option_table().size());
  EXPECT_EQ(option_table_json()[0].at("path"), "agent");
}

TEST(Explain, TheReferenceIsUpToDate) {
  test::expect_golden("../../docs/reference/configuration.md", reference_markdown());
}

}  // namespace
}  // namespace rad
