// Cancelling and ending: PROTOCOL.md, "Stopping".
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/contract/contract_config.h"
#include "tests/contract/plugin_under_test.h"

namespace rad::contract {
namespace {

namespace bj = boost::json;
using ::testing::IsEmpty;

void expect_ended_clean(PluginUnderTest& plugin) {
  const auto status = plugin.wait();
  ASSERT_TRUE(status.has_value()) << "it still runs";
  EXPECT_EQ(status->text(), "exit code 0");
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
}

/// A plugin in the middle of its long request.
class InMidRequest : public PluginUnderTest {
 public:
  InMidRequest() {
    const auto& request = config().long_request;
    result_of(call("initialize", run_params(request.options)));
    if (request.method != "preflight") result_of(call("preflight"));
    id_ = send_long_request();
    await_sign_of_life(300ms);
  }
  std::int64_t send_long_request() {
    const auto& request = config().long_request;
    const bj::value params =
        place(request.params, {{"scratch", scratch()}, {"runtime", runtime()}});
    return send(request.method, params.as_object());
  }
  std::int64_t id() const { return id_; }

 private:
  std::int64_t id_ = 0;
};

void expect_cancelled(InMidRequest& plugin) {
  const auto answer = plugin.response(kStopLimit);
  ASSERT_TRUE(answer.has_value()) << "no answer after 'cancel'";
  EXPECT_EQ(answer->id, plugin.id());
  if (config().long_request.must_cancel || answer->error) {
    EXPECT_EQ(reason_of(*answer), Reason::cancelled);
  }
}

TEST(ContractCancel, EndsTheRunningRequest) {
  InMidRequest plugin;
  plugin.notify("cancel", {{"id", plugin.id()}});
  expect_cancelled(plugin);
  if (HasFailure()) return;
  result_of(plugin.call("cleanup"));
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
  result_of(plugin.call("shutdown"));
  expect_ended_clean(plugin);
}

TEST(ContractCancel, NeedsNoId) {
  InMidRequest plugin;
  plugin.notify("cancel", {});
  expect_cancelled(plugin);
}

TEST(ContractCancel, OfAnotherRequestChangesNothing) {
  InMidRequest plugin;
  plugin.notify("cancel", {{"id", plugin.id() + 100}});
  plugin.await_sign_of_life(300ms);
  plugin.notify("cancel", {{"id", plugin.id()}});
  expect_cancelled(plugin);
}

TEST(ContractCancel, OfAWaitingRequestIsHeard) {
  InMidRequest plugin;
  const auto waiting = plugin.send_long_request();
  plugin.notify("cancel", {{"id", waiting}});
  plugin.notify("cancel", {{"id", plugin.id()}});
  expect_cancelled(plugin);
  const auto answer = plugin.response(kStopLimit);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->id, waiting);
  EXPECT_EQ(reason_of(*answer), Reason::cancelled);
}

TEST(ContractEnd, OfInputBeforeAnything) {
  PluginUnderTest plugin;
  plugin.close_input();
  expect_ended_clean(plugin);
}

TEST(ContractEnd, OfInputInTheMiddleOfALine) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  ASSERT_TRUE(plugin.send_bytes(R"({"jsonrpc":"2.0","id":9,"meth)"));
  plugin.close_input();
  expect_ended_clean(plugin);
}

TEST(ContractEnd, OfInputRightAfterInitialize) {
  PluginUnderTest plugin;
  plugin.send("initialize", plugin.run_params());
  plugin.close_input();
  expect_ended_clean(plugin);
}

TEST(ContractEnd, OfInputAfterEachStepOfARun) {
  std::vector<std::string> steps{"initialize"};
  for (const std::string& method : config().run) {
    // Both need what came before; a stop in mid of them is OfInputInMidRequest's affair.
    if (method == "start" || method == "check") break;
    steps.push_back(method);
  }
  for (std::size_t count = 1; count <= steps.size(); ++count) {
    for (const bool answered : {false, true}) {
      PluginUnderTest plugin;
      for (std::size_t i = 0; i < count; ++i) {
        const bj::object params = i == 0 ? plugin.run_params() : bj::object();
        if (answered || i + 1 < count) {
          result_of(plugin.call(steps[i], params));
        } else {
          plugin.send(steps[i], params);
        }
      }
      plugin.close_input();
      expect_ended_clean(plugin);
    }
  }
}

TEST(ContractEnd, OfInputInMidRequest) {
  InMidRequest plugin;
  plugin.close_input();
  expect_ended_clean(plugin);
}

TEST(ContractEnd, OfBothInputAndOutput) {
  if (!config().accept.empty()) GTEST_SKIP() << "that is hanging up: rad-accept kills the plugin";
  InMidRequest plugin;
  plugin.close_output();
  plugin.close_input();
  const auto status = plugin.wait();
  ASSERT_TRUE(status.has_value());
  EXPECT_THAT(plugin.left_behind(), IsEmpty());
}

TEST(ContractEnd, BySigtermInMidRequest) {
  InMidRequest plugin;
  plugin.signal(SIGTERM);
  expect_ended_clean(plugin);
}

TEST(ContractEnd, BySigtermWhileIdle) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  plugin.signal(SIGTERM);
  expect_ended_clean(plugin);
}

TEST(ContractEnd, ByShutdownThatIsFollowedByTheEndOfInput) {
  PluginUnderTest plugin;
  result_of(plugin.call("initialize", plugin.run_params()));
  const auto id = plugin.send("shutdown");
  plugin.close_input();
  const auto answer = plugin.response(kStopLimit);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->id, id);
  // What `initialize` has made may stay: `shutdown` cleans nothing up.
  const auto status = plugin.wait();
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->text(), "exit code 0");
}

}  // namespace
}  // namespace rad::contract
