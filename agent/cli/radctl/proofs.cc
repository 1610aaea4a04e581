#include "agent/cli/radctl/proofs.h"

#include <algorithm>

#include <fmt/format.h>

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
  const std::string last =
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

std::string trouble_words(JsonView target, const Look& look) {
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

}  // namespace rad::radctl
