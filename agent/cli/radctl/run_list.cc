#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/find_run.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

std::string took(JsonView run) {
  const auto began = run.time("created_at");
  const auto ended = run.time("ended_at");
  return began && ended && *ended >= *began ? format_duration(*ended - *began) : "";
}

std::string result(JsonView run) {
  const std::string verdict = verdict_word(run.text("verdict"));
  const std::string reason = run.text("reason");
  std::string text = reason.empty() ? verdict : fmt::format("{}: {}", verdict, reason);
  if (run.text("cleanup") == "failed") text += ", cleanup failed";
  return text;
}

bool waits_too(JsonView run, const WaitingFilter& filter) {
  return (filter.target.empty() || run.text("target") == filter.target) &&
         (filter.depth.empty() || run.text("depth") == filter.depth);
}

/// Who looks for ended runs, runs of a schedule or another page does not ask what waits.
std::optional<WaitingFilter> filter_of(const cli::Parsed& parsed) {
  const std::string schedule = parsed.text("--schedule");
  const bool by_hand = schedule.empty() || schedule == "manual";
  if (!by_hand || parsed.has("--verdict") || parsed.has("--before")) return std::nullopt;
  return WaitingFilter{parsed.text("--target"), parsed.text("--depth")};
}

}  // namespace

std::string runs_text(JsonView runs, JsonView status, const std::optional<WaitingFilter>& waiting,
                      const Look& look) {
  const auto rows = runs.list("runs");
  std::string out;
  for (const JsonView& run : status.list("waiting")) {
    if (!waiting || !waits_too(run, *waiting)) continue;
    out += fact("waiting",
                fmt::format("{} of {} waits for {}: {}", run.text("depth"), run.text("target"),
                            run.text("waits_for"), run.text("id")),
                look);
  }
  if (rows.empty()) return out + "no run\n";
  std::vector<std::vector<std::string>> cells{
      {"run", "target", "depth", "by", "began", "took", "result"}};
  for (const JsonView& run : rows) {
    const std::string schedule = run.text("schedule");
    cells.push_back({short_id(run.text("id")), run.text("target"), run.text("depth"),
                     schedule == "manual" ? run.text("requested_by") : schedule,
                     relative(run.time("created_at"), look.now), took(run), result(run)});
  }
  out += table(cells, look, 0);
  if (const std::string before = runs.text("next_before"); !before.empty()) {
    out += fmt::format("older ones: radctl run list --before {}\n", before);
  }
  return out;
}

int run_list(const Context& context, const cli::Parsed& parsed) {
  std::string query = "limit=" + encode(parsed.text("--limit"));
  for (const std::string key : {"target", "schedule", "depth", "verdict"}) {
    if (const auto value = parsed.given("--" + key))
      query += fmt::format("&{}={}", key, encode(*value));
  }
  if (const auto before = parsed.given("--before")) {
    RADCTL_TRY(const std::string id, find_run(context, *before));
    query += "&before=" + encode(id);
  }
  RADCTL_TRY(const auto answer, context.client.get("/v1/runs?" + query));
  if (context.json) return answer_json(answer);
  RADCTL_TRY(const auto state, context.client.get("/v1/status"));
  cli::write_out(stdout,
                 runs_text(JsonView(answer), JsonView(state), filter_of(parsed), context.look()));
  return kOk;
}

}  // namespace rad::radctl
