#include "agent/cli/radctl/radctl_commands.h"

namespace rad::radctl {

using cli::ArgumentSpec;
using cli::CommandSpec;
using cli::OptionSpec;
using cli::Words;

namespace {

ArgumentSpec run_argument(bool required = true) {
  return {.name = "RUN",
          .help =
              "id of a run, or its last eight digits; a target's name means its newest run, "
              "'last' the newest of all",
          .required = required,
          .words = Words::runs};
}

std::vector<std::string_view> depths() {
  return {"inspect", "verify", "restore"};
}

OptionSpec patience() {
  return {.name = "--patience",
          .short_name = {},
          .value = "DURATION",
          .help = "how long to look for an agent that goes away in the middle",
          .default_text = "5m"};
}

ArgumentSpec hold_argument() {
  return {.name = "RUN",
          .help = "id of the run whose copy is kept, or the target's name",
          .words = Words::holds};
}

CommandSpec run_start() {
  return {
      .path = "run start",
      .summary = "test the backups of a target now",
      .detail =
          "Without --wait it answers as soon as the run has begun or is queued. With --wait it "
          "shows "
          "the stages while they go on, then the result, and its exit status is that of the "
          "run.\n\n"
          "Ctrl-C while waiting does not stop the run: on a terminal you are asked whether to "
          "leave "
          "it running, to cancel it, or to go on watching.",
      .arguments = {{.name = "TARGET", .help = "what to test", .words = Words::targets}},
      .options =
          {{.name = "--reason",
            .short_name = "-r",
            .value = "TEXT",
            .help = "why you ask for it; it stands in the record of the run",
            .required = true,
            .why_required = "for example: --reason \"checking the backup after the migration\""},
           {.name = "--depth",
            .short_name = "-d",
            .value = "DEPTH",
            .help = "how far to go",
            .default_text = "restore",
            .choices = depths()},
           {.name = "--backup",
            .short_name = {},
            .value = "NAME",
            .help = "another backup than the target's setting, or 'latest'",
            .words = Words::backups},
           {.name = "--recover-to",
            .short_name = {},
            .value = "POINT",
            .help = "how far to recover: latest, immediate, time=…, lsn=… or name=…"},
           {.name = "--hold",
            .short_name = {},
            .value = "DURATION",
            .help =
                "keep the test instance for so long afterwards, e.g. 4h; it is yours until then"},
           {.name = "--if-busy",
            .short_name = {},
            .value = "WHAT",
            .help = "when this target is being tested already: wait for it, follow that run, or "
                    "give up",
            .default_text = "queue",
            .choices = {"queue", "attach", "refuse"}},
           {.name = "--wait", .short_name = "-w", .help = "follow the run to its end"},
           patience()},
      .examples = {
          {"radctl run start customers-db --wait --reason \"is last night's backup good?\"",
           "a full restore test, with the answer at the end"},
          {"radctl run start customers-db --depth verify --wait --reason \"quick look\"",
           "every byte read and checksummed, nothing restored"},
          {"radctl run start customers-db --hold 4h --wait --reason \"need one row back\"",
           "keeps the restored copy, then: radctl hold psql customers-db"}}};
}

CommandSpec run_list() {
  return {.path = "run list",
          .summary = "runs, newest first",
          .detail = "What waits and what goes on stands first.",
          .options = {{.name = "--target",
                       .short_name = "-t",
                       .value = "TARGET",
                       .help = "only of this target",
                       .words = Words::targets},
                      {.name = "--schedule",
                       .short_name = {},
                       .value = "NAME",
                       .help = "only of this schedule; 'manual' for runs by hand",
                       .words = Words::schedules},
                      {.name = "--depth",
                       .short_name = "-d",
                       .value = "DEPTH",
                       .help = "only of this depth",
                       .choices = depths()},
                      {.name = "--verdict",
                       .short_name = {},
                       .value = "VERDICT",
                       .help = "only with this verdict",
                       .choices = {"pass", "fail", "inconclusive", "cancelled"}},
                      {.name = "--limit",
                       .short_name = "-n",
                       .value = "N",
                       .help = "at most so many",
                       .default_text = "20"},
                      {.name = "--before",
                       .short_name = {},
                       .value = "RUN",
                       .help = "older than this run, to see more",
                       .words = Words::runs}},
          .examples = {{"radctl run list --verdict fail", "what went wrong lately"}}};
}

}  // namespace

std::vector<CommandSpec> run_commands() {
  return {
      run_start(),
      {.path = "run wait",
       .summary = "follow a run to its end",
       .detail =
           "As `run start --wait` does, for a run that was started before. Its exit status is "
           "that of the run.",
       .arguments = {run_argument(false)},
       .options = {patience()},
       .examples = {{"radctl run wait customers-db", "the newest run of the target"}}},
      run_list(),
      {.path = "run show",
       .summary = "what came of a run, and what to do about it",
       .arguments = {run_argument(false)},
       .examples = {{"radctl run show", "the newest run"},
                    {"radctl run show customers-db", "the newest run of a target"}}},
      {.path = "run logs",
       .summary = "what a run said on the way",
       .arguments = {run_argument(false)},
       .options = {{.name = "--follow",
                    .short_name = "-f",
                    .help = "go on until the run has ended; Ctrl-C stops looking, not the run"},
                   {.name = "--level",
                    .short_name = {},
                    .value = "LEVEL",
                    .help = "only lines at least so grave",
                    .default_text = "debug",
                    .choices = {"debug", "info", "warning", "error"}}},
       .examples = {{"radctl run logs -f customers-db", "follow the newest run of a target"}}},
      {.path = "run cancel",
       .summary = "stop a run that goes on or waits",
       .detail = "The run cleans up after itself and ends with the verdict cancelled.",
       .arguments = {run_argument()},
       .options = {{.name = "--reason",
                    .short_name = "-r",
                    .value = "TEXT",
                    .help = "why, for the record",
                    .default_text = "cancelled by hand"}}},
      {.path = "hold list", .summary = "restored copies that are kept, for whom and until when"},
      {.path = "hold psql",
       .summary = "the psql line that reaches a kept copy",
       .detail = "The connection is read-only. That you asked stands in the audit.",
       .arguments = {hold_argument()},
       .options = {{.name = "--exec",
                    .short_name = {},
                    .help = "run psql instead of printing the line"}},
       .examples = {{"radctl hold psql customers-db --exec", "a prompt in the restored database"}}},
      {.path = "hold release",
       .summary = "stop a kept copy and remove its data",
       .arguments = {hold_argument()}},
  };
}

}  // namespace rad::radctl
