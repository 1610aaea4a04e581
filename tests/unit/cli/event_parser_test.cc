// Server-sent events in whatever pieces they come.
#include <gtest/gtest.h>

#include "agent/cli/radctl/control_client.h"
#include "agent/cli/radctl/event_stream.h"

namespace rad::radctl {
namespace {

constexpr std::string_view kStream =
    ": hello\n\nid: 1\nevent: stage\ndata: {\"stage\":\"fetch\"}\n\n"
    "event:waiting\r\ndata:{}\r\n\r\n"
    "id: x\nevent: log\ndata: a\ndata: b\nretry: 5\n\nevent: empty\n\n";

void expect_all(const std::vector<ServerEvent>& events) {
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].number, 1U);
  EXPECT_EQ(events[0].type, "stage");
  EXPECT_EQ(events[0].data, "{\"stage\":\"fetch\"}");
  EXPECT_FALSE(events[1].number);
  EXPECT_EQ(events[1].type, "waiting");
  EXPECT_EQ(events[1].data, "{}");
  EXPECT_FALSE(events[2].number);
  EXPECT_EQ(events[2].data, "a\nb");
}

TEST(EventParser, TakesAWholeStream) {
  EventParser parser;
  expect_all(parser.feed(kStream));
}

TEST(EventParser, TakesAStreamInPiecesOfAnySize) {
  for (std::size_t size = 1; size < 40; ++size) {
    EventParser parser;
    std::vector<ServerEvent> events;
    for (std::size_t at = 0; at < kStream.size(); at += size) {
      for (ServerEvent& event : parser.feed(kStream.substr(at, size))) {
        events.push_back(std::move(event));
      }
    }
    expect_all(events);
  }
}

TEST(EventParser, LeavesOutALineWithoutEnd) {
  EventParser parser;
  const std::string flood(1U << 20U, 'x');
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(parser.feed(flood).empty());
  EXPECT_TRUE(parser.feed("\n\n").empty());
  EXPECT_EQ(parser.feed("event: end\ndata: {}\n\n").size(), 1U);
}

TEST(Refusal, SaysWhatTheAgentSaid) {
  const Refusal refusal =
      refusal_of(403, R"({"error":{"reason":"access_denied","message":"m","hint":"h"}})");
  EXPECT_EQ(refusal.exit_status, kNotPermitted);
  EXPECT_EQ(refusal.message, "m");
  EXPECT_EQ(refusal.hint, "h");
}

TEST(Refusal, HasAnExitStatusForEachStatus) {
  for (const auto& [status, expected] :
       {std::pair{400, kUsage}, std::pair{404, kUsage}, std::pair{403, kNotPermitted},
        std::pair{409, kInconclusive}, std::pair{408, kInconclusive}, std::pair{500, kInconclusive},
        std::pair{503, kInconclusive}}) {
    EXPECT_EQ(refusal_of(status, "").exit_status, expected) << status;
  }
}

TEST(Refusal, IsNotMisledByGarbage) {
  for (const char* body : {"", "<html>", "[]", "{\"error\":7}", "{\"error\":{}}", "{\"error\":"}) {
    const Refusal refusal = refusal_of(500, body);
    EXPECT_EQ(refusal.message, "the agent answered with status 500") << body;
  }
}

TEST(Encode, MakesNamesFitForPaths) {
  EXPECT_EQ(encode("a b/../c?d=é"), "a%20b%2F..%2Fc%3Fd%3D%C3%A9");
  EXPECT_EQ(encode("customers-db_1.x"), "customers-db_1.x");
}

}  // namespace
}  // namespace rad::radctl
