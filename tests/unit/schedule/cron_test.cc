#include "agent/schedule/cron.h"

#include <gtest/gtest.h>

#include "agent/base/text.h"

namespace rad {
namespace {

using namespace std::chrono_literals;

CronSchedule make(std::string_view text, std::string_view zone = "UTC") {
  return CronSchedule::make(CronExpression::parse(text).value(), zone).value();
}

TimePoint at(std::string_view text) {
  return parse_time(text).value();
}

/// The slots after `from`, without the milliseconds.
std::vector<std::string> slots(const CronSchedule& cron, std::string_view from, int count) {
  std::vector<std::string> texts;
  auto time = at(from);
  for (int i = 0; i < count; ++i) {
    time = cron.next(time);
    texts.push_back(format_rfc3339(time).substr(0, 16));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(CronNext, MonthlyOnTheSecond) {
  EXPECT_EQ(
      slots(make("0 6 2 * *"), "2026-11-20T00:00:00Z", 4),
      (Texts{"2026-12-02T06:00", "2027-01-02T06:00", "2027-02-02T06:00", "2027-03-02T06:00"}));
}

TEST(CronNext, IsStrictlyAfterAndPreviousIsNot) {
  const auto cron = make("0 6 2 * *");
  const auto slot = at("2026-12-02T06:00:00Z");
  EXPECT_EQ(cron.next(slot), at("2027-01-02T06:00:00Z"));
  EXPECT_EQ(cron.next(slot - 1ms), slot);
  EXPECT_EQ(cron.previous(slot), slot);
  EXPECT_EQ(cron.previous(slot - 1ms), at("2026-11-02T06:00:00Z"));
}

TEST(CronNext, ZoneOfTheSchedule) {
  EXPECT_EQ(slots(make("30 3 * * *", "Asia/Kolkata"), "2026-01-01T00:00:00Z", 2),
            (Texts{"2026-01-01T22:00", "2026-01-02T22:00"}));
  EXPECT_EQ(slots(make("30 3 * * *", "America/Los_Angeles"), "2026-01-01T00:00:00Z", 1),
            (Texts{"2026-01-01T11:30"}));
}

TEST(CronNext, ATimeThatDoesNotExistComesOnceAfterTheGap) {
  // Berlin jumps from 02:00 to 03:00 (01:00 UTC) on 29 March 2026.
  EXPECT_EQ(slots(make("30 2 * * *", "Europe/Berlin"), "2026-03-28T00:00:00Z", 3),
            (Texts{"2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"}));
  // All that falls into the gap, and what stands at its end, is one slot.
  EXPECT_EQ(slots(make("0,15,30,45 2,3 * * *", "Europe/Berlin"), "2026-03-29T00:00:00Z", 3),
            (Texts{"2026-03-29T01:00", "2026-03-29T01:15", "2026-03-29T01:30"}));
  const auto cron = make("30 2 * * *", "Europe/Berlin");
  EXPECT_EQ(cron.previous(at("2026-03-29T12:00:00Z")), at("2026-03-29T01:00:00Z"));
}

TEST(CronNext, ATimeThatComesTwiceRunsOnce) {
  // Berlin shows 02:00 to 03:00 twice on 25 October 2026.
  EXPECT_EQ(slots(make("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", 2),
            (Texts{"2026-10-25T00:30", "2026-10-26T01:30"}));
  const auto cron = make("30 2 * * *", "Europe/Berlin");
  EXPECT_EQ(cron.previous(at("2026-10-25T01:45:00Z")), at("2026-10-25T00:30:00Z"));
}

TEST(CronNext, AZoneThatSkipsADay) {
  // Samoa had no 30 December 2011.
  EXPECT_EQ(slots(make("0 12 * * *", "Pacific/Apia"), "2011-12-29T00:00:00Z", 3),
            (Texts{"2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"}));
}

TEST(CronNext, HalfHourDaylightSaving) {
  // Lord Howe jumps from 02:00 to 02:30 on 4 October 2026 (15:30 UTC the day before).
  EXPECT_EQ(slots(make("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2),
            (Texts{"2026-10-03T15:30", "2026-10-04T15:15"}));
}

TEST(CronNext, NewYorkCasablancaKathmandu) {
  // 02:30 does not exist on 8 March 2026, 01:30 comes twice on 1 November.
  EXPECT_EQ(slots(make("30 2 * * *", "America/New_York"), "2026-03-07T12:00:00Z", 2),
            (Texts{"2026-03-08T07:00", "2026-03-09T06:30"}));
  EXPECT_EQ(slots(make("30 1 * * *", "America/New_York"), "2026-10-31T12:00:00Z", 2),
            (Texts{"2026-11-01T05:30", "2026-11-02T06:30"}));
  // An hour back for Ramadan, from 15 February to 22 March 2026.
  EXPECT_EQ(slots(make("30 2 * * *", "Africa/Casablanca"), "2026-02-14T12:00:00Z", 2),
            (Texts{"2026-02-15T01:30", "2026-02-16T02:30"}));
  EXPECT_EQ(slots(make("30 2 * * *", "Africa/Casablanca"), "2026-03-21T12:00:00Z", 2),
            (Texts{"2026-03-22T02:00", "2026-03-23T01:30"}));
  EXPECT_EQ(slots(make("0 6 2 * *", "Asia/Kathmandu"), "2026-03-01T00:00:00Z", 1),
            (Texts{"2026-03-02T00:15"}));
}

TEST(CronNext, LastFriday) {
  EXPECT_EQ(slots(make("0 20 * * 5L"), "2026-01-01T00:00:00Z", 3),
            (Texts{"2026-01-30T20:00", "2026-02-27T20:00", "2026-03-27T20:00"}));
}

TEST(CronNext, LeapDays) {
  EXPECT_EQ(slots(make("0 0 29 2 *"), "2026-01-01T00:00:00Z", 3),
            (Texts{"2028-02-29T00:00", "2032-02-29T00:00", "2036-02-29T00:00"}));
  EXPECT_EQ(slots(make("0 0 29 2 *"), "2096-03-01T00:00:00Z", 1), (Texts{"2104-02-29T00:00"}));
  // Only if it is one of the days */6 stands for: Sunday or Saturday.
  EXPECT_EQ(slots(make("0 0 29 2 */6"), "2026-01-01T00:00:00Z", 2),
            (Texts{"2032-02-29T00:00", "2048-02-29T00:00"}));
  EXPECT_EQ(slots(make("0 23 L * *"), "2028-01-31T23:00:00Z", 3),
            (Texts{"2028-02-29T23:00", "2028-03-31T23:00", "2028-04-30T23:00"}));
}

TEST(CronNext, EitherDay) {
  EXPECT_EQ(slots(make("0 0 13 * fri"), "2026-11-01T00:00:00Z", 5),
            (Texts{"2026-11-06T00:00", "2026-11-13T00:00", "2026-11-20T00:00", "2026-11-27T00:00",
                   "2026-12-04T00:00"}));
}

TEST(CronNext, NextAndPreviousAgreeOverYears) {
  for (const auto* zone : {"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe",
                           "Africa/Casablanca", "Pacific/Apia", "Asia/Kathmandu"}) {
    for (const auto* text : {"0 6 2 * *", "30 2 * * *", "*/7 1-3 * * *", "0 0 29 2 *",
                             "59 23 L * *", "15 */5 1,15 * mon"}) {
      const auto cron = make(text, zone);
      auto slot = cron.next(at("2008-01-01T00:00:00Z"));
      for (int i = 0; i < 300 && slot < at("2040-01-01T00:00:00Z"); ++i) {
        const auto following = cron.next(slot);
        ASSERT_GT(following, slot) << text << " " << zone;
        ASSERT_EQ(cron.previous(following - 1ms), slot)
            << text << " " << zone << " " << format_rfc3339(following);
        ASSERT_EQ(cron.previous(following), following) << text << " " << zone;
        slot = following;
      }
    }
  }
}

TEST(CronNext, DailyComesOnceADayForTenYears) {
  const auto cron = make("30 2 * * *", "Europe/Berlin");
  auto slot = at("2026-01-01T00:00:00Z");
  int count = 0;
  while ((slot = cron.next(slot)) < at("2036-01-01T00:00:00Z")) ++count;
  EXPECT_EQ(count, 3652);
}

TEST(CronInterval, LongestGap) {
  EXPECT_EQ(make("0 6 2 * *").longest_interval(), 31 * 24h);
  EXPECT_EQ(make("30 3 * * *").longest_interval(), 24h);
  EXPECT_EQ(make("30 3 * * 1-5").longest_interval(), 72h);
  EXPECT_EQ(make("* * * * *").longest_interval(), 1min);
  EXPECT_EQ(make("*/5 9-17 * * *").longest_interval(), 15h + 5min);
  EXPECT_EQ(make("0 9,10 * * 1-5").longest_interval(), 71h);
  EXPECT_EQ(make("0 0 29 2 *").longest_interval(), 1461 * 24h);
}

TEST(CronMake, UnknownZone) {
  const auto result = CronSchedule::make(CronExpression::parse("@daily").value(), "Mars/Olympus");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, Reason::config_invalid);
}

}  // namespace
}  // namespace rad
