#include "agent/cli/radctl/proofs.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::radctl {

JsonView proof_at(JsonView target, std::string_view depth) {
  for (const JsonView& proof : target.list("proofs")) {
    if (proof.text("depth") == depth) return proof;
  }
  return {};
}

Standing standing_of(JsonView target) {
  bool failed = false;
  bool doubtful = false;
  bool proved = false;
  for (const JsonView& proof : target.list("proofs")) {
    const std::string verdict = proof.text("verdict");
    failed |= verdict == "fail";
    // Nobody is to blame for a run that was cancelled, as long as there is an older proof.
    doubtful |= verdict == "inconclusive" || (verdict == "cancelled" && !proof.has("proved_at"));
    proved |= proof.has("proved_at");
  }
  if (failed) return Standing::failed;
  if (doubtful) return Standing::doubtful;
  return proved ? Standing::proved : Standing::never;
}

std::string proof_words(JsonView proof, TimePoint now) {
  const std::string verdict = proof.text("verdict");
  const auto proved = proof.time("proved_at");
  std::string last =
      proved ? fmt::format("proved {}", relative(proved, now)) : std::string("never proved");
  if (verdict.empty() || verdict == "pass") return last;
  return fmt::format("{} {}, {}", verdict, relative(proof.time("ended_at"), now), last);
}

bool depth_matters(JsonView target, std::string_view depth) {
  if (proof_at(target, depth).raw() != nullptr) return true;
  return std::ranges::any_of(target.list("schedules"), [depth](const JsonView& schedule) {
    return schedule.text("depth") == depth;
  });
}

bool is_rotation(JsonView schedule) {
  return schedule.number("turns") != 0;
}

std::optional<TimePoint> proved_at_least(JsonView target, std::string_view depth) {
  std::optional<TimePoint> newest;
  for (const std::string_view deeper : kDepths) {
    const auto proved = proof_at(target, deeper).time("proved_at");
    if (proved && (!newest || *newest < *proved)) newest = proved;
    if (deeper == depth) break;
  }
  return newest;
}

namespace {

/// What is scheduled and was never proved, or not for longer than the schedule explains.
std::string overdue_words(JsonView target, const Look& look) {
  const std::string name = target.text("name");
  std::string out;
  for (const std::string_view depth : kDepths) {
    // What has not passed is told already, with its reason.
    const std::string verdict = proof_at(target, depth).text("verdict");
    if (!verdict.empty() && verdict != "pass") continue;
    const auto rows = target.list("schedules");
    const auto proved = proved_at_least(target, depth);
    std::optional<std::chrono::milliseconds> within;
    const JsonView* scheduled = nullptr;
    for (const JsonView& row : rows) {
      if (row.text("depth") != depth) continue;
      const auto own = row.seconds("proof_within_seconds");
      if (scheduled == nullptr || (own && (!within || *own < *within))) {
        scheduled = &row;
        within = own;
      }
    }
    if (scheduled == nullptr) continue;
    const std::string by = scheduled->text("schedule");
    const std::string command = fmt::format("radctl run start {} --depth {} --wait --reason \"{}\"",
                                            name, depth, proved ? "proof too old" : "first test");
    if (!proved) {
      out += fact_with(
          "never", fmt::format("{}: {} is scheduled ({}) and was never proved", name, depth, by),
          command, look, 12);
    } else if (within && look.now - *proved > *within) {
      out += fact_with(
          "old proof",
          fmt::format("{}: {} was last proved {}, by {} it should be at most {} old", name, depth,
                      relative(proved, look.now), by, format_duration(*within)),
          command, look, 12);
    }
  }
  return out;
}

std::string cleanup_words(JsonView target, const Look& look) {
  const std::string run = target.text("cleanup_failed");
  if (run.empty()) return {};
  return fact_with("cleanup", target.text("name") + ": a run could not clean up after itself",
                   "radctl run show " + run, look, 12);
}

std::string verdict_troubles(JsonView target, const Look& look) {
  const std::string name = target.text("name");
  const Standing standing = standing_of(target);
  std::string out;
  if (standing == Standing::proved) return out;
  if (standing == Standing::never) {
    return fact_with("never", name + ": nothing was ever proved",
                     fmt::format("radctl run start {} --wait --reason \"first test\"", name), look,
                     12);
  }
  for (const std::string_view depth : kDepths) {
    const JsonView proof = proof_at(target, depth);
    const std::string verdict = proof.text("verdict");
    if (verdict.empty() || verdict == "pass") continue;
    out += fact_with(
        verdict,
        fmt::format("{}, {} {}: {}. Last proved good: {}", name, depth,
                    relative(proof.time("ended_at"), look.now), reason_words(proof.text("reason")),
                    relative(proof.time("proved_at"), look.now)),
        "radctl run show " + proof.text("run_id"), look, 12);
  }
  return out;
}

}  // namespace

std::string trouble_words(JsonView target, const Look& look) {
  std::string out = verdict_troubles(target, look);
  if (standing_of(target) != Standing::never) out += overdue_words(target, look);
  return out + cleanup_words(target, look);
}

}  // namespace rad::radctl
