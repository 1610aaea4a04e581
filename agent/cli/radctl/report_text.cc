#include "agent/cli/radctl/report_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <set>

#include <boost/json/array.hpp>
#include <date/date.h>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/radctl/proofs.h"
#include "agent/cli/radctl/words.h"
#include "agent/report/markdown.h"

namespace rad::radctl {

namespace bj = boost::json;

namespace {

constexpr std::size_t kFailuresShown = 50;
constexpr std::array<std::string_view, 4> kVerdicts{"pass", "fail", "inconclusive", "cancelled"};

bj::value seconds_value(std::optional<std::chrono::milliseconds> duration) {
  if (!duration) return nullptr;
  return static_cast<double>(duration->count()) / 1000;
}

bj::value time_value(std::optional<TimePoint> time) {
  if (!time) return nullptr;
  return bj::value(format_rfc3339(*time));
}

bj::object depth_summary(JsonView target, std::string_view depth, const std::vector<JsonView>& runs,
                         const Period& period, const std::map<std::string, bj::object>& reports) {
  std::optional<TimePoint> proved;
  std::string id;
  for (const JsonView& run : runs) {
    if (run.text("depth") != depth || run.text("verdict") != "pass") continue;
    proved = run.time("ended_at");
    id = run.text("id");
    break;
  }
  std::string last;
  for (const JsonView& run : runs) {
    const std::string verdict = run.text("verdict");
    if (run.text("depth") != depth || (verdict != "pass" && verdict != "fail")) continue;
    last = verdict;
    break;
  }
  // The proof may be older than the period; a later one says nothing about it.
  std::optional<TimePoint> before = proof_at(target, depth).time("proved_at");
  if (before && *before >= period.from) before.reset();
  const auto found = reports.find(id);
  const JsonView record = found == reports.end() ? JsonView() : JsonView(found->second);
  return {{"matters", depth_matters(target, depth)},
          {"last_verdict", last.empty() ? bj::value(nullptr) : bj::value(last)},
          {"ever_proved", proof_at(target, depth).has("proved_at")},
          {"proved_at", time_value(proved)},
          {"run_id", bj::string(id)},
          {"proved_before", time_value(before)},
          {"measured_rto_seconds", seconds_value(record.seconds("measured_rto_seconds"))},
          {"rto_target_seconds", seconds_value(record.seconds("rto_target_seconds"))},
          {"measured_rpo_seconds", seconds_value(record.seconds("measured_rpo_seconds"))},
          {"rpo_target_seconds", seconds_value(record.seconds("rpo_target_seconds"))}};
}

bj::array failures_of(const std::vector<JsonView>& runs) {
  bj::array failures;
  for (const JsonView& run : runs) {
    const std::string verdict = run.text("verdict");
    if (verdict != "fail" && verdict != "inconclusive" && run.text("cleanup") != "failed") continue;
    failures.push_back(bj::object{{"run_id", run.text("id")},
                                  {"depth", run.text("depth")},
                                  {"schedule", run.text("schedule")},
                                  {"ended_at", time_value(run.time("ended_at"))},
                                  {"verdict", verdict},
                                  {"reason", run.text("reason")},
                                  {"cleanup", run.text("cleanup")}});
  }
  return failures;
}

std::string against(JsonView depth, std::string_view measured, std::string_view target) {
  const auto value = depth.seconds(measured);
  if (!value) return "";
  const auto goal = depth.seconds(target);
  if (!goal) return format_duration(*value);
  return fmt::format("{} of {}{}", format_duration(*value), format_duration(*goal),
                     *value <= *goal ? "" : " (**missed**)");
}

std::string proved_cell(JsonView depth) {
  if (const auto proved = depth.time("proved_at")) {
    return utc_time(proved).substr(0, 16) +
           (depth.text("last_verdict") == "fail" ? ", **failed since**" : "");
  }
  if (!depth.flag("matters")) return "";
  if (const auto before = depth.time("proved_before")) {
    return fmt::format("**no** (last {})", utc_time(before).substr(0, 10));
  }
  return depth.flag("ever_proved") ? "**no**" : "**never**";
}

/// The deepest depth that is a matter for the target is the one that counts, and a failure after
/// the last pass undoes it.
bool is_proved(JsonView target) {
  for (const std::string_view depth : kDepths) {
    const JsonView row = target.object(depth);
    if (row.flag("matters")) return row.text("last_verdict") == "pass";
  }
  return false;
}

std::string names_of(const std::vector<JsonView>& targets) {
  std::vector<std::string> names;
  names.reserve(targets.size());
  for (const JsonView& target : targets) names.push_back(markdown_code(target.text("name")));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string verdict_counts(JsonView target) {
  std::vector<std::string> parts;
  const JsonView runs = target.object("runs");
  for (const std::string_view verdict : kVerdicts) {
    if (const auto number = runs.number(verdict); number != 0) {
      parts.push_back(fmt::format("{} {}", number, verdict));
    }
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string table_of(const std::vector<JsonView>& targets) {
  std::string out =
      "\n| target | restored (UTC) | time to restore | data lost | verified | inspected | runs |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const JsonView& target : targets) {
    const JsonView restore = target.object("restore");
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", markdown_code(target.text("name")),
                       proved_cell(restore),
                       against(restore, "measured_rto_seconds", "rto_target_seconds"),
                       against(restore, "measured_rpo_seconds", "rpo_target_seconds"),
                       proved_cell(target.object("verify")), proved_cell(target.object("inspect")),
                       verdict_counts(target));
  }
  return out;
}

std::string failures_text(const std::vector<JsonView>& targets) {
  std::string out;
  std::size_t shown = 0;
  std::size_t more = 0;
  for (const JsonView& target : targets) {
    for (const JsonView& failure : target.list("failures")) {
      if (shown == kFailuresShown) {
        ++more;
        continue;
      }
      ++shown;
      std::string what = reason_words(failure.text("reason"));
      if (failure.text("cleanup") == "failed")
        what += what.empty() ? "cleanup failed" : "; cleanup failed";
      out += fmt::format("- {} {}: **{}** at depth {}, {} (run {})\n",
                         markdown_code(target.text("name")), utc_time(failure.time("ended_at")),
                         escape_markdown(failure.text("verdict")),
                         escape_markdown(failure.text("depth")), escape_markdown(what),
                         markdown_code(failure.text("run_id")));
    }
  }
  if (more != 0) out += fmt::format("- and {} more: `radctl run list`\n", more);
  return out.empty() ? out : "\n## What did not pass\n\n" + out;
}

/// One line for each cause that lasted: an agent that was down for a month is one thing to read.
std::string missed_lines(const std::vector<JsonView>& rows) {
  struct Lost {
    std::size_t times = 0;
    std::string first;
    std::string last;
  };
  std::map<std::array<std::string, 3>, Lost> causes;
  for (const JsonView& row : rows) {
    const std::string detail = row.text("detail");
    Lost& lost = causes[{row.text("target"), row.text("schedule"),
                         detail.empty() ? row.text("cause") : detail}];
    const std::string slot = utc_time(row.time("slot"));
    if (++lost.times == 1) lost.last = slot;
    lost.first = slot;
  }
  std::string out;
  for (const auto& [key, lost] : causes) {
    const std::string when =
        lost.times == 1 ? lost.first
                        : fmt::format("{} times from {} to {}", lost.times, lost.first, lost.last);
    out += fmt::format("- {} schedule {}, {}: {}\n", markdown_code(key[0]), markdown_code(key[1]),
                       when, escape_markdown(key[2]));
  }
  return out;
}

std::string missed_text(const std::vector<JsonView>& targets, const bj::array& others) {
  std::string out;
  for (const JsonView& target : targets) out += missed_lines(target.list("missed"));
  std::vector<JsonView> rows;
  for (const bj::value& row : others) rows.emplace_back(row.as_object());
  out += missed_lines(rows);
  return out.empty() ? out : "\n## What did not happen\n\n" + out;
}

}  // namespace

std::optional<Period> month_of(const std::string& month) {
  if (month.size() != 7) return std::nullopt;
  const auto from = parse_time(month + "-01T00:00:00Z");
  if (!from) return std::nullopt;
  const date::year_month_day first(date::floor<date::days>(*from));
  const date::sys_days next(first.year() / first.month() / 1 + date::months(1));
  return Period{.title = date::format("%B %Y", date::floor<date::days>(*from)),
                .from = *from,
                .to = TimePoint(next.time_since_epoch())};
}

Period last_days(TimePoint now) {
  const TimePoint from = now - date::days(31);
  return {.title = date::format("%d %b %Y", date::floor<date::days>(from)) + " to " +
                   date::format("%d %b %Y", date::floor<date::days>(now)),
          .from = from,
          .to = now};
}

bj::object summarize(JsonView target, const std::vector<JsonView>& runs,
                     const std::vector<JsonView>& missed, const Period& period,
                     const std::map<std::string, bj::object>& reports) {
  const std::string name = target.text("name");
  bj::object counts;
  for (const std::string_view verdict : kVerdicts) {
    counts[verdict] = std::ranges::count_if(
        runs, [verdict](const JsonView& run) { return run.text("verdict") == verdict; });
  }
  bj::array lost;
  for (const JsonView& row : missed) {
    const auto slot = row.time("slot");
    if (row.text("target") == name && slot && *slot >= period.from && *slot < period.to) {
      lost.push_back(*row.raw());
    }
  }
  bj::object summary{{"name", name}};
  for (const std::string_view depth : kDepths) {
    summary[depth] = depth_summary(target, depth, runs, period, reports);
  }
  summary["runs"] = std::move(counts);
  summary["failures"] = failures_of(runs);
  summary["missed"] = std::move(lost);
  return summary;
}

bj::array missed_by_others(JsonView targets, const std::vector<JsonView>& missed) {
  std::set<std::string> names;
  for (const JsonView& target : targets.list("targets")) names.insert(target.text("name"));
  bj::array others;
  for (const JsonView& row : missed) {
    if (!names.contains(row.text("target"))) others.emplace_back(*row.raw());
  }
  return others;
}

std::string report_markdown(const Summary& summary) {
  std::vector<JsonView> targets;
  for (const bj::value& target : summary.targets) targets.emplace_back(target.as_object());
  std::vector<JsonView> open;
  std::ranges::copy_if(targets, std::back_inserter(open),
                       [](const JsonView& target) { return !is_proved(target); });
  std::string out = fmt::format("# Backup tests, {}\n\n", summary.period.title);
  if (targets.empty()) {
    out += "**No target is configured, so no backup is tested.**\n";
  } else if (open.empty()) {
    out += fmt::format("**All {} proved good.**\n",
                       count(targets.size(), "target") + (targets.size() == 1 ? " was" : " were"));
  } else {
    out += fmt::format("**{} of {} not proved good in this time: {}.**\n", open.size(),
                       count(targets.size(), "target"), names_of(open));
  }
  if (!targets.empty()) out += table_of(targets);
  out += failures_text(targets) + missed_text(targets, summary.missed);
  out += fmt::format(
      "\nRestored: restored, recovered and asked. Verified: every byte read and checksummed. "
      "Inspected: names and metadata alone. Made {} by rad-agent {}.\n",
      utc_time(summary.made_at), escape_markdown(summary.version));
  return out;
}

}  // namespace rad::radctl
