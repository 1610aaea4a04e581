#include "agent/base/log.h"

#include <gtest/gtest.h>

namespace rad {
namespace {

TEST(Log, WritesOneLineForOneCallAndDropsWhatIsBelowItsLevel) {
  log::init(log::Level::warning);
  testing::internal::CaptureStderr();
  log::info("quiet");
  log::warning("two\nlines \x1b[31m{}");
  log::error("last");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("quiet"), std::string::npos);
  EXPECT_NE(text.find("warning two lines ?[31m{}\n"), std::string::npos) << text;
  EXPECT_NE(text.find("error   last\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  log::init(log::Level::info);
}

}  // namespace
}  // namespace rad
