// The fake does what its README says, the bad things above all: what the agent's tests rest on.
#include <csignal>

#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/plugin_under_test.h"
#include "tests/contract/survivors.h"

namespace rad::contract {
namespace {

namespace bj = boost::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A fake in mid-run that does what `script` says.
class Scripted : public PluginUnderTest {
 public:
  explicit Scripted(const bj::value& script) {
    const auto path = files_.write("script.json", bj::serialize(script));
    answer_ = call("initialize", run_params({{"script", path.string()}}));
  }
  const protocol::Response& answer() const { return answer_; }

 private:
  test::TempDir files_;
  protocol::Response answer_;
};

bj::value act(const char* method, bj::object what) {
  return bj::object{{method, std::move(what)}};
}

TEST(Fake, PassesHonestlyWithoutAScript) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  const auto restored = result_of(plugin.call("restore"));
  const auto started = result_of(plugin.call("start", {{"artifact", restored.at("artifact")}}));
  const bj::object ask{{"endpoint", started.at("endpoint")},
                       {"checks", bj::array{bj::object{{"check", "fake_data"}}}}};
  const auto good =
      protocol::from_json<protocol::CheckResult>(result_of(plugin.call("check", ask)));
  EXPECT_EQ(good->outcomes.front().outcome, Outcome::pass);
  EXPECT_EQ(good->outcomes.front().proof, Proof::data);
  std::filesystem::resize_file(plugin.scratch() + "/data/fake.bin", 100);
  const auto bad = protocol::from_json<protocol::CheckResult>(result_of(plugin.call("check", ask)));
  EXPECT_EQ(bad->outcomes.front().outcome, Outcome::fail);
  result_of(plugin.call("cleanup"));
}

TEST(Fake, RefusesAScriptWithAnUnknownKey) {
  Scripted plugin(act("restore", {{"crashh", "abort"}}));
  EXPECT_EQ(reason_of(plugin.answer()), Reason::config_invalid);
  EXPECT_THAT(plugin.answer().error->message, HasSubstr("crashh"));
  EXPECT_THAT(plugin.answer().error->hint, HasSubstr("crash"));
}

TEST(Fake, AnswersTheErrorItIsTold) {
  Scripted plugin(act("verify", {{"error", bj::object{{"reason", "decrypt_failed"},
                                                      {"object", "part_00000001"},
                                                      {"offset", 17}}}}));
  const auto answer = plugin.call("verify");
  EXPECT_EQ(reason_of(answer), Reason::decrypt_failed);
  EXPECT_EQ(answer.error->object, "part_00000001");
  EXPECT_EQ(answer.error->offset, 17U);
}

TEST(Fake, AnswersTheNthCallWithTheNthAct) {
  Scripted plugin(
      bj::object{{"verify", bj::array{bj::object{{"result", bj::object{{"bytes_read", 1}}}},
                                      bj::object{{"result", bj::object{{"bytes_read", 2}}}}}}});
  EXPECT_EQ(result_of(plugin.call("verify")).at("bytes_read"), 1);
  EXPECT_EQ(result_of(plugin.call("verify")).at("bytes_read"), 2);
  EXPECT_EQ(result_of(plugin.call("verify")).at("bytes_read"), 2);
}

TEST(Fake, LaysOutcomesOverItsOwn) {
  Scripted plugin(bj::object{
      {"checks", bj::object{{"fake_metadata",
                             bj::object{{"outcome", "fail"}, {"reason", "stale_backup"}}}}}});
  const auto result = protocol::from_json<protocol::CheckResult>(result_of(
      plugin.call("check", {{"checks", bj::array{bj::object{{"check", "fake_metadata"}}}}})));
  EXPECT_EQ(result->outcomes.front().reason, Reason::stale_backup);
}

TEST(Fake, ReportsProgressInSteps) {
  Scripted plugin(
      act("restore",
          {{"progress", bj::object{{"steps", 4}, {"bytes_total", 400}, {"time", "600ms"}}}}));
  result_of(plugin.call("restore"));
  std::vector<std::int64_t> done;
  for (const auto& notification : plugin.notifications()) {
    const auto progress = protocol::from_json<protocol::Progress>(notification.params);
    if (progress->bytes_total == 400) {
      done.push_back(static_cast<std::int64_t>(progress->bytes_done));
    }
  }
  EXPECT_THAT(done, ElementsAre(0, 100, 200, 300, 400));
}

TEST(Fake, CrashesInFourWays) {
  const std::vector<std::pair<const char*, ExitStatus>> ways{
      {"abort", {0, SIGABRT}}, {"segv", {0, SIGSEGV}}, {"kill", {0, SIGKILL}}, {"exit", {3, 0}}};
  for (const auto& [how, expected] : ways) {
    Scripted plugin(act("verify", {{"crash", how}}));
    plugin.send("verify");
    EXPECT_FALSE(plugin.response().has_value());
    const auto status = plugin.wait();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->text(), expected.text()) << how;
  }
}

TEST(Fake, HangsUntilItIsKilled) {
  Scripted plugin(act("verify", {{"log", "hanging"}, {"hang", true}}));
  plugin.send("verify");
  plugin.await_sign_of_life(kAnswerLimit);
  plugin.notify("cancel");
  EXPECT_FALSE(plugin.response(500ms).has_value());
  plugin.signal(SIGTERM);
  EXPECT_FALSE(plugin.wait(500ms).has_value());
  plugin.signal(SIGKILL);
  EXPECT_TRUE(plugin.wait().has_value());
}

TEST(Fake, PrintsALineOfAnyLength) {
  Scripted plugin(act("verify", {{"line_bytes", 1048576}}));
  result_of(plugin.call("verify"));
  ASSERT_EQ(plugin.notifications().size(), 2U);
  EXPECT_EQ(encode(plugin.notifications().front()).size(), 1048576U);
}

TEST(Fake, FloodsInThreeWays) {
  for (const char* how : {"lines", "line", "notifications"}) {
    Scripted plugin(act("verify", {{"flood", how}}));
    plugin.send("verify");
    EXPECT_GE(plugin.drain(std::size_t{8} << 20U), std::size_t{8} << 20U) << how;
    plugin.close_output();
    EXPECT_TRUE((plugin.close_input(), plugin.wait().has_value())) << how;
  }
}

TEST(Fake, LeavesADaemonBehind) {
  Scripted plugin(act("verify", {{"daemon", true}}));
  result_of(plugin.call("verify"));
  result_of(plugin.call("shutdown"));
  ASSERT_TRUE(plugin.wait().has_value());
  const auto left = survivors();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_THAT(left.front(), HasSubstr("fake"));
}

TEST(Fake, LeavesFilesBehindOnlyWhenTold) {
  Scripted plugin(act(
      "verify",
      {{"files", bj::array{bj::object{{"path", "a/b/gone"}, {"bytes", 9}},
                           bj::object{{"path", "kept"}, {"where", "runtime"}, {"keep", true}}}}}));
  result_of(plugin.call("verify"));
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), ElementsAre("run/kept"));
}

}  // namespace
}  // namespace rad::contract
