// What radctl prints, from answers in tests/golden/radctl/answers.
#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/model/json.h"
#include "agent/report/layout.h"
#include "tests/support/golden.h"
#include "tests/unit/report/example_reports.h"

namespace rad::radctl {
namespace {

class RadctlText : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "Europe/Berlin", 1);
    ::tzset();
    look_.now = *parse_time("2026-11-21T00:30:00Z");
    look_.style.width = 80;
  }

  static boost::json::object answer(const std::string& name) {
    const auto text = read_file(std::filesystem::path(RAD_SOURCE_DIR) /
                                "tests/golden/radctl/answers" / (name + ".json"));
    return json::parse(*text, name)->as_object();
  }

  /// Plain as it is printed; nothing in it may control the terminal.
  static void expect_text(const std::string& name, const std::string& text) {
    for (const char c : text) {
      EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20U) << name;
    }
    EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos) << name;
    test::expect_golden("radctl/" + name + ".txt", text);
  }

  Look look_;
};

TEST_F(RadctlText, StatusSaysFirstWhetherAllIsWell) {
  const auto schedules = answer("schedules");
  const auto none = answer("schedules_empty");
  const auto good = answer("targets_good");
  expect_text("status_calm",
              status_text(JsonView(answer("status_calm")), JsonView(good), JsonView(none), look_));
  expect_text("status_trouble",
              status_text(JsonView(answer("status_trouble")), JsonView(answer("targets")),
                          JsonView(schedules), look_));
  EXPECT_TRUE(status_text(JsonView(answer("status_calm")), JsonView(), JsonView(), look_)
                  .starts_with("ATTENTION  no target is configured"));
}

TEST_F(RadctlText, StatusIsNeverWellWhenNothingIsProved) {
  auto targets = answer("targets_good");
  targets["targets"].as_array()[0].as_object()["proofs"] = boost::json::array{};
  const std::string text =
      status_text(JsonView(answer("status_calm")), JsonView(targets), JsonView(), look_);
  EXPECT_TRUE(text.starts_with("ATTENTION  1 thing needs somebody")) << text;
}

TEST_F(RadctlText, Targets) {
  const auto targets = answer("targets");
  expect_text("target_list", targets_text(JsonView(targets), look_));
  std::string all;
  for (const JsonView& target : JsonView(targets).list("targets")) {
    all += target_text(target, look_) + "\n";
  }
  expect_text("target_show", all);
}

TEST_F(RadctlText, SchedulesInLocalTimeAndUtc) {
  const auto schedules = answer("schedules");
  const auto status = answer("status_trouble");
  expect_text("schedule_list", schedules_text(JsonView(schedules), JsonView(status), "", look_));
  expect_text("schedule_list_one",
              schedules_text(JsonView(schedules), JsonView(status), "images-disk", look_));
  EXPECT_EQ(schedules_text(JsonView(answer("schedules_empty")), JsonView(), "", look_),
            "nothing is scheduled: backups are tested only by hand\n");
}

TEST_F(RadctlText, Runs) {
  expect_text("run_list",
              runs_text(JsonView(answer("runs")), JsonView(answer("status_trouble")), look_));
  EXPECT_EQ(runs_text(JsonView(answer("runs_empty")), JsonView(), look_), "no run\n");
  expect_text("run_start_queued",
              started_text(JsonView(answer("start_queued")), "orders-db", look_));
  expect_text("run_start_started",
              started_text(JsonView(answer("start_started")), "orders-db", look_));
}

TEST_F(RadctlText, RunIsExplainedInPlainWords) {
  const auto targets = answer("targets");
  const JsonView target = JsonView(targets).list("targets").front();
  expect_text("run_show_fail", run_text(to_json(test::failed_verify()), target, look_));
  expect_text("run_show_inconclusive",
              run_text(to_json(test::inconclusive_restore()), target, look_));
  expect_text("run_show_pass", run_text(to_json(test::passed_restore()), target, look_));
  expect_text("run_show_running", run_text(to_json(test::running_report()), target, look_));
  expect_text("run_show_hostile", run_text(to_json(test::hostile_report()), JsonView(), look_));
  EXPECT_TRUE(run_text({}, target, look_).starts_with("the record of the run is not understood"));
}

TEST_F(RadctlText, BackupsHoldsPluginsAuditLog) {
  expect_text("backup_list", backups_text(JsonView(answer("backups")), look_));
  expect_text("backup_list_empty", backups_text(JsonView(answer("backups_empty")), look_));
  expect_text("hold_list", holds_text(JsonView(answer("holds")), look_));
  expect_text("hold_list_empty", holds_text(JsonView(answer("holds_empty")), look_));
  expect_text("plugin_list", plugins_text(JsonView(answer("plugins")), look_));
  expect_text("audit", audit_text(JsonView(answer("audit")), look_));
  std::string log;
  const auto lines = answer("log");
  for (const JsonView& line : JsonView(lines).list("lines")) log += log_line_text(line, look_);
  expect_text("run_logs", log);
}

TEST_F(RadctlText, TablesFitEightyColumns) {
  const auto status = answer("status_trouble");
  for (const std::string& text :
       {targets_text(JsonView(answer("targets")), look_),
        schedules_text(JsonView(answer("schedules")), JsonView(status), "", look_),
        runs_text(JsonView(answer("runs")), JsonView(status), look_)}) {
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      const std::string line = text.substr(begin, end - begin);
      EXPECT_LE(columns(line), 80U) << line;
      begin = end + 1;
    }
  }
}

TEST_F(RadctlText, EveryTextBearsEmptyAnswers) {
  const boost::json::object nothing;
  const JsonView empty(nothing);
  for (const std::string& text :
       {status_text(empty, empty, empty, look_), targets_text(empty, look_),
        target_text(empty, look_), schedules_text(empty, empty, "x", look_),
        backups_text(empty, look_), started_text(empty, "x", look_), runs_text(empty, empty, look_),
        log_line_text(empty, look_), holds_text(empty, look_), plugins_text(empty, look_),
        audit_text(empty, look_)}) {
    EXPECT_TRUE(text.ends_with('\n')) << text;
  }
}

TEST_F(RadctlText, ColoursOnlyWhenAsked) {
  look_.style.colour = true;
  const std::string text = targets_text(JsonView(answer("targets")), look_);
  EXPECT_NE(text.find("\033[1;31m"), std::string::npos);
}

}  // namespace
}  // namespace rad::radctl
