// Reading answers that may be of another version, or hostile.
#include "agent/cli/radctl/json_view.h"

#include <gtest/gtest.h>

#include "agent/base/json.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

boost::json::object parse(std::string_view text) {
  auto value = json::parse(text, "the test");
  return value->as_object();
}

TEST(JsonView, ReadsWhatIsThere) {
  const auto object = parse(
      R"({"t":"x","n":5,"b":true,"at":"2026-11-20T18:44:51Z","s":1.5,"o":{"k":"v"},"l":[{"i":1},7]})");
  const JsonView view(object);
  EXPECT_EQ(view.text("t"), "x");
  EXPECT_EQ(view.number("n"), 5U);
  EXPECT_TRUE(view.flag("b"));
  EXPECT_EQ(utc_time(view.time("at")), "2026-11-20 18:44 UTC");
  EXPECT_EQ(view.seconds("s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(view.object("o").text("k"), "v");
  ASSERT_EQ(view.list("l").size(), 1U);
  EXPECT_EQ(view.list("l")[0].number("i"), 1U);
}

TEST(JsonView, IsEmptyForWhatIsMissingOrOfAnotherType) {
  const auto object =
      parse(R"({"t":7,"n":"x","neg":-3,"b":"true","at":"soon","s":-1,"o":[],"l":{}})");
  for (const JsonView& view : {JsonView(object), JsonView()}) {
    EXPECT_EQ(view.text("t"), "");
    EXPECT_EQ(view.number("n"), 0U);
    EXPECT_EQ(view.number("neg"), 0U);
    EXPECT_FALSE(view.flag("b"));
    EXPECT_FALSE(view.time("at"));
    EXPECT_FALSE(view.seconds("s"));
    EXPECT_EQ(view.object("o").raw(), nullptr);
    EXPECT_TRUE(view.list("l").empty());
    EXPECT_TRUE(view.texts("l").empty());
    EXPECT_FALSE(view.has("missing"));
  }
}

TEST(JsonView, MakesEveryTextPrintable) {
  const auto object = parse("{\"t\":\"a\\u001b[31mb\\nc\\u202e\",\"l\":[\"\\u0007\"]}");
  EXPECT_EQ(JsonView(object).text("t"), "a?[31mb c?");
  EXPECT_EQ(JsonView(object).texts("l").front(), "?");
}

TEST(Relative, SaysHowFarAway) {
  const TimePoint now{std::chrono::hours(500'000)};
  EXPECT_EQ(relative(std::nullopt, now), "never");
  EXPECT_EQ(relative(now, now), "now");
  EXPECT_EQ(relative(now + std::chrono::minutes(5), now), "in 5m");
  EXPECT_EQ(relative(now - std::chrono::milliseconds(45'900), now), "45s ago");
  EXPECT_EQ(relative(now - std::chrono::minutes(200) - std::chrono::seconds(7), now), "3h 20m ago");
}

}  // namespace
}  // namespace rad::radctl
