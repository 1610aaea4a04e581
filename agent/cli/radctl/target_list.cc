#include <algorithm>

#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/proofs.h"

namespace rad::radctl {
namespace {

std::string first_line(const std::vector<JsonView>& targets, const Look& look) {
  if (targets.empty()) return "no target is configured, so no backup is tested\n";
  std::vector<std::string> bad;
  for (const JsonView& target : targets) {
    if (standing_of(target) != Standing::proved) bad.push_back(target.text("name"));
  }
  if (bad.empty()) {
    return paint(fmt::format("{}: each passed its last test", count(targets.size(), "target")),
                 Colour::good, look) +
           "\n";
  }
  constexpr std::size_t kNamed = 5;
  const std::size_t all = bad.size();
  bad.resize(std::min(all, kNamed));
  return paint(fmt::format("{} of {} not proved good: {}{}", all, count(targets.size(), "target"),
                           fmt::join(bad, ", "), all > kNamed ? ", …" : ""),
               Colour::bad, look) +
         "\n";
}

std::string cell(JsonView target, std::string_view depth, TimePoint now) {
  const JsonView proof = proof_at(target, depth);
  if (proof.raw() == nullptr) return depth_matters(target, depth) ? "never" : "";
  const std::string verdict = proof.text("verdict");
  const std::string when = relative(proof.time("ended_at"), now);
  return verdict.empty() ? "never" : fmt::format("{} {}", verdict, when);
}

std::string next_of(JsonView target, TimePoint now) {
  std::optional<TimePoint> next;
  std::string rotation;
  for (const JsonView& schedule : target.list("schedules")) {
    const auto time = schedule.time("next");
    // A rotation's next time is that of whose turn it is.
    const bool own = !is_rotation(schedule) || schedule.text("member") == target.text("name");
    if (!own && rotation.empty()) rotation = "in turn of " + schedule.text("schedule");
    if (own && time && (!next || *time < *next)) next = time;
  }
  return next ? relative(next, now) : rotation;
}

}  // namespace

std::string targets_text(JsonView targets, const Look& look) {
  const auto rows = targets.list("targets");
  std::vector<std::vector<std::string>> cells{{"target", "restore", "verify", "inspect", "next"}};
  for (const JsonView& target : rows) {
    cells.push_back({target.text("name"), cell(target, "restore", look.now),
                     cell(target, "verify", look.now), cell(target, "inspect", look.now),
                     next_of(target, look.now)});
  }
  return first_line(rows, look) + table(cells, look);
}

int target_list(const Context& context, const cli::Parsed&) {
  RADCTL_TRY(const auto answer, context.client.get("/v1/targets"));
  if (context.json) return answer_json(answer);
  cli::write_out(stdout, targets_text(JsonView(answer), context.look()));
  return kOk;
}

}  // namespace rad::radctl
