// What radctl prints, from answers in tests/golden/radctl/answers.
#include <cstdlib>
#include <ctime>
#include <functional>

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

/// What an agent says with which all is well, changed by one thing.
struct Calm {
  boost::json::object status;
  boost::json::object targets;
  boost::json::object schedules;

  boost::json::object& target() { return targets["targets"].as_array()[0].as_object(); }
  void schedule(const char* depth, double within, std::uint64_t turns = 0) {
    target()["schedules"] =
        boost::json::array{boost::json::object{{"target", turns == 0 ? "customers-db" : "fleet"},
                                               {"schedule", "nightly"},
                                               {"depth", depth},
                                               {"turns", turns},
                                               {"proof_within_seconds", within}}};
  }
  void miss(const char* slot) {
    schedules["missed"] = boost::json::array{
        boost::json::object{{"target", target()["name"]}, {"schedule", "nightly"}, {"slot", slot}}};
  }
  void prove(const char* depth, const char* at) {
    target()["proofs"] = boost::json::array{boost::json::object{
        {"depth", depth}, {"verdict", "pass"}, {"ended_at", at}, {"proved_at", at}}};
  }
};

TEST_F(RadctlText, StatusIsWellOnlyIfNothingNeedsAnybody) {
  const auto text_of = [&](const std::function<void(Calm&)>& change) {
    Calm calm{answer("status_calm"), answer("targets_good"), answer("schedules_empty")};
    change(calm);
    return status_text(JsonView(calm.status), JsonView(calm.targets), JsonView(calm.schedules),
                       look_);
  };
  const auto is_well = [](const std::string& text) { return text.starts_with("ALL IS WELL"); };
  EXPECT_TRUE(is_well(text_of([](Calm&) {})));
  struct Case {
    const char* says;
    std::function<void(Calm&)> change;
  };
  for (const auto& [says, change] : std::vector<Case>{
           {"left", [](Calm& calm) { calm.status["leftover_bytes"] = 1; }},
           {"radctl schedule resume --all",
            [](Calm& calm) {
              calm.status["pauses"] = boost::json::array{
                  boost::json::object{{"target", "*"}, {"schedule", "*"}, {"until", nullptr}}};
            }},
           {"could not clean up", [](Calm& calm) { calm.target()["cleanup_failed"] = "1-2"; }},
           {"restore is scheduled (nightly) and was never",
            [](Calm& calm) {
              calm.prove("verify", "2026-11-21T00:00:00.000Z");
              calm.schedule("restore", 3600);
            }},
           {"verify was last proved 2h ago, by nightly",
            [](Calm& calm) {
              calm.prove("verify", "2026-11-20T22:30:00.000Z");
              calm.schedule("verify", 3600);
            }},
           {"1 scheduled run in the last 7 days did not happen",
            [](Calm& calm) {
              calm.prove("verify", "2026-11-20T22:30:00.000Z");
              calm.schedule("verify", 86400);
              calm.miss("2026-11-20T23:30:00.000Z");
            }},
       }) {
    const std::string text = text_of(change);
    EXPECT_TRUE(text.starts_with("ATTENTION  1 thing needs somebody")) << text;
    EXPECT_NE(text.find(says), std::string::npos) << text;
  }
  // What a deeper run proves, a later run made up for, or a pause with an end explains.
  EXPECT_TRUE(is_well(text_of([](Calm& calm) {
    calm.prove("restore", "2026-11-21T00:00:00.000Z");
    calm.schedule("verify", 3600);
    calm.miss("2026-11-20T23:30:00.000Z");
  })));
  EXPECT_TRUE(is_well(text_of([](Calm& calm) {
    calm.status["pauses"] = boost::json::array{boost::json::object{
        {"target", "*"}, {"schedule", "*"}, {"until", "2026-11-21T06:00:00.000Z"}}};
  })));
}

TEST_F(RadctlText, WhatWaitsIsThatOfTheTargetAskedFor) {
  const auto runs = answer("runs_empty");
  const auto status = answer("status_trouble");
  const auto text = [&](const std::optional<WaitingFilter>& filter) {
    return runs_text(JsonView(runs), JsonView(status), filter, look_);
  };
  EXPECT_NE(text(WaitingFilter{"orders-db", ""}).find("waiting"), std::string::npos);
  EXPECT_EQ(text(WaitingFilter{"customers-db", ""}), "no run\n");
  EXPECT_EQ(text(WaitingFilter{"orders-db", "inspect"}), "no run\n");
  EXPECT_EQ(text(std::nullopt), "no run\n");
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
  expect_text("schedule_list", schedules_text(JsonView(schedules), JsonView(status), {}, look_));
  expect_text("schedule_list_one",
              schedules_text(JsonView(schedules), JsonView(status), {"images-disk"}, look_));
  EXPECT_EQ(schedules_text(JsonView(answer("schedules_empty")), JsonView(), {}, look_),
            "nothing is scheduled: backups are tested only by hand\n");
}

TEST_F(RadctlText, Runs) {
  expect_text("run_list", runs_text(JsonView(answer("runs")), JsonView(answer("status_trouble")),
                                    WaitingFilter{}, look_));
  EXPECT_EQ(runs_text(JsonView(answer("runs_empty")), JsonView(), WaitingFilter{}, look_),
            "no run\n");
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
        schedules_text(JsonView(answer("schedules")), JsonView(status), {}, look_),
        runs_text(JsonView(answer("runs")), JsonView(status), WaitingFilter{}, look_)}) {
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
        target_text(empty, look_), schedules_text(empty, empty, {"x"}, look_),
        backups_text(empty, look_), started_text(empty, "x", look_),
        runs_text(empty, empty, WaitingFilter{}, look_), log_line_text(empty, look_),
        holds_text(empty, look_), plugins_text(empty, look_), audit_text(empty, look_)}) {
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
