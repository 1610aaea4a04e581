// The summary of a month.
#include "agent/cli/radctl/report_text.h"

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"
#include "tests/support/golden.h"
#include "tests/unit/report/example_reports.h"

namespace rad::radctl {
namespace {

boost::json::object answer(const std::string& name) {
  const auto text = read_file(std::filesystem::path(RAD_SOURCE_DIR) /
                              "tests/golden/radctl/answers" / (name + ".json"));
  return json::parse(*text, name)->as_object();
}

TEST(Period, IsACalendarMonthInUtc) {
  const auto november = month_of("2026-11");
  ASSERT_TRUE(november);
  EXPECT_EQ(november->title, "November 2026");
  EXPECT_EQ(format_rfc3339(november->from), "2026-11-01T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(november->to), "2026-12-01T00:00:00.000Z");
  const auto december = month_of("2024-12");
  ASSERT_TRUE(december);
  EXPECT_EQ(format_rfc3339(december->to), "2025-01-01T00:00:00.000Z");
  const auto february = month_of("2024-02");
  ASSERT_TRUE(february);
  EXPECT_EQ(february->to - february->from, std::chrono::hours(29 * 24));
}

TEST(Period, RefusesWhatIsNoMonth) {
  for (const char* text : {"", "2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-02",
                           "2026/11", "month", "-026-11"}) {
    EXPECT_FALSE(month_of(text)) << text;
  }
}

TEST(Period, EndsNowWithoutAMonth) {
  const TimePoint now = *parse_time("2026-11-21T00:30:00Z");
  EXPECT_EQ(last_days(now).to, now);
  EXPECT_EQ(last_days(now).title, "21 Oct 2026 to 21 Nov 2026");
}

Summary make_summary(const Period& period, std::string_view changed_to = {}) {
  const auto targets = answer("targets");
  const auto runs = answer("runs");
  const auto schedules = answer("schedules");
  RunReport restored = test::passed_restore();
  restored.measured_rto = std::chrono::minutes(9);
  restored.measured_rpo = std::chrono::minutes(20);
  const std::map<std::string, boost::json::object> records{
      {"20261102T060000-00000003", to_json(restored)}};
  Summary summary{
      .period = period,
      .made_at = *parse_time("2026-11-21T00:30:00Z"),
      .version = "0.1.0",
      .targets = {},
      .missed = missed_by_others(JsonView(targets), JsonView(schedules).list("missed"))};
  for (const JsonView& target : JsonView(targets).list("targets")) {
    std::vector<JsonView> own;
    for (const JsonView& run : JsonView(runs).list("runs")) {
      const auto began = run.time("created_at");
      if (run.text("target") == target.text("name") && *began >= period.from &&
          *began < period.to) {
        own.push_back(run);
      }
    }
    auto row = summarize(target, own, JsonView(schedules).list("missed"), period, records);
    if (!changed_to.empty()) row["name"] = changed_to;
    summary.targets.push_back(std::move(row));
  }
  return summary;
}

TEST(ReportMarkdown, SaysWhatIsProvedAndWhatIsNot) {
  test::expect_golden("radctl/report_month.md",
                      report_markdown(make_summary(*month_of("2026-11"))));
}

TEST(ReportMarkdown, TellsEveryMissedTimeOnceAndLongOnesInALine) {
  boost::json::array lost;
  for (int hour = 23; hour >= 0; --hour) {
    lost.push_back(boost::json::object{{"target", "fleet"},
                                       {"schedule", "fleet"},
                                       {"slot", fmt::format("2026-11-03T{:02}:00:00.000Z", hour)},
                                       {"cause", "agent_down"},
                                       {"detail", "the agent was not running"}});
  }
  const auto targets = answer("targets");
  std::vector<JsonView> rows;
  for (const auto& row : lost) rows.emplace_back(row.as_object());
  Summary summary = make_summary(*month_of("2026-11"));
  summary.missed = missed_by_others(JsonView(targets), rows);
  EXPECT_EQ(summary.missed.size(), 24U);
  const std::string text = report_markdown(summary);
  EXPECT_NE(text.find("- `fleet` schedule `fleet`, 24 times from 2026-11-03 00:00 UTC to "
                      "2026-11-03 23:00 UTC: the agent was not running\n"),
            std::string::npos)
      << text;
}

TEST(ReportMarkdown, DoesNotCountAProofOfAnotherMonth) {
  const std::string text = report_markdown(make_summary(*month_of("2026-10")));
  EXPECT_NE(text.find("**3 of 3 targets not proved good in this time"), std::string::npos) << text;
}

TEST(ReportMarkdown, EscapesWhatTheAgentSays) {
  const std::string text =
      report_markdown(make_summary(*month_of("2026-11"), "`@all` | <b>\n/close"));
  EXPECT_EQ(text.find("\n/close"), std::string::npos) << text;
  EXPECT_EQ(text.find("| <b>"), std::string::npos) << text;
}

TEST(ReportMarkdown, SaysSoWhenNothingIsConfigured) {
  const Summary summary{
      .period = *month_of("2026-11"), .made_at = {}, .version = "", .targets = {}, .missed = {}};
  EXPECT_NE(report_markdown(summary).find("**No target is configured"), std::string::npos);
}

}  // namespace
}  // namespace rad::radctl
