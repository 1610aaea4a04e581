#include <gtest/gtest.h>

#include "plugins/protocol/codec.h"

namespace rad::protocol {
namespace {

std::vector<std::string> all(LineSplitter& splitter) {
  std::vector<std::string> lines;
  while (auto line = splitter.next()) lines.push_back(*std::move(line));
  return lines;
}

TEST(LineSplitter, GivesNothingBeforeTheNewline) {
  LineSplitter splitter;
  ASSERT_TRUE(splitter.feed("half a li"));
  EXPECT_FALSE(splitter.next());
  ASSERT_TRUE(splitter.feed("ne\nrest"));
  EXPECT_EQ(splitter.next(), "half a line");
  EXPECT_FALSE(splitter.next());
}

TEST(LineSplitter, GivesTheSameLinesHoweverTheBytesArrive) {
  const std::string text = "one\n\ntwo\nthree three three\n\n";
  const std::vector<std::string> expected{"one", "", "two", "three three three", ""};
  for (std::size_t chunk = 1; chunk <= text.size(); ++chunk) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += chunk) {
      ASSERT_TRUE(splitter.feed(std::string_view(text).substr(at, chunk)));
      for (std::string& line : all(splitter)) lines.push_back(std::move(line));
    }
    EXPECT_EQ(lines, expected) << "chunks of " << chunk;
  }
}

TEST(LineSplitter, GathersLinesUntilTheyAreAskedFor) {
  LineSplitter splitter;
  ASSERT_TRUE(splitter.feed("a\nb"));
  ASSERT_TRUE(splitter.feed("c\nd\n"));
  EXPECT_EQ(all(splitter), (std::vector<std::string>{"a", "bc", "d"}));
}

TEST(LineSplitter, TakesALineOfExactlyTheLimit) {
  LineSplitter splitter;
  const std::string line(kMaxLineBytes - 1, 'x');
  ASSERT_TRUE(splitter.feed("short\n" + line + "\nshort\n"));
  EXPECT_EQ(all(splitter), (std::vector<std::string>{"short", line, "short"}));
}

TEST(LineSplitter, RefusesALineOneByteLonger) {
  LineSplitter splitter;
  const auto status = splitter.feed("short\n" + std::string(kMaxLineBytes, 'x') + "\nlater\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().reason, Reason::plugin_protocol);
  EXPECT_EQ(all(splitter), std::vector<std::string>{"short"});
}

TEST(LineSplitter, RefusesAnEndlessLineAsSoonAsItIsTooLong) {
  LineSplitter splitter;
  ASSERT_TRUE(splitter.feed(std::string(kMaxLineBytes - 1, 'x')));
  EXPECT_FALSE(splitter.feed("x"));
}

TEST(LineSplitter, TakesNothingMoreOnceBroken) {
  LineSplitter splitter;
  ASSERT_FALSE(splitter.feed(std::string(kMaxLineBytes, 'x')));
  EXPECT_FALSE(splitter.feed("\nfine\n"));
  EXPECT_FALSE(splitter.next());
}

}  // namespace
}  // namespace rad::protocol
