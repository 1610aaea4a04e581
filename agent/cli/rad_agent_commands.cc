#include "agent/cli/rad_agent_commands.h"

namespace rad::cli {
namespace {

CommandSpec run_command_row() {
  return {
      .path = "run",
      .summary = "test the backups of one target now, in the foreground",
      .detail =
          "Without a daemon: for CI, cron, or a container. Beside a daemon it takes its turn: two "
          "runs of one target never overlap. Ctrl-C cancels the run, which cleans up after itself.",
      .arguments = {{.name = "TARGET", .help = "name of the target", .words = Words::targets}},
      .options =
          {{.name = "--depth",
            .short_name = "-d",
            .value = "DEPTH",
            .help = "how far to go",
            .default_text = "restore",
            .choices = {"inspect", "verify", "restore"}},
           {.name = "--backup",
            .short_name = {},
            .value = "NAME",
            .help = "name of a backup, or 'latest'"},
           {.name = "--recover-to",
            .short_name = {},
            .value = "POINT",
            .help = "latest, immediate, time=…, lsn=… or name=…"},
           {.name = "--hold",
            .short_name = {},
            .value = "DURATION",
            .help = "keep the restored instance so long, e.g. 4h, for somebody to look into it"},
           {.name = "--reason", .short_name = {}, .value = "TEXT", .help = "why, for the record"},
           {.name = "--format",
            .short_name = {},
            .value = "FORMAT",
            .help = "how the result is printed",
            .default_text = "terminal",
            .choices = {"terminal", "json", "markdown"}},
           {.name = "--if-busy",
            .short_name = {},
            .value = "WHAT",
            .help = "when the target is being tested already: wait for it, or give up",
            .default_text = "queue",
            .choices = {"queue", "refuse"}},
           {.name = "--quiet", .short_name = "-q", .help = "no progress"}},
      .examples = {{"rad-agent run customers-db --depth verify",
                    "every byte read and checksummed, nothing restored"}}};
}

}  // namespace

const ProgramSpec& rad_agent_program() {
  static const ProgramSpec table{
      .name = "rad-agent",
      .section = "8",
      .summary = "prove that backups can be restored",
      .description =
          "rad-agent restores backups to throw-away test instances, on a schedule and on demand, "
          "asks the restored data questions, and says pass, fail or inconclusive, each with one "
          "reason from a closed list. Results are Prometheus metrics, issues, and text for the "
          "person at the terminal.\n\n"
          "As a daemon it is controlled by radctl(1).",
      .options = {{.name = "--config",
                   .short_name = "-c",
                   .value = "FILE",
                   .help = "configuration file",
                   .default_text = "RAD_CONFIG or /etc/rad-agent/rad.yaml",
                   .words = Words::files},
                  {.name = "--json",
                   .short_name = {},
                   .help = "one JSON object on stdout, every field present"}},
      .commands =
          {run_command_row(),
           {.path = "serve",
            .summary = "the daemon: schedules, control socket and metrics",
            .detail =
                "Runs in the foreground and tells systemd when it is ready. SIGTERM and SIGINT "
                "cancel what goes on, clean up and end; SIGHUP loads the configuration again."},
           {.path = "check-config",
            .summary = "find every mistake in the configuration",
            .options = {{.name = "--no-plugins",
                         .short_name = {},
                         .help = "do not start the plugins to ask them about their options"}}},
           {.path = "selftest",
            .summary = "prove that this host tells good backups of a target from bad ones",
            .detail =
                "Before anything is trusted: the configuration, the store, scratch, the plugins, "
                "the storage and the preflight of a real run (key, tools, server version, space); "
                "then the alarm path: the target's plugins are run on a small genuine backup that "
                "comes with them, which must pass, and on damaged copies of it, of which each must "
                "fail for its own reason; then whether reporters can write and a running daemon "
                "answers. One line a step: ok, FAILED, or not tried. Nothing of it enters the "
                "history, the metrics or the issues.\n\n"
                "The exit status is 0 when all that is needed is ok, 1 when a step failed, 2 when "
                "it was the configuration, and 3 when a needed step could not be tried.",
            .arguments =
                {{.name = "TARGET", .help = "name of the target", .words = Words::targets}},
            .examples = {{"rad-agent selftest customers-db",
                          "on a new host, and after every change to it"}}},
           {.path = "explain",
            .summary = "what a configuration key means",
            .arguments = {{.name = "KEY",
                           .help = "key or prefix, e.g. targets.keep; all of them without one",
                           .required = false}}},
           {.path = "hold",
            .summary = "keep the instance of a run that has ended; started by the agent",
            .detail =
                "The agent or the service manager starts it for a run that was begun with --hold, "
                "in "
                "a process that outlives the agent. It ends when the time is over, when the hold "
                "is "
                "released (radctl hold release) or on SIGTERM, and removes the restored data.",
            .arguments = {{.name = "RUN", .help = "id of the run; - reads it from standard input"}},
            .options = {{.name = "--detach",
                         .short_name = {},
                         .help = "go on in a process of its own and return"}}},
           {.path = "completion",
            .summary = "print the script that completes words in a shell",
            .arguments = {{.name = "SHELL", .help = "which", .choices = {"bash", "zsh", "fish"}}}},
           {.path = "help",
            .summary = "what a command does",
            .arguments = {{.name = "COMMAND",
                           .help = "e.g. run",
                           .required = false,
                           .many = true,
                           .words = Words::commands}}}},
      .exit_statuses = {{"0", "pass, or the question was answered"},
                        {"1", "fail: the backup is at fault"},
                        {"2", "usage or configuration"},
                        {"3", "inconclusive: it could not be told whether the backup is good"},
                        {"6", "cancelled"},
                        {"7", "passed, but cleanup failed, so restored data is left on the host"},
                        {"130", "interrupted"}},
      .environment = {{"RAD_CONFIG", "configuration file, unless --config is given"},
                      {"NO_COLOR", "when set, no colours"}},
      .files = {{"/etc/rad-agent/rad.yaml", "configuration"},
                {"/etc/rad-agent/conf.d/", "targets, one file each"},
                {"/var/lib/rad-agent/", "history of runs, and scratch"},
                {"/run/rad-agent/control.sock", "control socket"}},
      .see_also = {"radctl(1)"}};
  return table;
}

}  // namespace rad::cli
