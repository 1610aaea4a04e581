#include <algorithm>
#include <set>

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include "agent/cli/radctl/commands.h"
#include "agent/cli/radctl/proofs.h"
#include "agent/cli/radctl/words.h"

namespace rad::radctl {
namespace {

constexpr std::size_t kMissedShown = 20;

/// UTC beside a local time: what differs between two zones is at most the day.
std::string short_utc(std::optional<TimePoint> time) {
  const std::string text = utc_time(time);
  return text.size() < 16 ? text : text.substr(5, 11);
}

std::string state_of(JsonView row) {
  if (row.has("pause")) return "paused";
  const std::string state = row.text("state");
  return state == "waiting" ? "" : state;
}

std::string first_line(const std::vector<JsonView>& rows, const Look& look) {
  if (rows.empty()) return "nothing is scheduled: backups are tested only by hand\n";
  const JsonView* next = nullptr;
  for (const JsonView& row : rows) {
    if (row.has("pause") || !row.has("next")) continue;
    if (next == nullptr || *row.time("next") < *next->time("next")) next = &row;
  }
  if (next == nullptr) {
    return paint("nothing will be started: all schedules are paused or have no next time",
                 Colour::bad, look) +
           "\n";
  }
  return fmt::format("next: {} of {} {}, {} ({})\n", next->text("depth"), next->text("target"),
                     relative(next->time("next"), look.now), local_time(next->time("next")),
                     utc_time(next->time("next")));
}

/// Why what is due does not run, and pauses; each once.
std::string explanations(const std::vector<JsonView>& rows, JsonView status, const Look& look) {
  std::string out;
  for (const JsonView& row : rows) {
    const std::string why = row.text("waits_for");
    if (why.empty()) continue;
    std::string text = fmt::format("{} of {} is due, but waits for {}", row.text("schedule"),
                                   row.text("target"), why);
    if (const auto attempts = row.number("attempts"); attempts != 0) {
      text += fmt::format(" ({} so far)", count(attempts, "attempt"));
    }
    out += fact("waits", text, look);
  }
  for (const JsonView& pause : status.list("pauses")) {
    out += fact("paused", pause_words(pause, look.now), look);
  }
  return out.empty() ? out : "\n" + out;
}

std::string missed_words(JsonView schedules, const std::set<std::string>& only, const Look& look) {
  std::string out;
  std::size_t shown = 0;
  std::size_t more = 0;
  for (const JsonView& row : schedules.list("missed")) {
    if (!only.empty() && !only.contains(row.text("target"))) continue;
    if (shown == kMissedShown) {
      ++more;
      continue;
    }
    ++shown;
    const std::string detail = row.text("detail");
    out += fact(utc_time(row.time("slot")),
                fmt::format("{} of {}: {}", row.text("schedule"), row.text("target"),
                            detail.empty() ? row.text("cause") : detail),
                look, 20);
  }
  if (out.empty()) return {};
  if (more != 0) out += fmt::format("  and {} more: radctl report\n", more);
  return heading("Missed", look) + out;
}

void keep_only(boost::json::object& answer, const std::set<std::string>& only) {
  if (only.empty()) return;
  for (const char* key : {"schedules", "missed"}) {
    if (!answer[key].is_array()) continue;
    boost::json::array kept;
    for (const JsonView& row : JsonView(answer).list(key)) {
      if (only.contains(row.text("target"))) kept.emplace_back(*row.raw());
    }
    answer[key] = std::move(kept);
  }
}

}  // namespace

std::string schedules_text(JsonView schedules, JsonView status, const std::set<std::string>& only,
                           const Look& look) {
  auto rows = schedules.list("schedules");
  if (!only.empty()) {
    std::erase_if(rows,
                  [&only](const JsonView& row) { return !only.contains(row.text("target")); });
  }
  std::vector<std::vector<std::string>> cells{
      {"target", "schedule", "depth", "next, local time", "in UTC", "state"}};
  for (const JsonView& row : rows) {
    cells.push_back({row.text("target"), row.text("schedule"), row.text("depth"),
                     local_time(row.time("next")), short_utc(row.time("next")), state_of(row)});
  }
  return first_line(rows, look) + table(cells, look) + explanations(rows, status, look) +
         missed_words(schedules, only, look);
}

int schedule_list(const Context& context, const cli::Parsed& parsed) {
  RADCTL_TRY(auto answer, context.client.get("/v1/schedules"));
  const std::string name = parsed.text("--target");
  std::set<std::string> only;
  const auto rows = JsonView(answer).list("schedules");
  const bool rotation = std::ranges::any_of(rows, [&name](const JsonView& row) {
    return is_rotation(row) && row.text("target") == name;
  });
  if (!name.empty()) only.insert(name);
  if (!name.empty() && !rotation) {
    // A name that does not exist is a mistake, not an empty list.
    const auto known = context.client.get("/v1/targets/" + encode(name));
    if (!known) return refuse(context, known.error());
    for (const JsonView& row : JsonView(*known).list("schedules")) only.insert(row.text("target"));
  }
  if (context.json) {
    keep_only(answer, only);
    return answer_json(answer);
  }
  RADCTL_TRY(const auto state, context.client.get("/v1/status"));
  cli::write_out(stdout, schedules_text(JsonView(answer), JsonView(state), only, context.look()));
  return kOk;
}

}  // namespace rad::radctl
