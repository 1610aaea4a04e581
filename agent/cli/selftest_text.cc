#include "agent/cli/selftest_text.h"

#include <algorithm>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/commands.h"
#include "agent/report/layout.h"

namespace rad::cli {
namespace {

constexpr int kFailed = 1;
constexpr std::size_t kWordColumns = 9;
constexpr std::size_t kStepColumns = 26;

std::string_view word(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::ok:
      return "ok";
    case StepOutcome::failed:
      return "FAILED";
    case StepOutcome::not_tried:
      break;
  }
  return "not tried";
}

std::ptrdiff_t count(const std::vector<SelftestStep>& steps, StepOutcome outcome) {
  return std::ranges::count(steps, outcome, &SelftestStep::outcome);
}

bool lacks(const SelftestStep& step) {
  return step.outcome == StepOutcome::not_tried && step.needed;
}

}  // namespace

std::string selftest_line(const SelftestStep& step, std::size_t width) {
  const std::string name = step.subject.empty() ? step.step : step.step + " " + step.subject;
  std::string text = printable(step.message);
  if (step.reason && step.outcome == StepOutcome::failed) {
    text += fmt::format(" [{}]", to_string(*step.reason));
  }
  const std::string label = fmt::format("{:<{}}  {}", word(step.outcome), kWordColumns, name);
  const std::size_t label_columns = kWordColumns + 2 + kStepColumns;
  std::string line = labelled(label, text, label_columns, width, 0);
  if (!step.hint.empty()) {
    line += labelled("", "hint: " + printable(step.hint), label_columns, width, 0);
  }
  return line;
}

std::string selftest_sum(std::string_view target, const std::vector<SelftestStep>& steps) {
  const auto failed = count(steps, StepOutcome::failed);
  const auto lacking = std::ranges::count_if(steps, lacks);
  const std::string counts =
      fmt::format("{} ok, {} failed, {} not tried", count(steps, StepOutcome::ok), failed,
                  count(steps, StepOutcome::not_tried));
  if (failed > 0) {
    return fmt::format("FAILED: do not trust this host with '{}' yet: {}\n", target, counts);
  }
  if (lacking > 0) {
    return fmt::format("NOT PROVED: {} needed steps could not be tried for '{}': {}\n", lacking,
                       target, counts);
  }
  return fmt::format("ok: this host tells good backups of '{}' from bad ones: {}\n", target,
                     counts);
}

boost::json::object selftest_json(std::string_view target, const std::vector<SelftestStep>& steps) {
  boost::json::array rows;
  for (const SelftestStep& step : steps) {
    boost::json::object row;
    row["step"] = step.step;
    row["subject"] = step.subject;
    row["outcome"] = to_string(step.outcome);
    row["needed"] = step.needed;
    row["message"] = json::safe_string(step.message);
    row["hint"] = json::safe_string(step.hint);
    row["reason"] = nullptr;
    if (step.reason) row["reason"] = to_string(*step.reason);
    row["duration_seconds"] = std::chrono::duration<double>(step.took).count();
    rows.push_back(std::move(row));
  }
  boost::json::object answer;
  answer["target"] = target;
  answer["ok"] = selftest_status(steps) == kOk;
  answer["steps"] = std::move(rows);
  return answer;
}

int selftest_status(const std::vector<SelftestStep>& steps) {
  const auto failed = [](const SelftestStep& step) { return step.outcome == StepOutcome::failed; };
  const auto first = std::ranges::find_if(steps, failed);
  if (first != steps.end()) return first->step == kConfigurationStep ? kUsage : kFailed;
  return std::ranges::any_of(steps, lacks) ? kInconclusive : kOk;
}

}  // namespace rad::cli
