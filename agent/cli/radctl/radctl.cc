#include "agent/cli/radctl/radctl.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/cli/command_line/completion.h"
#include "agent/cli/command_line/help.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/radctl_commands.h"

namespace rad::radctl {
namespace {

struct Handler {
  std::string_view path;
  Command command;
};

constexpr std::array kHandlers{
    Handler{"status", &status},
    Handler{"target list", &target_list},
    Handler{"target show", &target_show},
    Handler{"schedule list", &schedule_list},
    Handler{"schedule pause", &schedule_pause},
    Handler{"schedule resume", &schedule_resume},
    Handler{"backup list", &backup_list},
    Handler{"run start", &run_start},
    Handler{"run wait", &run_wait},
    Handler{"run list", &run_list},
    Handler{"run show", &run_show},
    Handler{"run logs", &run_logs},
    Handler{"run cancel", &run_cancel},
    Handler{"hold list", &hold_list},
    Handler{"hold psql", &hold_psql},
    Handler{"hold release", &hold_release},
    Handler{"report", &report},
    Handler{"plugin list", &plugin_list},
    Handler{"reload", &reload},
    Handler{"audit", &audit},
    Handler{"completion", &completion},
    Handler{"help", &help},
};

constexpr std::chrono::seconds kCompletionLimit{2};
constexpr std::chrono::milliseconds kShortestLimit{100};

std::vector<std::string> texts_of(const Answered<boost::json::object>& answer,
                                  std::string_view list, std::string_view key) {
  std::vector<std::string> found;
  if (!answer) return found;
  for (const JsonView& member : JsonView(*answer).list(list)) {
    const std::string text = member.text(key);
    if (std::ranges::find(found, text) == found.end()) found.push_back(text);
  }
  return found;
}

/// Names that exist on this host. Errors are silence: a completion must not talk.
std::vector<std::string> names(const Surroundings& surroundings, cli::Words kind,
                               const std::vector<std::string>& before) {
  std::string socket = surroundings.socket;
  for (std::size_t i = 0; i + 1 < before.size(); ++i) {
    if (before[i] == "--socket") socket = before[i + 1];
  }
  ControlClient client(socket, kCompletionLimit);
  const auto ask = [&client](const std::string& path) { return client.get(path); };
  switch (kind) {
    case cli::Words::targets:
      return texts_of(ask("/v1/targets"), "targets", "name");
    case cli::Words::schedules:
      return texts_of(ask("/v1/schedules"), "schedules", "schedule");
    case cli::Words::runs:
      return texts_of(ask("/v1/runs?limit=20"), "runs", "id");
    case cli::Words::holds:
      return texts_of(ask("/v1/holds"), "holds", "run_id");
    case cli::Words::backups:
      // The target is the word after `backup list` or `run start`.
      for (std::size_t i = 2; i < before.size(); ++i) {
        if (before[i].starts_with('-')) continue;
        return texts_of(ask("/v1/targets/" + encode(before[i]) + "/backups"), "backups", "name");
      }
      return {};
    default:
      return {};
  }
}

int complete_words(const Surroundings& surroundings, const std::vector<std::string>& words) {
  const auto found =
      cli::complete(program(), words, [&](cli::Words kind, const std::vector<std::string>& before) {
        return names(surroundings, kind, before);
      });
  std::string out;
  for (const cli::Candidate& candidate : found) {
    out += candidate.text.empty() ? candidate.word + "\n"
                                  : fmt::format("{}\t{}\n", candidate.word, candidate.text);
  }
  cli::write_out(stdout, out);
  return kOk;
}

}  // namespace

Command find_handler(std::string_view path) {
  const auto row = std::ranges::find(kHandlers, path, &Handler::path);
  return row == kHandlers.end() ? nullptr : row->command;
}

int completion(const Context&, const cli::Parsed& parsed) {
  const auto script = cli::completion_script(program(), parsed.text("SHELL"));
  cli::write_out(stdout, script.value_or(""));
  return kOk;
}

int help(const Context&, const cli::Parsed& parsed) {
  const auto given = parsed.values.find("COMMAND");
  const std::vector<std::string> words =
      given == parsed.values.end() ? std::vector<std::string>{} : given->second;
  const std::string text = cli::help_on(program(), words);
  if (text.empty()) {
    cli::print_problem(fmt::format("there is no command '{}'", fmt::join(words, " ")),
                       "'radctl help' lists them all");
    return kUsage;
  }
  cli::write_out(stdout, text);
  return kOk;
}

namespace {

int answer(const std::vector<std::string>& words, const Surroundings& surroundings) {
  if (!words.empty() && words.front() == "complete-words") {
    return complete_words(surroundings, {words.begin() + 1, words.end()});
  }
  if (words.empty()) {
    cli::write_out(stdout, cli::program_help(program()));
    return kUsage;
  }
  const SystemClock clock;
  const cli::ParseOutcome outcome = cli::parse_command_line(program(), words);
  const std::string socket = outcome.parsed && outcome.parsed->has("--socket")
                                 ? outcome.parsed->text("--socket")
                                 : surroundings.socket;
  const std::string limit_text = outcome.parsed ? outcome.parsed->text("--timeout") : "";
  const auto limit = parse_duration(limit_text.empty() ? "30s" : limit_text);
  ControlClient client(socket, limit ? *limit : kShortestLimit);
  Context context{.client = client,
                  .clock = clock,
                  .style = terminal_style(STDOUT_FILENO, surroundings.allow_colour),
                  .json = std::ranges::find(words, "--json") != words.end(),
                  .interactive = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1};
  if (!outcome.parsed) {
    if (outcome.stop.kind != cli::ParseStop::Kind::mistake) {
      cli::write_out(stdout, outcome.stop.text);
      return kOk;
    }
    return refuse(context, {.exit_status = kUsage,
                            .reason = "usage",
                            .message = outcome.stop.text,
                            .hint = outcome.stop.hint});
  }
  if (!limit || *limit < kShortestLimit) {
    return refuse(context,
                  {.exit_status = kUsage,
                   .reason = "usage",
                   .message = fmt::format("--timeout cannot be '{}': a duration such as 30s",
                                          printable(limit_text, 100)),
                   .hint = {}});
  }
  const Command command = find_handler(outcome.parsed->command->path);
  return command == nullptr ? static_cast<int>(kUsage) : command(context, *outcome.parsed);
}

}  // namespace

int run(const std::vector<std::string>& words, const Surroundings& surroundings) {
  const int status = answer(words, surroundings);
  const std::string failure = cli::output_failure();
  if (failure.empty()) return status;
  cli::print_problem("the answer could not be written to stdout: " + failure,
                     "make space where it goes, or send it elsewhere");
  return status == kOk ? static_cast<int>(kInconclusive) : status;
}

}  // namespace rad::radctl
