#include "plugins/sdk/check_answer.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "plugins/protocol/codec.h"

namespace rad::sdk {
namespace {

// Leaves room for the envelope of the answer.
constexpr std::size_t kMaxInline = protocol::kMaxLineBytes - 4096;

}  // namespace

std::vector<protocol::CheckSpec> applicable(const std::vector<protocol::CheckSpec>& asked,
                                            const protocol::PluginInfo& info, Depth depth,
                                            std::vector<CheckOutcome>& outcomes) {
  std::vector<protocol::CheckSpec> able;
  for (const protocol::CheckSpec& spec : asked) {
    const auto known = std::ranges::find(info.checks, spec.check, &protocol::CheckInfo::type);
    if (known == info.checks.end() ||
        std::ranges::find(known->depths, depth) != known->depths.end()) {
      able.push_back(spec);
      continue;
    }
    CheckOutcome outcome;
    outcome.name = spec.name;
    outcome.check = spec.check;
    outcome.outcome = Outcome::not_applicable;
    outcome.message = fmt::format("cannot be answered at depth {}", to_string(depth));
    outcomes.push_back(std::move(outcome));
  }
  return able;
}

void complete(const std::vector<protocol::CheckSpec>& asked, std::vector<CheckOutcome>& outcomes) {
  for (const protocol::CheckSpec& spec : asked) {
    const auto found = std::ranges::find(outcomes, spec.name, &CheckOutcome::name);
    if (found != outcomes.end()) {
      if (found->check.empty()) found->check = spec.check;
      continue;
    }
    CheckOutcome outcome;
    outcome.name = spec.name;
    outcome.check = spec.check;
    outcome.reason = Reason::check_error;
    outcome.message = "the plugin gave no answer to this check";
    outcomes.push_back(std::move(outcome));
  }
  for (CheckOutcome& outcome : outcomes) {
    if (outcome.reason) continue;
    if (outcome.outcome == Outcome::fail) outcome.reason = Reason::check_failed;
    if (outcome.outcome == Outcome::inconclusive || outcome.outcome == Outcome::skipped) {
      outcome.reason = Reason::check_error;
    }
  }
}

Result<bool> spill(protocol::CheckResult& result, const std::string& path) {
  const std::string text = protocol::encode_outcomes(result.outcomes);
  if (result.outcomes.size() <= protocol::kMaxOutcomes && text.size() <= kMaxInline) return false;
  RAD_CHECK(write_file_atomic(path, text));
  result.outcomes.clear();
  result.outcomes_file = path;
  return true;
}

}  // namespace rad::sdk
