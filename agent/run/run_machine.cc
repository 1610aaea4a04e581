#include "agent/run/run_machine.h"

#include <algorithm>

#include <fmt/format.h>

namespace rad {

Stage RunMachine::after_success(Stage stage) const noexcept {
  switch (stage) {
    case Stage::preflight:
      return depth_ == Depth::restore ? Stage::restore : Stage::fetch;
    case Stage::restore:
      return has_instance_ ? Stage::recover : Stage::check;
    case Stage::fetch:
    case Stage::recover:
      return Stage::check;
    case Stage::check:
      return Stage::cleanup;
    case Stage::cleanup:
    case Stage::report:
      break;
  }
  return Stage::report;
}

void RunMachine::ended(bool ok) noexcept {
  if (!stage_) return;
  if (*stage_ == Stage::report) {
    stage_.reset();
  } else if (*stage_ == Stage::cleanup) {
    stage_ = Stage::report;
  } else {
    stage_ = ok ? after_success(*stage_) : Stage::cleanup;
  }
}

namespace {

Verdict verdict_of(Reason reason) {
  switch (info(reason).blame) {
    case Blame::backup:
      return Verdict::fail;
    case Blame::cancelled:
      return Verdict::cancelled;
    case Blame::unknown:
      break;
  }
  return Verdict::inconclusive;
}

/// The error that stands for a check that is not a pass.
Error error_of(const CheckOutcome& outcome, Reason fallback) {
  Error error = fail(outcome.reason.value_or(fallback),
                     fmt::format("check '{}': {}", outcome.name, outcome.message), outcome.hint,
                     outcome.object);
  return error;
}

const CheckOutcome* first_with(const RunReport& report, Outcome outcome) {
  const auto found = std::find_if(report.checks.begin(), report.checks.end(),
                                  [&](const CheckOutcome& row) { return row.outcome == outcome; });
  return found == report.checks.end() ? nullptr : &*found;
}

}  // namespace

void conclude(RunReport& report) {
  if (report.cause) {
    report.verdict = verdict_of(report.cause->reason);
    return;
  }
  if (const CheckOutcome* failed = first_with(report, Outcome::fail)) {
    report.cause = error_of(*failed, Reason::check_failed);
    // A check that fails has found the backup at fault, whatever reason a plugin gives.
    if (verdict_of(report.cause->reason) != Verdict::fail) {
      report.cause->reason = Reason::check_failed;
    }
    report.verdict = Verdict::fail;
    return;
  }
  if (const CheckOutcome* unknown = first_with(report, Outcome::inconclusive)) {
    report.cause = error_of(*unknown, Reason::check_error);
    if (verdict_of(report.cause->reason) != Verdict::inconclusive) {
      report.cause->reason = Reason::check_error;
    }
    report.verdict = Verdict::inconclusive;
    return;
  }
  const Proof needed = needed_proof(report.depth);
  const bool proved = std::any_of(
      report.checks.begin(), report.checks.end(),
      [&](const CheckOutcome& row) { return row.outcome == Outcome::pass && row.proof >= needed; });
  if (!proved) {
    report.cause = fail(Reason::no_check_ran,
                        fmt::format("no check that passed proves a {}: it needs one that proves {}",
                                    to_string(report.depth), to_string(needed)),
                        "name such a check in the target's 'checks:' ('rad-agent explain checks')");
    report.verdict = Verdict::inconclusive;
    return;
  }
  report.verdict = Verdict::pass;
}

void fill_missing_outcomes(RunReport& report, const std::vector<PlannedCheck>& planned) {
  std::vector<CheckOutcome> ordered;
  for (const PlannedCheck& plan : planned) {
    const auto found = std::find_if(report.checks.begin(), report.checks.end(),
                                    [&](const CheckOutcome& row) { return row.name == plan.name; });
    if (found != report.checks.end()) {
      ordered.push_back(*found);
      report.checks.erase(found);
      continue;
    }
    CheckOutcome missing;
    missing.name = plan.name;
    missing.check = plan.check;
    missing.plugin = plan.plugin;
    if (!plan.applies) {
      missing.outcome = Outcome::not_applicable;
      missing.message = fmt::format("cannot be answered at depth {}", to_string(report.depth));
    } else if (report.cause) {
      missing.outcome = Outcome::skipped;
      missing.reason = report.cause->reason;
      missing.message = "not asked: the run ended before the checks";
    } else {
      missing.outcome = Outcome::inconclusive;
      missing.reason = Reason::plugin_protocol;
      missing.message = fmt::format("plugin '{}' gave no answer", plan.plugin);
    }
    ordered.push_back(std::move(missing));
  }
  // Answers to questions that nobody asked come last; they can fail a run, but a plugin cannot
  // prove a depth with them.
  for (CheckOutcome& extra : report.checks) {
    extra.proof = Proof::none;
    ordered.push_back(std::move(extra));
  }
  report.checks = std::move(ordered);
}

}  // namespace rad
