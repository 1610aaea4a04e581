// What a word on the command line may become.
#include "agent/cli/command_line/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/cli/radctl/radctl_commands.h"

namespace rad::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> complete_words(const std::vector<std::string>& words) {
  const auto names = [](Words kind, const std::vector<std::string>&) -> std::vector<std::string> {
    if (kind == Words::targets) return {"customers-db", "orders-db", "$(reboot)", "a b", "x;y"};
    if (kind == Words::runs) return {"20261120T184451-1a2b3c4d"};
    return {};
  };
  std::vector<std::string> found;
  for (const Candidate& candidate : complete(radctl::program(), words, names)) {
    found.push_back(candidate.word);
  }
  return found;
}

TEST(Completion, OffersCommandsThenVerbs) {
  EXPECT_THAT(complete_words({""}), Contains("run"));
  EXPECT_THAT(complete_words({"sta"}), ElementsAre("status"));
  EXPECT_THAT(complete_words({"run", "s"}), ElementsAre("start", "show"));
  EXPECT_THAT(complete_words({}), Contains("status"));
}

TEST(Completion, OffersNamesThatExist) {
  EXPECT_THAT(complete_words({"run", "start", ""}), ElementsAre("customers-db", "orders-db"));
  EXPECT_THAT(complete_words({"run", "start", "ord"}), ElementsAre("orders-db"));
  EXPECT_THAT(complete_words({"run", "show", "2026"}), ElementsAre("20261120T184451-1a2b3c4d"));
  EXPECT_THAT(complete_words({"run", "start", "customers-db", ""}), IsEmpty());
}

TEST(Completion, NeverOffersWhatAShellWouldRun) {
  EXPECT_THAT(complete_words({"run", "start", ""}), Not(Contains("$(reboot)")));
  EXPECT_THAT(complete_words({"run", "start", "x"}), IsEmpty());
}

TEST(Completion, OffersOptionsAndTheirValues) {
  EXPECT_THAT(complete_words({"run", "start", "x", "--de"}), ElementsAre("--depth"));
  EXPECT_THAT(complete_words({"run", "start", "x", "--depth", "v"}), ElementsAre("verify"));
  EXPECT_THAT(complete_words({"run", "start", "-d", ""}),
              ElementsAre("inspect", "verify", "restore"));
  // As bash splits --depth=v and --depth=.
  EXPECT_THAT(complete_words({"run", "start", "--depth", "=", "v"}), ElementsAre("verify"));
  EXPECT_THAT(complete_words({"run", "start", "--depth", "="}),
              ElementsAre("inspect", "verify", "restore"));
  EXPECT_THAT(complete_words({"run", "start", "--reason", "x", "cu"}), ElementsAre("customers-db"));
  EXPECT_THAT(complete_words({"--socket", "x", "stat"}), ElementsAre("status"));
}

TEST(Completion, LeavesFilesToTheShell) {
  EXPECT_THAT(complete_words({"status", "--socket", "/run/"}), ElementsAre(":files"));
}

TEST(Completion, KnowsTheWordsOfHelp) {
  EXPECT_THAT(complete_words({"help", "r"}), ElementsAre("run", "report", "reload"));
  EXPECT_THAT(complete_words({"help", "run", "c"}), ElementsAre("cancel"));
  EXPECT_THAT(complete_words({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
}

TEST(Completion, HasAScriptForEachShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(radctl::program(), shell);
    ASSERT_TRUE(script);
    EXPECT_EQ(script->find('@' + std::string("PROGRAM")), std::string::npos);
  }
  EXPECT_FALSE(completion_script(radctl::program(), "csh"));
}

}  // namespace
}  // namespace rad::cli
