#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/missed.h"
#include "agent/cli/radctl/proofs.h"
#include "agent/cli/radctl/schedule_subject.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

/// The daemon looks at least every few seconds.
constexpr std::chrono::minutes kTickOverdue{2};
constexpr std::size_t kNextRuns = 5;
constexpr std::chrono::hours kMissedLately{7 * 24};

/// What is wrong with the agent itself, one paragraph each.
std::vector<std::string> agent_troubles(JsonView status, const Look& look) {
  std::vector<std::string> out;
  const auto tick = status.time("last_tick");
  if (!tick || look.now - *tick > kTickOverdue) {
    out.push_back(fact_with(
        "scheduler",
        fmt::format("nothing is started by schedule: it last looked {}", relative(tick, look.now)),
        "systemctl status rad-agent", look, 12));
  }
  if (const std::string error = status.text("store_error"); !error.empty()) {
    out.push_back(fact("store", error, look, 12));
  }
  if (const std::string error = status.text("config_error"); !error.empty()) {
    out.push_back(fact("config",
                       fmt::format("the configuration of {} is still in force, the new one has "
                                   "mistakes: {}",
                                   utc_time(status.time("config_loaded_at")), error),
                       look, 12));
  }
  for (const std::string& trouble : status.texts("troubles")) {
    out.push_back(fact("untested", trouble, look, 12));
  }
  for (const JsonView& pause : status.list("pauses")) {
    if (pause.has("until")) continue;
    out.push_back(
        fact_with("paused", pause_words(pause, look.now), resume_line(*pause.raw()), look, 12));
  }
  if (const std::uint64_t left = status.number("leftover_bytes"); left != 0) {
    out.push_back(fact("left",
                       fmt::format("{} of restored data are left by runs that have ended; "
                                   "the agent tries again to remove them",
                                   format_bytes(left)),
                       look, 12));
  }
  for (const JsonView& hold : status.list("holds")) {
    if (hold.text("state") != "failed") continue;
    out.push_back(fact(
        "hold",
        fmt::format("{} for {}: {}", hold.text("target"), hold.text("owner"), hold.text("detail")),
        look, 12));
  }
  return out;
}

std::string first_line(std::size_t troubles, const std::vector<JsonView>& targets,
                       const Look& look) {
  if (targets.empty()) {
    return fmt::format("{}  no target is configured, so no backup is tested\n",
                       paint("ATTENTION", Colour::bad, look));
  }
  if (troubles == 0) {
    return fmt::format("{}  {}, each proved good as its schedules ask\n",
                       paint("ALL IS WELL", Colour::good, look), count(targets.size(), "target"));
  }
  return fmt::format("{}  {} somebody ({} in all)\n", paint("ATTENTION", Colour::bad, look),
                     troubles == 1 ? "1 thing needs" : fmt::format("{} things need", troubles),
                     count(targets.size(), "target"));
}

std::string running_words(JsonView run, const Look& look) {
  std::string text = fmt::format("{} of {}, begun {}", run.text("depth"), run.text("target"),
                                 relative(run.time("created_at"), look.now));
  if (!run.text("stage").empty()) text += ", in stage " + run.text("stage");
  const std::uint64_t total = run.number("bytes_total");
  if (total != 0) {
    const double part = static_cast<double>(run.number("bytes_done")) / static_cast<double>(total);
    text += fmt::format(", {}%", static_cast<int>(std::clamp(part, 0.0, 1.0) * 100));
  }
  if (const auto left = run.seconds("time_left_seconds")) {
    text += fmt::format(", about {} left", format_duration(*left));
  }
  return text;
}

std::string going_on(JsonView status, const Look& look) {
  std::string out;
  for (const JsonView& run : status.list("running")) {
    out += fact("running", running_words(run, look) + ": " + run.text("id"), look);
  }
  for (const JsonView& run : status.list("waiting")) {
    out += fact("waiting",
                fmt::format("{} of {} waits for {}: {}", run.text("depth"), run.text("target"),
                            run.text("waits_for"), run.text("id")),
                look);
  }
  for (const JsonView& pause : status.list("pauses")) {
    if (pause.has("until")) out += fact("paused", pause_words(pause, look.now), look);
  }
  for (const JsonView& hold : status.list("holds")) {
    out +=
        fact_with("held",
                  fmt::format("{} for {} until {} ({})", hold.text("target"), hold.text("owner"),
                              utc_time(hold.time("until")), relative(hold.time("until"), look.now)),
                  "radctl hold psql " + hold.text("run_id"), look);
  }
  return out.empty() ? out : heading("Now", look) + out;
}

std::string coming(JsonView schedules, const Look& look) {
  auto rows = schedules.list("schedules");
  std::erase_if(rows, [](const JsonView& row) { return !row.has("next") || row.has("pause"); });
  std::ranges::stable_sort(rows, {}, [](const JsonView& row) { return *row.time("next"); });
  std::vector<std::vector<std::string>> cells{{"when", "local time", "what"}};
  for (const JsonView& row : rows) {
    if (cells.size() > kNextRuns) break;
    cells.push_back({relative(row.time("next"), look.now), local_time(row.time("next")),
                     fmt::format("{} of {} ({})", row.text("depth"), row.text("target"),
                                 row.text("schedule"))});
  }
  return cells.size() < 2 ? std::string() : heading("Next", look) + table(cells, look);
}

/// Whether the target has been proved since a time that was missed, as deep as that was to be.
bool made_up_for(JsonView missed, const std::vector<JsonView>& targets) {
  for (const JsonView& target : targets) {
    if (target.text("name") != missed.text("target")) continue;
    for (const JsonView& row : target.list("schedules")) {
      if (row.text("schedule") != missed.text("schedule")) continue;
      const auto proved = proved_at_least(target, row.text("depth"));
      return proved && *proved > *missed.time("slot");
    }
  }
  return false;
}

/// Of the last days, those that nothing has made up for.
std::string missed_lately(JsonView schedules, const std::vector<JsonView>& targets,
                          const Look& look) {
  std::size_t lost = 0;
  for (const JsonView& row : schedules.list("missed")) {
    const auto slot = row.time("slot");
    if (slot && look.now - *slot < kMissedLately && !made_up_for(row, targets)) ++lost;
  }
  if (lost == 0) return {};
  return fact_with(
      "missed", fmt::format("{} in the last 7 days did not happen", count(lost, "scheduled run")),
      "radctl schedule list", look, 12);
}

std::string agent_facts(JsonView status, const Look& look) {
  std::string out = heading("Agent", look);
  out += fact("version",
              fmt::format("{}, up since {} ({})", status.text("version"),
                          utc_time(status.time("started_at")),
                          relative(status.time("started_at"), look.now)),
              look);
  out += fact("config",
              fmt::format("{}, {}, loaded {}", count(status.number("targets"), "target"),
                          count(status.number("schedules"), "schedule"),
                          relative(status.time("config_loaded_at"), look.now)),
              look);
  return out + fact("scratch", format_bytes(status.number("scratch_free")) + " free", look);
}

}  // namespace

std::string status_text(JsonView status, JsonView targets, JsonView schedules, const Look& look) {
  const auto rows = targets.list("targets");
  std::vector<std::string> troubles = agent_troubles(status, look);
  for (const JsonView& target : rows) {
    if (std::string words = trouble_words(target, look); !words.empty()) {
      troubles.push_back(std::move(words));
    }
  }
  if (std::string missed = missed_lately(schedules, rows, look); !missed.empty()) {
    troubles.push_back(std::move(missed));
  }
  std::string out = first_line(troubles.size(), rows, look);
  for (const std::string& trouble : troubles) out += trouble;
  out += going_on(status, look);
  out += coming(schedules, look);
  return out + agent_facts(status, look);
}

int status(const Context& context, const cli::Parsed&) {
  RADCTL_TRY(const auto state, context.client.get("/v1/status"));
  if (context.json) return answer_json(state);
  RADCTL_TRY(const auto targets, context.client.get("/v1/targets"));
  RADCTL_TRY(auto schedules, context.client.get("/v1/schedules"));
  const TimePoint now = context.clock.now();
  RADCTL_TRY(schedules["missed"], read_missed(context, now - kMissedLately, now));
  cli::write_out(
      stdout, status_text(JsonView(state), JsonView(targets), JsonView(schedules), context.look()));
  return kOk;
}

}  // namespace rad::radctl
