#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/missed.h"
#include "agent/cli/radctl/report_text.h"

namespace rad::radctl {

namespace bj = boost::json;

namespace {

/// The pages of the history that the period needs; owns what the views refer to.
struct History {
  std::vector<bj::object> pages;
  std::map<std::string, std::vector<JsonView>> by_target;
};

Answered<History> read_history(const Context& context, const Period& period) {
  History history;
  std::string before;
  for (bool more = true; more;) {
    const std::string path =
        "/v1/runs?limit=1000" + (before.empty() ? "" : "&before=" + encode(before));
    RAD_TRY(auto page, context.client.get(path));
    history.pages.push_back(std::move(page));
    const JsonView view(history.pages.back());
    const auto rows = view.list("runs");
    const std::string next = view.text("next_before");
    const auto oldest = rows.empty() ? std::nullopt : rows.back().time("created_at");
    more = !next.empty() && next != before && oldest && *oldest >= period.from;
    before = next;
  }
  for (const bj::object& page : history.pages) {
    for (const JsonView& run : JsonView(page).list("runs")) {
      const auto began = run.time("created_at");
      if (!began || *began < period.from || *began >= period.to) continue;
      history.by_target[run.text("target")].push_back(run);
    }
  }
  return history;
}

/// What the newest restore of each target that passed has measured, by the id of its run.
std::map<std::string, bj::object> by_run(JsonView answer) {
  std::map<std::string, bj::object> restores;
  for (const JsonView& restore : answer.list("restores")) {
    restores.emplace(restore.text("run_id"), *restore.raw());
  }
  return restores;
}

}  // namespace

int report(const Context& context, const cli::Parsed& parsed) {
  std::optional<Period> period = last_days(context.clock.now());
  if (const auto month = parsed.given("--month")) period = month_of(*month);
  if (!period) {
    return refuse(context, {.exit_status = kUsage,
                            .reason = "usage",
                            .message = fmt::format("--month cannot be '{}': a month is written "
                                                   "YYYY-MM",
                                                   printable(parsed.text("--month"), 100)),
                            .hint = "for example --month 2026-11"});
  }
  RADCTL_TRY(const auto status, context.client.get("/v1/status"));
  RADCTL_TRY(const auto targets, context.client.get("/v1/targets"));
  RADCTL_TRY(const auto lost, read_missed(context, period->from, period->to));
  RADCTL_TRY(auto history, read_history(context, *period));
  RADCTL_TRY(const auto measured,
             context.client.get(fmt::format("/v1/restores?from={}&to={}",
                                            encode(format_rfc3339(period->from)),
                                            encode(format_rfc3339(period->to)))));
  const auto restores = by_run(JsonView(measured));
  std::vector<JsonView> missed;
  for (const auto& row : lost) missed.emplace_back(row.as_object());
  Summary summary{.period = *period,
                  .made_at = context.clock.now(),
                  .version = JsonView(status).text("version"),
                  .targets = {},
                  .missed = {}};
  for (const JsonView& target : JsonView(targets).list("targets")) {
    const auto& runs = history.by_target[target.text("name")];
    summary.targets.push_back(summarize(target, runs, missed, *period, restores));
  }
  summary.missed = missed_by_others(JsonView(targets), missed);
  if (context.json) {
    return answer_json({{"period", period->title},
                        {"from", format_rfc3339(period->from)},
                        {"to", format_rfc3339(period->to)},
                        {"made_at", format_rfc3339(summary.made_at)},
                        {"agent_version", summary.version},
                        {"targets", std::move(summary.targets)},
                        {"missed", std::move(summary.missed)}});
  }
  cli::write_out(stdout, report_markdown(summary));
  return kOk;
}

}  // namespace rad::radctl
