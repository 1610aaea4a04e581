#include "agent/cli/radctl/radctl_commands.h"

namespace rad::radctl {

using cli::CommandSpec;
using cli::OptionSpec;
using cli::ProgramSpec;
using cli::Words;

namespace {

CommandSpec schedule_change(std::string_view path, std::string_view summary,
                            std::string_view detail, std::vector<OptionSpec> options) {
  options.insert(options.begin(),
                 {{.name = "--schedule",
                   .short_name = {},
                   .value = "NAME",
                   .help = "only this schedule of the target; all of them without it",
                   .words = Words::schedules},
                  {.name = "--all", .short_name = {}, .help = "every target"}});
  return {.path = path,
          .summary = summary,
          .detail = detail,
          .arguments = {{.name = "TARGET",
                         .help = "whose schedules, or a rotation; --all for every target",
                         .required = false,
                         .words = Words::targets}},
          .options = std::move(options)};
}

std::vector<CommandSpec> other_commands() {
  return {
      {.path = "report",
       .summary = "what is proved of every target: a summary in Markdown",
       .detail =
           "For each target what was proved, how recently, how fast, what failed, and what was "
           "never proved at all. Covers the last 31 days.",
       .options = {{.name = "--month",
                    .short_name = {},
                    .value = "YYYY-MM",
                    .help = "this calendar month (UTC) instead"}},
       .examples = {{"radctl report --month 2026-11 > rad-2026-11.md",
                     "the record of one Restore Appreciation Day"}}},
      {.path = "plugin list", .summary = "plugins, what they can do, and which are broken"},
      {.path = "reload",
       .summary = "load the configuration again",
       .detail =
           "All or nothing: a file with mistakes changes nothing, and it is said why. Runs that "
           "go on keep the configuration that they began with."},
      {.path = "audit",
       .summary = "who asked the agent for what, newest first",
       .options = {{.name = "--limit",
                    .short_name = "-n",
                    .value = "N",
                    .help = "at most so many",
                    .default_text = "20"},
                   {.name = "--before",
                    .short_name = {},
                    .value = "NUMBER",
                    .help = "older than this entry, to see more"}}},
      {.path = "completion",
       .summary = "print the script that completes words in a shell",
       .arguments = {{.name = "SHELL", .help = "which", .choices = {"bash", "zsh", "fish"}}},
       .examples = {{"source <(radctl completion bash)", "in ~/.bashrc"},
                    {"radctl completion zsh > ~/.zfunc/_radctl", "with ~/.zfunc in fpath"},
                    {"radctl completion fish > ~/.config/fish/completions/radctl.fish",
                     "for fish"}}},
      {.path = "help",
       .summary = "what a command does",
       .arguments = {{.name = "COMMAND",
                      .help = "e.g. run start",
                      .required = false,
                      .many = true,
                      .words = Words::commands}}},
  };
}

}  // namespace

std::vector<CommandSpec> look_commands() {
  return {
      {.path = "status",
       .summary = "is all well? What needs somebody, what goes on, what comes next"},
      {.path = "target list", .summary = "what is tested, and what is proved of it"},
      {.path = "target show",
       .summary = "one target: proofs, checks, schedules",
       .arguments = {{.name = "TARGET", .help = "which", .words = Words::targets}}},
      {.path = "schedule list",
       .summary = "when what runs next, in local time and UTC; what waits, is paused or was missed",
       .options = {{.name = "--target",
                    .short_name = "-t",
                    .value = "TARGET",
                    .help = "only of this target, or rotation",
                    .words = Words::targets}}},
      schedule_change(
          "schedule pause", "start nothing by schedule for a while",
          "Runs that go on are not touched, and runs by hand stay possible. What is missed "
          "meanwhile is shown as missed, with your name.",
          {{.name = "--reason",
            .short_name = "-r",
            .value = "TEXT",
            .help = "why; it is shown to whoever wonders",
            .required = true,
            .why_required = "for example: --reason \"storage is being moved, ticket 4711\""},
           {.name = "--until",
            .short_name = {},
            .value = "WHEN",
            .help =
                "a time (2026-11-21T06:00Z) or how long (4h); until it is resumed without it"}}),
      schedule_change("schedule resume", "end a pause", {}, {}),
      {.path = "backup list",
       .summary = "the backups of a target as its storage shows them now",
       .arguments = {{.name = "TARGET", .help = "whose", .words = Words::targets}}},
  };
}

const ProgramSpec& program() {
  static const ProgramSpec table = [] {
    ProgramSpec made{
        .name = "radctl",
        .section = "1",
        .summary = "look at and control rad-agent, which tests that backups can be restored",
        .description =
            "radctl talks to the rad-agent of this host. If you are in a hurry: `radctl status` "
            "says "
            "whether something is wrong, `radctl run show` explains the newest run, and `radctl "
            "run "
            "start TARGET --wait --reason \"…\"` tests the backups of a target now.\n\n"
            "A run goes to a depth: inspect looks at names and metadata, verify reads and "
            "checksums "
            "every byte, restore restores the backup to a throw-away instance and asks it "
            "questions. "
            "Its verdict is pass, fail (the backup is at fault) or inconclusive (it could not be "
            "told, and why).",
        .options = {{.name = "--json",
                     .short_name = {},
                     .help = "one JSON object on stdout, every field present"},
                    {.name = "--socket",
                     .short_name = {},
                     .value = "PATH",
                     .help = "control socket of the agent",
                     .default_text = "RAD_SOCKET or /run/rad-agent/control.sock",
                     .words = Words::files},
                    {.name = "--timeout",
                     .short_name = {},
                     .value = "DURATION",
                     .help = "how long to wait for an answer of the agent",
                     .default_text = "30s"}},
        .exit_statuses = {{"0",
                           "pass; or the question was answered; or the run is begun or queued"},
                          {"1", "fail: the backup is at fault"},
                          {"2", "usage: a word, option or name that does not exist"},
                          {"3", "inconclusive: it could not be told whether the backup is good"},
                          {"4", "the agent cannot be reached"},
                          {"5", "not permitted"},
                          {"6", "cancelled"},
                          {"7", "passed, but cleanup failed, so restored data is left on the host"},
                          {"130", "interrupted; a run that was watched goes on"}},
        .environment = {{"RAD_SOCKET", "control socket, unless --socket is given"},
                        {"NO_COLOR", "when set, no colours"},
                        {"TZ", "time zone of local times"}},
        .files = {{"/run/rad-agent/control.sock", "control socket of the agent"}},
        .see_also = {"rad-agent(8)"}};
    for (auto* part : {&look_commands, &run_commands, &other_commands}) {
      for (CommandSpec& command : (*part)()) made.commands.push_back(std::move(command));
    }
    return made;
  }();
  return table;
}

}  // namespace rad::radctl
