#include "agent/report/metrics.h"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/child_process.h"
#include "agent/base/files.h"
#include "agent/report/metrics_table.h"
#include "tests/support/golden.h"
#include "tests/unit/report/example_reports.h"

namespace rad::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSubsetOf;
using testing::Not;

MetricsInput configured() {
  MetricsInput input;
  input.version = "0.1.0";
  MetricsTarget target;
  target.name = "customers-db";
  target.schedules = {{.name = "rad", .depth = Depth::restore},
                      {.name = "daily", .depth = Depth::verify}};
  target.checks = {"backup_age", "wal_continuity", "row_counts"};
  target.rto = hours(4);
  target.rpo = minutes(15);
  input.targets = {target};
  input.reporters = {"issue_directory"};
  return input;
}

MetricsInput lived_in() {
  MetricsInput input = configured();
  RunReport fail = failed_verify();
  fail.created_at += hours(2);
  *fail.ended_at += hours(2);
  input.targets[0].run_in_progress = true;
  input.targets[0].schedules[1].next_run = fail.created_at + hours(22);
  input.targets[0].schedules[1].expected_interval = hours(24);
  input.latest = {{.report = passed_restore(), .last_success = passed_restore().ended_at},
                  {.report = fail, .last_success = fail.created_at - hours(24)},
                  {.report = inconclusive_restore()}};
  input.counters.runs = {{"customers-db", "rad", Depth::restore, Verdict::pass, 3},
                         {"customers-db", "daily", Depth::verify, Verdict::fail, 1},
                         {"customers-db", "weekly", Depth::verify, Verdict::fail, 9},
                         {"gone-db", "rad", Depth::restore, Verdict::fail, 7}};
  input.counters.failures = {{"customers-db", Reason::decrypt_failed, 1},
                             {"gone-db", Reason::decrypt_failed, 8}};
  input.counters.bytes = {{"customers-db", 22'500'000, 51'400'000}};
  input.counters.report_errors = {{"issue_directory", 2}, {"gone-reporter", 7}};
  input.open_issues = {{"customers-db", Depth::verify}};
  input.scheduler_last_tick = fail.ended_at;
  input.scratch_free_bytes = 123'456'789'012;
  input.leftover_bytes = 4096;
  return input;
}

/// Series name with labels -> value as text.
std::map<std::string, std::string> series(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto space = line.rfind(' ');
    EXPECT_TRUE(out.emplace(line.substr(0, space), line.substr(space + 1)).second)
        << "twice: " << line;
  }
  return out;
}

void expect_promtool_accepts(const std::string& text) {
  const auto promtool = find_program("promtool");
  if (!promtool) GTEST_SKIP() << "promtool is not installed";
  ChildSpec spec;
  spec.program = *promtool;
  spec.args = {"check", "metrics"};
  const auto output = run_tool(spec, text);
  ASSERT_TRUE(output) << output.error().message;
  EXPECT_TRUE(output->status.ok()) << output->out << output->err;
  EXPECT_THAT(output->out + output->err, IsEmpty());
}

TEST(Metrics, OfAFreshAgent) {
  expect_golden("report/metrics_fresh.txt", render_metrics(configured()));
}
TEST(Metrics, OfAnAgentThatHasLived) {
  expect_golden("report/metrics_lived_in.txt", render_metrics(lived_in()));
}
TEST(Metrics, ArePleasingToPromtool) {
  expect_promtool_accepts(render_metrics(configured()));
  expect_promtool_accepts(render_metrics(lived_in()));
}
TEST(Metrics, NamesThatAreHostileAreStillOneSeries) {
  MetricsInput input = configured();
  input.targets[0].name = "a\"b\\c\nd{}";
  input.targets[0].checks = {"x\",evil=\"1", "\xff"};
  input.version = "\"\n";
  expect_promtool_accepts(render_metrics(input));
}

TEST(Metrics, AllSeriesExistFromTheStart) {
  const auto before = series(render_metrics(configured()));
  for (const auto& [name, value] : series(render_metrics(lived_in()))) {
    EXPECT_TRUE(before.contains(name)) << name;
  }
}

TEST(Metrics, EveryRowOfTheTableHasASeries) {
  const std::string text = render_metrics(configured());
  for (const auto& row : metric_table()) {
    EXPECT_THAT(text, ContainsRegex("\n" + std::string(row.name) + "[{ ]"));
  }
}

TEST(Metrics, NeverRunIsNeitherGoodNorBad) {
  const auto all = series(render_metrics(configured()));
  const std::string labels = R"({target="customers-db",schedule="rad",depth="restore")";
  EXPECT_EQ(all.at("rad_last_run_timestamp_seconds" + labels + "}"), "0");
  EXPECT_EQ(all.at("rad_last_success_timestamp_seconds" + labels + "}"), "0");
  for (const char* verdict : {"pass", "fail", "inconclusive", "cancelled"}) {
    EXPECT_EQ(all.at("rad_last_verdict" + labels + ",verdict=\"" + verdict + "\"}"), "Nan");
    EXPECT_EQ(all.at("rad_runs_total" + labels + ",verdict=\"" + verdict + "\"}"), "0");
  }
  EXPECT_EQ(all.at(R"(rad_check_passed{target="customers-db",check="row_counts"})"), "Nan");
  EXPECT_EQ(all.at(R"(rad_restore_duration_seconds{target="customers-db"})"), "Nan");
}

TEST(Metrics, APassOfOneDepthSaysNothingOfAnother) {
  MetricsInput input = configured();
  RunReport pass = passed_restore();
  pass.depth = Depth::verify;
  pass.schedule = "daily";
  input.latest = {{.report = pass, .last_success = pass.ended_at}};
  const auto all = series(render_metrics(input));
  EXPECT_EQ(all.at("rad_last_success_timestamp_seconds"
                   R"({target="customers-db",schedule="rad",depth="restore"})"),
            "0");
  EXPECT_NE(all.at("rad_last_success_timestamp_seconds"
                   R"({target="customers-db",schedule="daily",depth="verify"})"),
            "0");
}

TEST(Metrics, ACheckKeepsItsLastAnswerWhenALaterRunDoesNotAskIt) {
  const auto all = series(render_metrics(lived_in()));
  EXPECT_EQ(all.at(R"(rad_check_passed{target="customers-db",check="row_counts"})"), "1");
  EXPECT_EQ(all.at(R"(rad_check_passed{target="customers-db",check="wal_continuity"})"), "0");
}

TEST(Metrics, ASkippedCheckIsNoPass) {
  MetricsInput input = configured();
  RunReport report = passed_restore();
  report.checks[1].outcome = Outcome::skipped;
  input.latest = {{.report = report}};
  const auto all = series(render_metrics(input));
  EXPECT_EQ(all.at(R"(rad_check_passed{target="customers-db",check="row_counts"})"), "Nan");
  EXPECT_EQ(all.at(R"(rad_check_skipped{target="customers-db",check="row_counts"})"), "1");
}

TEST(Metrics, WhatIsNotConfiguredAnyMoreIsNotTold) {
  const std::string text = render_metrics(lived_in());
  EXPECT_THAT(text, Not(HasSubstr("gone-db")));
  EXPECT_THAT(text, Not(HasSubstr("gone-reporter")));
  EXPECT_THAT(text, Not(HasSubstr("weekly")));
}

TEST(Metrics, DoubleNamesDoNotSpoilTheScrape) {
  MetricsInput input = lived_in();
  input.targets.push_back(input.targets[0]);
  input.targets[0].schedules.push_back({.name = "manual", .depth = Depth::restore});
  input.reporters.push_back(input.reporters[0]);
  expect_promtool_accepts(render_metrics(input));
  series(render_metrics(input));
}

TEST(Metrics, LabelsAreOnlyThoseOfTheDesign) {
  const std::set<std::string> allowed{"target",  "schedule", "depth",    "stage",  "check",
                                      "verdict", "reason",   "reporter", "version"};
  std::set<std::string> found;
  for (const auto& row : metric_table()) {
    std::istringstream labels{std::string(row.labels)};
    for (std::string label; std::getline(labels, label, ',');) found.insert(label);
  }
  EXPECT_THAT(found, IsSubsetOf(allowed));
}

TEST(Metrics, TheReferencePageIsThatOfTheTable) {
  expect_golden("../../docs/reference/metrics.md", metrics_reference());
}

}  // namespace
}  // namespace rad::test
