#include "agent/plugin_host/plugin_conversation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plugin_host/socket_plugin.h"

namespace rad {
namespace {

using namespace std::chrono_literals;
using test::SocketPlugin;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string silence(const protocol::Message& /*message*/) {
  return {};
}

/// An error of the given reason, with a message that says where.
void expect_error(const Result<boost::json::object>& result, Reason reason, const char* words) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().reason, reason) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(words));
}

std::string progress(std::uint64_t bytes) {
  protocol::Progress made;
  made.bytes_done = bytes;
  return protocol::encode(protocol::Notification{"progress", protocol::to_json(made)});
}

TEST(PluginConversation, NeedsNoProcessAtItsFarEnd) {
  SocketPlugin plugin(test::answer);
  EXPECT_TRUE(plugin.call("initialize"));
  EXPECT_TRUE(plugin.call("preflight"));
  EXPECT_FALSE(plugin.conversation->early_end());
  plugin.stop();
  EXPECT_THAT(plugin.heard, ElementsAre("initialize", "preflight", "shutdown"));
  // Not by the death of a duplicate descriptor: the far end was told.
  EXPECT_TRUE(plugin.input_ended);
  EXPECT_EQ(plugin.peer->terminated, 0);
  EXPECT_EQ(plugin.peer->killed, 0);
  EXPECT_FALSE(plugin.conversation->early_end());
}

TEST(PluginConversation, GivesErrorsOfThePluginAsTheyAre) {
  SocketPlugin plugin([](const protocol::Message& message) {
    protocol::Response response;
    response.id = std::get<protocol::Request>(message).id;
    response.error = fail(Reason::decrypt_failed, "object 'x' is damaged");
    return protocol::encode(response);
  });
  expect_error(plugin.call("verify"), Reason::decrypt_failed, "object 'x' is damaged");
}

TEST(PluginConversation, HearsProgressLogsAndFreeText) {
  SocketPlugin plugin([](const protocol::Message& message) {
    protocol::LogLine line;
    line.level = "info";
    line.message = "hello";
    return progress(7) + protocol::encode(protocol::Notification{"log", protocol::to_json(line)}) +
           test::answer(message);
  });
  std::uint64_t bytes = 0;
  std::string logged;
  plugin.conversation->on_progress([&](const protocol::Progress& now) { bytes = now.bytes_done; });
  plugin.conversation->on_log([&](const protocol::LogLine& line) { logged = line.message; });
  EXPECT_TRUE(plugin.call("verify"));
  plugin.peer->say("beside the protocol\n");
  EXPECT_EQ(bytes, 7U);
  EXPECT_EQ(logged, "hello");
  EXPECT_EQ(plugin.conversation->captured_log(), "info: hello\nbeside the protocol\n");
}

TEST(PluginConversation, KeepsTheEndOfALongLog) {
  SocketPlugin plugin(silence);
  for (int i = 0; i < 300; ++i) plugin.peer->say(std::string(999, 'x') + "\n");
  plugin.peer->say("last");
  EXPECT_EQ(plugin.conversation->captured_log().size(), 64U << 10U);
  EXPECT_THAT(plugin.conversation->captured_log(), ::testing::EndsWith("\nlast"));
}

TEST(PluginConversation, SaysWhenAndHowThePluginEnded) {
  SocketPlugin plugin(silence);
  plugin.peer->say("out of luck");
  plugin.hang_up();
  const auto result = plugin.call("restore");
  expect_error(result, Reason::plugin_crashed, "during 'restore' with the end of its connection");
  EXPECT_EQ(result.error().detail, "out of luck");
  EXPECT_TRUE(result.error().retryable);
  ASSERT_TRUE(plugin.conversation->early_end());
  // Every later call fails at once with the same.
  expect_error(plugin.call("cleanup"), Reason::plugin_crashed, "during 'restore'");
}

TEST(PluginConversation, BlamesTheHostForALauncherThatFails) {
  SocketPlugin plugin(silence);
  plugin.peer->say("error: rad-launch: making mounts private: Invalid argument\n");
  plugin.hang_up();
  const auto result = plugin.call("initialize");
  expect_error(result, Reason::host_unfit,
               "could not be isolated: making mounts private: Invalid argument");
  EXPECT_FALSE(result.error().retryable);
}

TEST(PluginConversation, NoticesAnEndBetweenRequests) {
  SocketPlugin plugin(test::answer);
  EXPECT_TRUE(plugin.call("initialize"));
  plugin.hang_up();
  plugin.settle();
  ASSERT_TRUE(plugin.conversation->early_end());
  EXPECT_THAT(plugin.conversation->early_end()->message, HasSubstr("after 'initialize'"));
}

TEST(PluginConversation, BreaksOffWhatIsNoProtocol) {
  for (const char* line : {"garbage\n", R"({"jsonrpc":"2.0","id":99,"result":{}})"
                                        "\n"}) {
    SocketPlugin plugin([line](const protocol::Message&) { return std::string(line); });
    expect_error(plugin.call("verify"), Reason::plugin_protocol, "plugin 'far'");
    EXPECT_GT(plugin.peer->killed, 0) << line;
  }
}

TEST(PluginConversation, BreaksOffAnAnswerThatNobodyAskedFor) {
  SocketPlugin plugin(test::answer);
  EXPECT_TRUE(plugin.call("initialize"));
  plugin.write(R"({"jsonrpc":"2.0","id":2,"result":{}})"
               "\n");
  plugin.settle();
  expect_error(plugin.call("verify"), Reason::plugin_protocol, "nobody asked for");
}

TEST(PluginConversation, BreaksOffAFloodOfNotifications) {
  SocketPlugin plugin([](const protocol::Message&) {
    const std::string line = protocol::encode(
        protocol::Notification{"other", {{"padding", std::string(std::size_t{1} << 19U, 'x')}}});
    std::string flood;
    for (int i = 0; i < 130; ++i) flood += line;
    return flood;
  });
  expect_error(plugin.call("verify"), Reason::plugin_protocol, "64.0 MiB of notifications");
}

TEST(PluginConversation, CancelsWhatTakesTooLong) {
  std::int64_t asked = 0;
  SocketPlugin plugin([&asked](const protocol::Message& message) {
    if (const auto* request = std::get_if<protocol::Request>(&message)) {
      asked = request->id;
      return std::string();
    }
    protocol::Response response;
    response.id = asked;
    response.error = fail(Reason::cancelled, "as told");
    return protocol::encode(response);
  });
  const auto result = plugin.call("verify", {.timeout = 20ms});
  expect_error(result, Reason::timeout, "did not finish 'verify' within 20ms");
  EXPECT_TRUE(result.error().retryable);
  EXPECT_THAT(plugin.heard, ElementsAre("verify", "cancel"));
  EXPECT_EQ(plugin.peer->killed, 0);
}

TEST(PluginConversation, KillsWhatDoesNotObeyCancel) {
  SocketPlugin plugin(silence);
  plugin.conversation->cancel();
  expect_error(plugin.call("verify", {.grace = 20ms}), Reason::cancelled, "had to be killed");
  EXPECT_GT(plugin.peer->killed, 0);
}

TEST(PluginConversation, TakesBytesForProgressAndNothingElse) {
  int cancels = 0;
  SocketPlugin plugin([&cancels](const protocol::Message& message) {
    if (std::holds_alternative<protocol::Notification>(message)) ++cancels;
    return progress(7) + progress(7);
  });
  expect_error(plugin.call("verify", {.stall = 20ms, .grace = 20ms}), Reason::timeout,
               "made no progress in 'verify' for 20ms");
  EXPECT_EQ(cancels, 1);
}

TEST(PluginConversation, RefusesARequestLongerThanALineAndGoesOn) {
  SocketPlugin plugin(test::answer);
  const std::string method(protocol::kMaxLineBytes, 'm');
  ASSERT_FALSE(plugin.call(method));
  EXPECT_TRUE(plugin.call("verify"));
}

}  // namespace
}  // namespace rad
