#include <fmt/format.h>

#include "agent/base/reason.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"
#include "agent/cli/radctl/proofs.h"
#include "agent/model/json.h"
#include "agent/report/report_words.h"

namespace rad::radctl {
namespace {

std::string blame_words(const RunReport& report) {
  switch (report.verdict.value_or(Verdict::inconclusive)) {
    case Verdict::pass:
      return report.cleanup == CleanupResult::failed
                 ? "the backup is good, but restored production data is still on this host"
                 : "the backup is good as far as this depth looks";
    case Verdict::fail:
      return "the backup itself is at fault: a restore from it cannot be relied on";
    case Verdict::inconclusive:
      return "nothing is known about the backup: something else kept the test from its answer";
    case Verdict::cancelled:
      return "somebody stopped the test, so it says nothing about the backup";
  }
  return {};
}

std::string next_words(const RunReport& report, const Look& look) {
  const std::string again = fmt::format("radctl run start {} --depth {} --wait --reason \"…\"",
                                        report.target, to_string(report.depth));
  switch (report.verdict.value_or(Verdict::inconclusive)) {
    case Verdict::pass:
      if (report.cleanup != CleanupResult::failed) return {};
      return fact("next", "remove what is left: see 'Cleanup' above and runbooks/host_unfit.md",
                  look);
    case Verdict::fail:
      return fact_with("next",
                       fmt::format("follow runbooks/{}.md; other backups that could be tested:",
                                   runbook_page(report)),
                       "radctl backup list " + report.target, look);
    case Verdict::inconclusive:
      return fact_with("next",
                       fmt::format("follow runbooks/{}.md, then test again:", runbook_page(report)),
                       again, look);
    case Verdict::cancelled:
      return fact_with("next", "test again:", again, look);
  }
  return {};
}

/// What to make of it, at the end, where the eye is when the text has rolled by.
std::string advice(const RunReport& report, JsonView target, const Look& look) {
  if (!report.verdict) {
    return heading("Going on", look) +
           fact("follow", fmt::format("radctl run wait {}", report.id), look) +
           fact("stop", fmt::format("radctl run cancel {}", report.id), look);
  }
  std::string out = heading("What it means", look) + fact("so", blame_words(report), look);
  const JsonView proof = proof_at(target, to_string(report.depth));
  if (report.verdict != Verdict::pass && target.raw() != nullptr) {
    const auto proved = proof.time("proved_at");
    out += fact(
        "proved",
        proved ? fmt::format("{} was last proved good at depth {} {} ({})", report.target,
                             to_string(report.depth), relative(proved, look.now), utc_time(proved))
               : fmt::format("{} was never proved good at depth {}", report.target,
                             to_string(report.depth)),
        look);
    const std::string newest = proof.text("run_id");
    if (!newest.empty() && newest > report.id) {
      out += fact("since",
                  fmt::format("a newer run came after this one: {}, run {}",
                              verdict_word(proof.text("verdict")), newest),
                  look);
    }
  }
  return out + next_words(report, look) +
         fact("log", fmt::format("radctl run logs {}", report.id), look);
}

/// A run that has no record yet, because it waits for its turn.
int show_waiting(const Context& context, const std::string& id, const Refusal& otherwise) {
  const auto status = context.client.get("/v1/status");
  if (!status) return refuse(context, status.error());
  for (const JsonView& run : JsonView(*status).list("waiting")) {
    if (run.text("id") != id) continue;
    if (context.json) return answer_json(*run.raw());
    const Look look = context.look();
    cli::write_out(stdout, fmt::format("WAITING  {} of {} waits for {}\n", run.text("depth"),
                                       run.text("target"), run.text("waits_for")) +
                               fact("run", id, look) +
                               fact("asked",
                                    fmt::format("by {} {}: {}", run.text("requested_by"),
                                                relative(run.time("requested_at"), look.now),
                                                run.text("note")),
                                    look) +
                               fact("stop", "radctl run cancel " + id, look));
    return kOk;
  }
  return refuse(context, otherwise);
}

}  // namespace

std::string run_text(const boost::json::object& report, JsonView target, const Look& look) {
  const auto read = run_report_from_json(report);
  if (!read) {
    return fmt::format("the record of the run is not understood: {}\n", read.error().message);
  }
  return render_terminal(*read, look.style) + advice(*read, target, look);
}

int run_show(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(const std::string id, find_run(context, parsed.text("RUN")));
  const auto report = context.client.get("/v1/runs/" + encode(id));
  if (!report && report.error().exit_status == kUsage) {
    return show_waiting(context, id, report.error());
  }
  if (!report) return refuse(context, report.error());
  if (context.json) return answer_json(*report);
  // A target that is not configured any more has no standing; its old runs are still shown.
  const auto target = context.client.get("/v1/targets/" + encode(JsonView(*report).text("target")));
  cli::write_out(stdout,
                 run_text(*report, target ? JsonView(*target) : JsonView(), context.look()) +
                     held_text(context, id));
  return kOk;
}

}  // namespace rad::radctl
