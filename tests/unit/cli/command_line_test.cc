// The table of commands, and what is made of it.
#include <set>

#include <gtest/gtest.h>

#include "agent/cli/command_line/help.h"
#include "agent/cli/command_line/man_page.h"
#include "agent/cli/command_line/parse.h"
#include "agent/cli/rad_agent_commands.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/radctl_commands.h"
#include "agent/report/layout.h"
#include "tests/support/golden.h"

namespace rad::cli {
namespace {

ParseOutcome parse(const std::vector<std::string>& words) {
  return parse_command_line(radctl::program(), words);
}

std::string mistake(const std::vector<std::string>& words) {
  const ParseOutcome outcome = parse(words);
  if (outcome.parsed) return "none";
  return "error: " + outcome.stop.text + "\nhint: " + outcome.stop.hint + "\n";
}

std::string all_help(const ProgramSpec& program) {
  std::string out = program_help(program);
  for (const std::string_view noun : nouns(program)) out += "\n----\n" + noun_help(program, noun);
  for (const CommandSpec& command : program.commands) {
    out += "\n----\n" + command_help(program, command);
  }
  return out;
}

TEST(CommandTable, EveryRowOfRadctlHasItsHandler) {
  for (const CommandSpec& command : radctl::program().commands) {
    EXPECT_NE(radctl::find_handler(command.path), nullptr) << command.path;
  }
  EXPECT_EQ(radctl::find_handler("run strat"), nullptr);
}

TEST(CommandTable, RowsAreWholeAndUnique) {
  for (const ProgramSpec* program : {&radctl::program(), &rad_agent_program()}) {
    std::set<std::string_view> paths;
    for (const CommandSpec& command : program->commands) {
      EXPECT_TRUE(paths.insert(command.path).second) << command.path;
      EXPECT_FALSE(command.summary.empty()) << command.path;
      EXPECT_FALSE(command.summary.ends_with('.')) << command.path;
      std::set<std::string_view> names;
      for (const auto* options : {&program->options, &command.options}) {
        for (const OptionSpec& option : *options) {
          EXPECT_TRUE(names.insert(option.name).second) << command.path << " " << option.name;
          EXPECT_TRUE(option.short_name.empty() || names.insert(option.short_name).second)
              << command.path << " " << option.short_name;
          EXPECT_FALSE(option.help.empty()) << command.path << " " << option.name;
        }
      }
      for (const ExampleSpec& example : command.examples) {
        EXPECT_NE(example.command.find(program->name), std::string_view::npos) << example.command;
      }
    }
  }
}

TEST(CommandTable, HelpFitsEightyColumns) {
  for (const ProgramSpec* program : {&radctl::program(), &rad_agent_program()}) {
    const std::string text = all_help(*program);
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      const std::string line = text.substr(begin, end - begin);
      // Examples are to be copied and stay on one line.
      if (!line.starts_with("  " + std::string(program->name))) {
        EXPECT_LE(columns(line), 80U) << line;
      }
      begin = end + 1;
    }
  }
}

TEST(CommandTable, HelpIsAsAgreed) {
  test::expect_golden("radctl/help.txt", all_help(radctl::program()));
  test::expect_golden("radctl/help_rad_agent.txt", all_help(rad_agent_program()));
}

TEST(CommandTable, ManualPagesAreCurrent) {
  test::expect_golden("../../docs/man/radctl.1", man_page(radctl::program()));
  test::expect_golden("../../docs/man/rad-agent.8", man_page(rad_agent_program()));
}

TEST(ParseCommandLine, FindsCommandArgumentsAndOptions) {
  const auto outcome = parse({"run", "start", "customers-db", "--reason", "a b", "-d", "verify",
                              "--hold=4h", "--wait", "--json"});
  ASSERT_TRUE(outcome.parsed) << outcome.stop.text;
  const Parsed& parsed = *outcome.parsed;
  EXPECT_EQ(parsed.command->path, "run start");
  EXPECT_EQ(parsed.text("TARGET"), "customers-db");
  EXPECT_EQ(parsed.text("--reason"), "a b");
  EXPECT_EQ(parsed.text("--depth"), "verify");
  EXPECT_EQ(parsed.text("--hold"), "4h");
  EXPECT_TRUE(parsed.has("--wait"));
  EXPECT_TRUE(parsed.has("--json"));
}

TEST(ParseCommandLine, GivesDefaultsOfTheTable) {
  const auto outcome = parse({"run", "start", "x", "-r", "y"});
  ASSERT_TRUE(outcome.parsed);
  EXPECT_EQ(outcome.parsed->text("--depth"), "restore");
  EXPECT_EQ(outcome.parsed->text("--if-busy"), "queue");
  EXPECT_FALSE(outcome.parsed->given("--depth"));
  EXPECT_FALSE(outcome.parsed->has("--wait"));
}

TEST(ParseCommandLine, TakesOptionsOfEveryCommandAnywhere) {
  for (const auto& words : {std::vector<std::string>{"--socket", "/s", "run", "list"},
                            std::vector<std::string>{"run", "list", "--socket=/s"}}) {
    const auto outcome = parse(words);
    ASSERT_TRUE(outcome.parsed) << outcome.stop.text;
    EXPECT_EQ(outcome.parsed->command->path, "run list");
    EXPECT_EQ(outcome.parsed->text("--socket"), "/s");
  }
}

TEST(ParseCommandLine, DoesNotTakeATargetForACommand) {
  for (const std::string name : {"status", "list", "run", "start", "help"}) {
    const auto outcome = parse({"run", "start", name, "--reason", "x"});
    ASSERT_TRUE(outcome.parsed) << name << ": " << outcome.stop.text;
    EXPECT_EQ(outcome.parsed->command->path, "run start");
    EXPECT_EQ(outcome.parsed->text("TARGET"), name);
  }
}

TEST(ParseCommandLine, TakesTheLastOfAnOptionGivenTwice) {
  const auto outcome = parse({"run", "list", "-n", "5", "--limit", "7"});
  ASSERT_TRUE(outcome.parsed) << outcome.stop.text;
  EXPECT_EQ(outcome.parsed->text("--limit"), "7");
}

TEST(ParseCommandLine, KeepsAnEmptyValue) {
  const auto outcome = parse({"run", "start", "x", "--reason", ""});
  ASSERT_TRUE(outcome.parsed) << outcome.stop.text;
  EXPECT_TRUE(outcome.parsed->has("--reason"));
  EXPECT_EQ(outcome.parsed->text("--reason"), "");
}

TEST(ParseCommandLine, AnArgumentThatIsEmptyIsNotOneThatWasLeftOut) {
  for (const std::string word : {"show", "wait", "logs"}) {
    EXPECT_TRUE(parse({"run", word}).parsed) << word;
    const auto outcome = parse({"run", word, ""});
    ASSERT_FALSE(outcome.parsed) << word;
    EXPECT_EQ(outcome.stop.kind, ParseStop::Kind::mistake);
    EXPECT_TRUE(outcome.stop.text.starts_with("RUN is empty: ")) << outcome.stop.text;
  }
}

TEST(ParseCommandLine, AnswersHelpAndVersionWhateverElseIsThere) {
  for (const auto& words :
       {std::vector<std::string>{"run", "start", "--help"},
        std::vector<std::string>{"-h", "run", "start"},
        std::vector<std::string>{"--socket", "/s", "run", "start", "x", "--depth", "-h"}}) {
    const auto outcome = parse(words);
    ASSERT_FALSE(outcome.parsed);
    EXPECT_EQ(outcome.stop.kind, ParseStop::Kind::help);
    EXPECT_TRUE(outcome.stop.text.starts_with("test the backups of a target now"));
  }
  EXPECT_TRUE(parse({"run", "--help"}).stop.text.starts_with("radctl run\n"));
  EXPECT_TRUE(parse({"--help"}).stop.text.starts_with("radctl: "));
  EXPECT_EQ(parse({"--version"}).stop.text, "radctl " RAD_VERSION "\n");
}

TEST(ParseCommandLine, ExplainsMistakes) {
  std::string all;
  for (const auto& words : {
           std::vector<std::string>{"--json"},
           {"statsu"},
           {"run"},
           {"run", "strat", "x"},
           {"run", "zzzzzz"},
           {"run", "start"},
           {"run", "start", "x"},
           {"run", "start", "x", "--reasn", "y"},
           {"run", "start", "x", "--reason"},
           {"run", "start", "x", "--reason", "y", "--depth", "restor"},
           {"run", "start", "x", "--reason", "y", "--depth", "qqq"},
           {"run", "start", "x", "y", "--reason", "z"},
           {"run", "list", "-x"},
           {"status", "x"},
           {"status", "--socket"},
           {"completion", "powershell"},
           {"status", "\033[31m"},
       }) {
    std::string line = "$ radctl";
    for (const std::string& word : words) line += " " + word;
    all += (words.back().front() == '\033' ? "$ radctl status ESC" : line) + "\n" + mistake(words);
  }
  test::expect_golden("radctl/mistakes.txt", all);
}

}  // namespace
}  // namespace rad::cli
