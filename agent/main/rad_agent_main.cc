// rad-agent: the daemon, and the same run in the foreground.

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/cli/command_line/completion.h"
#include "agent/cli/command_line/help.h"
#include "agent/cli/command_line/parse.h"
#include "agent/cli/commands.h"
#include "agent/cli/rad_agent_commands.h"
#include "agent/config/loader.h"
#include "agent/main/serve.h"

namespace {

using namespace rad;

constexpr std::chrono::hours kLongestHold{30 * 24};

std::string user_name() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::getuid());
}

/// Targets of the configuration; silence if it cannot be read.
std::vector<std::string> target_names(const std::filesystem::path& config) {
  std::vector<std::string> names;
  for (const TargetConfig& target : load_config(config).config.targets) {
    names.push_back(target.name);
  }
  return names;
}

int complete_words(std::filesystem::path config, const std::vector<std::string>& words) {
  const auto names = [&config](cli::Words kind, const std::vector<std::string>& before) {
    for (std::size_t i = 0; i + 1 < before.size(); ++i) {
      if (before[i] == "--config" || before[i] == "-c") config = before[i + 1];
    }
    return kind == cli::Words::targets ? target_names(config) : std::vector<std::string>{};
  };
  for (const cli::Candidate& found : cli::complete(cli::rad_agent_program(), words, names)) {
    cli::write_out(stdout, found.text.empty() ? found.word + "\n"
                                              : fmt::format("{}\t{}\n", found.word, found.text));
  }
  return cli::kOk;
}

int help(const cli::Parsed& parsed) {
  const auto given = parsed.values.find("COMMAND");
  const std::string text =
      cli::help_on(cli::rad_agent_program(),
                   given == parsed.values.end() ? std::vector<std::string>{} : given->second);
  if (text.empty()) {
    cli::print_problem(fmt::format("there is no command '{}'", parsed.text("COMMAND")),
                       "'rad-agent help' lists them all");
    return cli::kUsage;
  }
  cli::write_out(stdout, text);
  return cli::kOk;
}

int run(const cli::CommonOptions& common, const cli::Parsed& parsed) {
  cli::RunOptions options;
  options.requested_by = user_name();
  options.target = parsed.text("TARGET");
  options.depth = parse_depth(parsed.text("--depth")).value_or(Depth::restore);
  options.backup = parsed.text("--backup");
  options.recover_to = parsed.text("--recover-to");
  options.note = parsed.text("--reason");
  options.format = parsed.text("--format");
  options.if_busy = parsed.text("--if-busy");
  if (parsed.has("--hold")) {
    const auto hold = parse_duration(parsed.text("--hold"));
    if (!hold || hold->count() <= 0 || *hold > kLongestHold) {
      cli::print_problem(
          fmt::format("--hold '{}' is no duration of up to 30d", parsed.text("--hold")),
          "for example 90m, 4h or 2d");
      return cli::kUsage;
    }
    options.hold = *hold;
  }
  options.quiet = parsed.has("--quiet");
  cli::CommonOptions chosen = common;
  if (options.format == "json") chosen.json = true;
  return cli::run_command(chosen, options);
}

int dispatch(cli::CommonOptions common, const cli::Parsed& parsed) {
  if (parsed.has("--config")) common.config = parsed.text("--config");
  common.json = parsed.has("--json");
  const std::string_view path = parsed.command->path;
  if (path == "run") return run(common, parsed);
  if (path == "serve") return serve(common);
  if (path == "hold") {
    return cli::hold_command(common, {parsed.text("RUN"), parsed.has("--detach")});
  }
  if (path == "check-config") return cli::check_config_command(common, !parsed.has("--no-plugins"));
  if (path == "selftest") return cli::selftest_command(common, parsed.text("TARGET"));
  if (path == "explain") return cli::explain_command(common, parsed.text("KEY"));
  if (path == "help") return help(parsed);
  const auto script = cli::completion_script(cli::rad_agent_program(), parsed.text("SHELL"));
  cli::write_out(stdout, script.value_or(""));
  return cli::kOk;
}

}  // namespace

int main(int argc, char** argv) {
  // Plugins die while they are written to, and readers of our output go away: that is told by
  // EPIPE.
  ::signal(SIGPIPE, SIG_IGN);
  cli::CommonOptions common;
  std::error_code ec;
  common.executable = std::filesystem::read_symlink("/proc/self/exe", ec);
  common.allow_colour = std::getenv("NO_COLOR") == nullptr &&
                        std::string(std::getenv("TERM") ? std::getenv("TERM") : "") != "dumb";
  if (const char* path = std::getenv("RAD_CONFIG")) common.config = path;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "complete-words") {
    return complete_words(common.config, {words.begin() + 1, words.end()});
  }
  const cli::ParseOutcome outcome = cli::parse_command_line(cli::rad_agent_program(), words);
  if (!outcome.parsed) {
    if (outcome.stop.kind == cli::ParseStop::Kind::mistake) {
      cli::print_problem(outcome.stop.text, outcome.stop.hint);
      return cli::kUsage;
    }
    cli::write_out(stdout, outcome.stop.text);
    return cli::kOk;
  }
  log::init(log::Level::info);
  return dispatch(common, *outcome.parsed);
}
