// serve() over pipes, with a plugin whose handlers are given by each test.
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <latch>
#include <mutex>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/base/files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/sdk/agent_end.h"

namespace rad::sdk {
namespace {

using ::testing::HasSubstr;

/// Blocks until the request is stopped.
void wait_for_stop(Context& context) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait(lock, context.stop_token(), [] { return false; });
}

class TestPlugin final : public Plugin {
 public:
  using Handler = std::function<Result<protocol::ReadResult>(Context&)>;
  /// Any thread, at any time.
  void set_verify(Handler handler) {
    const std::lock_guard lock(mutex_);
    verify_ = std::move(handler);
  }
  std::function<Result<protocol::CheckResult>(const protocol::CheckParams&, Context&)> on_check;
  Status initialized{};
  std::vector<std::string> explained;
  int cleanups = 0;

  protocol::PluginInfo describe() const override {
    protocol::PluginInfo info;
    info.name = "test";
    info.roles = {Role::restore, Role::check};
    protocol::CheckInfo check;
    check.type = "deep";
    check.depths = {Depth::restore};
    info.checks = {check};
    return info;
  }
  Result<std::vector<std::string>> explain(const boost::json::object& options) override {
    if (explained.empty()) return Plugin::explain(options);
    return explained;
  }
  Status initialize(const protocol::InitializeParams& /*params*/, Context& /*context*/) override {
    return initialized;
  }
  Result<protocol::ReadResult> verify(Context& context) override {
    Handler handler;
    {
      const std::lock_guard lock(mutex_);
      handler = verify_;
    }
    return handler(context);
  }
  Result<protocol::CheckResult> check(const protocol::CheckParams& params,
                                      Context& context) override {
    return on_check(params, context);
  }
  Result<protocol::CleanupResult> cleanup(Context& context) override {
    EXPECT_FALSE(context.stopping()) << "cleanup has to have its way";
    ++cleanups;
    return protocol::CleanupResult();
  }

 private:
  std::mutex mutex_;
  Handler verify_ = [](Context&) { return Result<protocol::ReadResult>(protocol::ReadResult()); };
};

class Serve : public ::testing::Test {
 protected:
  Reason reason(const protocol::Response& response) {
    EXPECT_TRUE(response.error.has_value());
    return response.error ? response.error->reason : Reason::internal_error;
  }

  test::TempDir dir;
  TestPlugin plugin;
};

TEST_F(Serve, EndsWithStatusZeroAfterShutdownWithoutCleaningUp) {
  AgentEnd agent(plugin);
  EXPECT_TRUE(agent.begin(dir.path()).result);
  EXPECT_TRUE(agent.call("shutdown").result);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 0);
}

TEST_F(Serve, CleansUpAtTheEndOfInput) {
  AgentEnd agent(plugin);
  EXPECT_TRUE(agent.begin(dir.path()).result);
  agent.close_input();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 1);
}

TEST_F(Serve, HasNothingToCleanUpWithoutARun) {
  AgentEnd agent(plugin);
  EXPECT_TRUE(agent.call("initialize", {{"versions", boost::json::array{1}}}).result);
  agent.close_input();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 0);
}

TEST_F(Serve, CleansUpAfterAnInitializeThatFailed) {
  plugin.initialized = fail(Reason::key_unavailable, "no key");
  AgentEnd agent(plugin);
  EXPECT_EQ(reason(agent.begin(dir.path())), Reason::key_unavailable);
  EXPECT_EQ(reason(agent.call("verify")), Reason::plugin_protocol);
  EXPECT_TRUE(agent.call("cleanup").result);
  agent.close_input();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 2);
}

TEST_F(Serve, CancelsTheRunningRequestAlone) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    wait_for_stop(context);
    return fail(Reason::cancelled, "stopped");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  const auto id = agent.send("verify");
  running.wait();
  agent.notify("cancel", {{"id", id}});
  EXPECT_EQ(reason(*agent.response()), Reason::cancelled);
  plugin.set_verify([](Context& context) {
    EXPECT_FALSE(context.stopping());
    return Result<protocol::ReadResult>(protocol::ReadResult());
  });
  EXPECT_TRUE(agent.call("verify").result);
}

TEST_F(Serve, NeverTakesAnEchoOfCancelForAFaultOfTheBackup) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    wait_for_stop(context);
    return fail(Reason::decrypt_failed, "gpg was killed");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.send("verify");
  running.wait();
  agent.notify("cancel");
  const auto answer = agent.response();
  ASSERT_TRUE(answer && answer->error);
  EXPECT_EQ(answer->error->reason, Reason::cancelled);
  EXPECT_EQ(answer->error->detail, "gpg was killed");
}

TEST_F(Serve, StopsTheRunningRequestAtTheEndOfInput) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    wait_for_stop(context);
    return fail(Reason::cancelled, "stopped");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.send("verify");
  running.wait();
  agent.close_input();
  EXPECT_EQ(reason(*agent.response()), Reason::cancelled);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 1);
}

TEST_F(Serve, StopsOnSigterm) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    wait_for_stop(context);
    return fail(Reason::cancelled, "stopped");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.send("verify");
  running.wait();
  ::raise(SIGTERM);
  EXPECT_EQ(reason(*agent.response()), Reason::cancelled);
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 1);
}

TEST_F(Serve, StopsWhenNobodyTakesItsOutput) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    while (!context.stopping()) context.log("info", std::string(3000, 'x'));
    return fail(Reason::cancelled, "stopped");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.send("verify");
  running.wait();
  agent.close_input();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 1);
}

TEST_F(Serve, OutlivesAnAgentThatIsGone) {
  std::latch running(1);
  std::latch gone(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    gone.wait();
    for (int i = 0; i < 100; ++i) context.log("info", "nobody hears this");
    return protocol::ReadResult();
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.send("verify");
  running.wait();
  agent.close_output();
  agent.close_input();
  gone.count_down();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 1);
}

TEST_F(Serve, TurnsExceptionsIntoInternalErrorAndLivesOn) {
  plugin.set_verify(
      [](Context&) -> Result<protocol::ReadResult> { throw std::runtime_error("a bug"); });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  const auto answer = agent.call("verify");
  EXPECT_EQ(reason(answer), Reason::internal_error);
  EXPECT_THAT(answer.error->message, HasSubstr("a bug"));
  plugin.set_verify([](Context&) -> Result<protocol::ReadResult> { throw std::bad_alloc(); });
  EXPECT_EQ(reason(agent.call("verify")), Reason::out_of_memory);
  plugin.set_verify([](Context&) -> Result<protocol::ReadResult> { throw 5; });
  EXPECT_EQ(reason(agent.call("verify")), Reason::internal_error);
  EXPECT_TRUE(agent.call("cleanup").result);
}

TEST_F(Serve, SendsTheLastProgressAndNotAll) {
  plugin.set_verify([](Context& context) -> Result<protocol::ReadResult> {
    for (std::uint64_t i = 1; i <= 10'000; ++i) context.progress(i, 10'000, "reading");
    return protocol::ReadResult();
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  EXPECT_TRUE(agent.call("verify").result);
  ASSERT_FALSE(agent.notifications.empty());
  EXPECT_LT(agent.notifications.size(), 100U);
  EXPECT_EQ(agent.notifications.back().params.at("bytes_done"), 10'000);
}

TEST_F(Serve, SendsNoProgressOutsideOfARequest) {
  std::atomic<Context*> kept{nullptr};
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    kept = &context;
    return protocol::ReadResult();
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.call("verify");
  kept.load()->progress(1, 2, "late");
  EXPECT_TRUE(agent.call("shutdown").result);
  EXPECT_TRUE(agent.notifications.empty());
}

TEST_F(Serve, ExplainsOptionsWithoutARun) {
  AgentEnd agent(plugin);
  EXPECT_EQ(reason(agent.call("explain", {{"options", boost::json::object()}})),
            Reason::plugin_protocol);
  plugin.explained = {"storage: here"};
  const auto response = agent.call("explain", {{"options", boost::json::object()}});
  ASSERT_TRUE(response.result);
  EXPECT_EQ(response.result->at("lines"), (boost::json::array{"storage: here"}));
  EXPECT_EQ(reason(agent.call("explain", {{"options", {{"odd", 1}}}})), Reason::config_invalid);
  EXPECT_EQ(agent.call("explain").error_code, protocol::kInvalidParams);
  agent.close_input();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_EQ(plugin.cleanups, 0);
}

TEST_F(Serve, OffersNoMethodOfARoleItLacks) {
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  EXPECT_EQ(agent.call("start", {{"artifact", nullptr}}).error_code, protocol::kMethodNotFound);
}

TEST_F(Serve, RefusesParamsOfTheWrongType) {
  AgentEnd agent(plugin);
  EXPECT_EQ(agent.call("initialize", {{"versions", "1"}}).error_code, protocol::kInvalidParams);
  agent.begin(dir.path());
  EXPECT_EQ(agent.call("diagnose", {{"stage", "lunch"}}).error_code, protocol::kInvalidParams);
  EXPECT_EQ(agent.call("check", {{"checks", 5}}).error_code, protocol::kInvalidParams);
}

TEST_F(Serve, MovesManyOutcomesToAFileAndRemovesItInCleanup) {
  plugin.on_check = [](const protocol::CheckParams& params, Context&) {
    protocol::CheckResult result;
    for (int i = 0; i < 1500; ++i) {
      CheckOutcome outcome;
      outcome.name = i == 0 ? params.checks.front().name : "deep/" + std::to_string(i);
      outcome.check = "deep";
      outcome.outcome = Outcome::pass;
      result.outcomes.push_back(std::move(outcome));
    }
    return Result<protocol::CheckResult>(std::move(result));
  };
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  protocol::CheckParams params;
  params.checks = {{"deep", "deep", {}}};
  const auto answer = agent.call("check", to_json(params));
  ASSERT_TRUE(answer.result);
  const auto result = protocol::from_json<protocol::CheckResult>(*answer.result);
  ASSERT_TRUE(result);
  EXPECT_EQ(protocol::decode_outcomes(read_file(result->outcomes_file).value())->size(), 1500U);
  EXPECT_TRUE(agent.call("cleanup").result);
  EXPECT_FALSE(std::filesystem::exists(result->outcomes_file));
}

TEST_F(Serve, RefusesAnAnswerThatIsTooLong) {
  plugin.set_verify([](Context&) {
    protocol::ReadResult result;
    result.findings.assign(1000, {"code", std::string(3000, 'x'), ""});
    return Result<protocol::ReadResult>(std::move(result));
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  const auto answer = agent.call("verify");
  EXPECT_EQ(reason(answer), Reason::internal_error);
  EXPECT_THAT(answer.error->message, HasSubstr("1048576"));
}

TEST_F(Serve, AnswersGarbageWhileARequestRuns) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    running.count_down();
    wait_for_stop(context);
    return fail(Reason::cancelled, "stopped");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  const auto id = agent.send("verify");
  running.wait();
  agent.send_bytes("garbage\n");
  const auto refused = agent.response();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error_code, protocol::kParseError);
  EXPECT_EQ(refused->id, 0);
  agent.notify("cancel", {{"id", id}});
  EXPECT_EQ(agent.response()->id, id);
}

TEST_F(Serve, RefusesRequestsWithoutEnd) {
  std::latch running(1);
  plugin.set_verify([&](Context& context) -> Result<protocol::ReadResult> {
    if (!context.stopping()) running.count_down();
    wait_for_stop(context);
    return fail(Reason::cancelled, "stopped");
  });
  AgentEnd agent(plugin);
  agent.begin(dir.path());
  agent.send("verify");
  running.wait();
  for (int i = 0; i < 65; ++i) agent.send("verify");
  const auto refused = agent.response();
  ASSERT_TRUE(refused && refused->error);
  EXPECT_THAT(refused->error->message, HasSubstr("waiting"));
  agent.notify("cancel");
  for (int i = 0; i < 65; ++i) EXPECT_EQ(reason(*agent.response()), Reason::cancelled);
}

}  // namespace
}  // namespace rad::sdk
