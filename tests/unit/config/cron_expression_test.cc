#include "agent/config/cron_expression.h"

#include <gtest/gtest.h>

namespace rad {
namespace {

std::string error_of(std::string_view text) {
  const auto result = CronExpression::parse(text);
  return result ? "no error" : result.error().message;
}

TEST(CronExpression, ListsRangesStepsAndNames) {
  const auto cron = CronExpression::parse("0,30 8-18/2 * jan,JUN-aug Mon-fri");
  ASSERT_TRUE(cron) << cron.error().message;
  EXPECT_TRUE(cron->minute(0));
  EXPECT_TRUE(cron->minute(30));
  EXPECT_FALSE(cron->minute(15));
  EXPECT_TRUE(cron->hour(8));
  EXPECT_FALSE(cron->hour(9));
  EXPECT_TRUE(cron->hour(18));
  EXPECT_FALSE(cron->hour(20));
  EXPECT_TRUE(cron->month(1));
  EXPECT_FALSE(cron->month(5));
  EXPECT_TRUE(cron->month(7));
  EXPECT_TRUE(cron->day(9, 31, 1));
  EXPECT_FALSE(cron->day(9, 31, 0));
}

TEST(CronExpression, EitherDayFieldIsEnoughIfBothAreRestricted) {
  const auto cron = CronExpression::parse("0 6 2 * mon");
  ASSERT_TRUE(cron);
  EXPECT_TRUE(cron->day(2, 30, 4));
  EXPECT_TRUE(cron->day(9, 30, 1));
  EXPECT_FALSE(cron->day(9, 30, 2));
}

TEST(CronExpression, StarWithStepDoesNotRestrict) {
  const auto cron = CronExpression::parse("0 6 */2 * mon");
  ASSERT_TRUE(cron);
  EXPECT_TRUE(cron->day(3, 30, 1));
  EXPECT_FALSE(cron->day(2, 30, 1));
  EXPECT_FALSE(cron->day(3, 30, 2));
}

TEST(CronExpression, LastDayOfTheMonth) {
  const auto cron = CronExpression::parse("0 6 L * *");
  ASSERT_TRUE(cron);
  EXPECT_TRUE(cron->day(28, 28, 3));
  EXPECT_FALSE(cron->day(28, 29, 3));
  EXPECT_TRUE(cron->day(31, 31, 3));
  const auto both = CronExpression::parse("0 6 15,L * *");
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->day(15, 30, 3));
  EXPECT_TRUE(both->day(30, 30, 3));
}

TEST(CronExpression, SundayIsZeroAndSeven) {
  for (const auto* text : {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun"}) {
    const auto cron = CronExpression::parse(text);
    ASSERT_TRUE(cron) << text;
    EXPECT_TRUE(cron->day(1, 31, 0)) << text;
    EXPECT_FALSE(cron->day(1, 31, 1)) << text;
  }
  const auto weekend = CronExpression::parse("0 0 * * 5-7");
  ASSERT_TRUE(weekend);
  EXPECT_TRUE(weekend->day(1, 31, 0));
  EXPECT_TRUE(weekend->day(1, 31, 6));
}

TEST(CronExpression, Nicknames) {
  const auto cron = CronExpression::parse("@monthly");
  ASSERT_TRUE(cron);
  EXPECT_TRUE(cron->day(1, 31, 3));
  EXPECT_FALSE(cron->day(2, 31, 3));
  EXPECT_EQ(cron->text(), "@monthly");
  EXPECT_FALSE(CronExpression::parse("@reboot"));
}

TEST(CronExpression, ErrorsNameTheFieldAndWhatWasFound) {
  EXPECT_EQ(error_of("0 6 2 *"), "it has 4 fields, expected 5");
  EXPECT_EQ(error_of(""), "it has 0 fields, expected 5");
  EXPECT_EQ(error_of("60 * * * *"),
            "field minute is '60', expected 0 to 59, as a number, list, range or step");
  EXPECT_EQ(error_of("0 6 2 foo *"),
            "field month is 'foo', expected 1 to 12 or jan to dec, as a number, list, range or "
            "step");
  EXPECT_EQ(error_of("0 0 31 2 *"), "day-of-month '31' never comes in month '2'");
  EXPECT_EQ(error_of("0 0 31 4,6,9,11 *"), "day-of-month '31' never comes in month '4,6,9,11'");
  for (const auto* text : {"1-0 * * * *",
                           "*/0 * * * *",
                           "*/99 * * * *",
                           "5/10 * * * *",
                           "1,,2 * * * *",
                           ", * * * *",
                           "- * * * *",
                           "1- * * * *",
                           "-1 * * * *",
                           "0x5 * * * *",
                           "1.5 * * * *",
                           "* * 0 * *",
                           "* * 32 * *",
                           "* * * 13 *",
                           "* * * * 8",
                           "L * * * *",
                           "* * L-2 * *",
                           "* * * * fri-mon",
                           "99999999999999999999 * * * *",
                           "* * * * mo",
                           "* * * * monday"}) {
    EXPECT_FALSE(CronExpression::parse(text)) << text;
  }
}

TEST(CronExpression, RareDatesArePossible) {
  EXPECT_TRUE(CronExpression::parse("0 0 29 2 *"));
  EXPECT_TRUE(CronExpression::parse("0 0 31 2 mon"));
  EXPECT_TRUE(CronExpression::parse("0 0 L 2 *"));
}

TEST(CronExpression, LastWeekdayOfTheMonth) {
  for (const auto* text : {"0 0 * * 5L", "0 0 * * friL", "0 0 * * Fril"}) {
    const auto cron = CronExpression::parse(text).value();
    EXPECT_TRUE(cron.day(25, 31, 5)) << text;
    EXPECT_TRUE(cron.day(31, 31, 5));
    EXPECT_FALSE(cron.day(24, 31, 5));
    EXPECT_FALSE(cron.day(25, 31, 4));
    EXPECT_TRUE(cron.day(22, 28, 5));
  }
  EXPECT_TRUE(CronExpression::parse("0 0 * * 7L").value().day(30, 30, 0));
  EXPECT_TRUE(CronExpression::parse("0 0 * * mon,5L").value().day(1, 31, 1));
  for (const auto* text :
       {"0 0 * * 8L", "0 0 * * L", "0 0 * * 1-5L", "0 0 5L * *", "0 0 * * 5LL"}) {
    EXPECT_FALSE(CronExpression::parse(text)) << text;
  }
}

}  // namespace
}  // namespace rad
