#include "agent/report/metrics.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <tuple>
#include <unordered_set>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "agent/base/text.h"
#include "agent/report/metrics_table.h"

namespace rad {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
constexpr std::array kDepths{Depth::inspect, Depth::verify, Depth::restore};
constexpr std::array kVerdicts{Verdict::pass, Verdict::fail, Verdict::inconclusive,
                               Verdict::cancelled};
constexpr std::array kStages{Stage::preflight, Stage::fetch,   Stage::restore, Stage::recover,
                             Stage::check,     Stage::cleanup, Stage::report};
constexpr std::size_t kLabelBytes = 200;
constexpr const char* kManual = "manual";

double seconds(std::chrono::milliseconds time) {
  return static_cast<double>(time.count()) / 1000.0;
}
double instant(const std::optional<TimePoint>& time) {
  return time ? seconds(time->time_since_epoch()) : 0.0;
}
double duration(const std::optional<std::chrono::milliseconds>& time) {
  return time ? seconds(*time) : kNever;
}

using ScheduleKey = std::tuple<std::string, std::string, Depth>;

/// Builds all families; one object per exposition.
class Exposition {
 public:
  explicit Exposition(const MetricsInput& input) : input_(input) {
    for (const auto& row : metric_table()) {
      MetricFamily family;
      family.name = row.name;
      family.help = row.help;
      family.type = row.kind == MetricKind::counter ? prometheus::MetricType::Counter
                                                    : prometheus::MetricType::Gauge;
      families_.push_back(std::move(family));
    }
    for (const auto& latest : input.latest) {
      const RunReport& report = latest.report;
      latest_[{report.target, report.schedule, report.depth}] = &latest;
      by_target_[report.target].push_back(&report);
    }
    for (auto& [target, reports] : by_target_) {
      std::stable_sort(reports.begin(), reports.end(),
                       [](const auto* a, const auto* b) { return a->created_at > b->created_at; });
    }
    for (const auto& runs : input.counters.runs) {
      runs_[{runs.target, runs.schedule, runs.depth, runs.verdict}] += runs.count;
    }
    for (const auto& failure : input.counters.failures) {
      failures_[{failure.target, failure.reason}] += failure.count;
    }
    for (const auto& missed : input.missed) {
      missed_[{missed.target, missed.schedule}] += missed.count;
    }
    for (const auto& bytes : input.counters.bytes) bytes_[bytes.target] = &bytes;
    for (const auto& issue : input.open_issues) open_.emplace(issue.target, issue.depth);
    for (const auto& errors : input.counters.report_errors) {
      report_errors_[errors.reporter] += errors.count;
    }
  }

  std::string text() {
    agent_wide();
    for (const auto& rotation : input_.rotations) missed_series(rotation, rotation);
    for (const auto& target : input_.targets) {
      for (const auto& schedule : target.schedules) schedule_series(target.name, schedule);
      for (const Depth depth : kDepths) run_series(target.name, kManual, depth);
      target_series(target);
      check_series(target);
    }
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  void add(Metric metric, double value, std::initializer_list<std::string_view> labels = {}) {
    const auto index = static_cast<std::size_t>(metric);
    // Prometheus refuses the whole scrape for one label that is not UTF-8, or for one series twice.
    std::vector<std::string> values;
    for (const auto label : labels) values.push_back(printable(label, kLabelBytes));
    std::string key = std::to_string(index);
    for (const auto& label : values) key.append(1, '\0').append(label);
    if (!added_.insert(std::move(key)).second) return;

    ClientMetric sample;
    std::string_view names = metric_table()[index].labels;
    for (auto& label : values) {
      const std::size_t comma = names.find(',');
      sample.label.push_back({std::string(names.substr(0, comma)), std::move(label)});
      names.remove_prefix(comma == std::string_view::npos ? names.size() : comma + 1);
    }
    sample.gauge.value = value;
    sample.counter.value = value;
    families_[index].metric.push_back(std::move(sample));
  }

  void agent_wide() {
    add(Metric::build_info, 1, {input_.version});
    add(Metric::config_last_reload_successful, input_.config_last_reload_successful ? 1 : 0);
    add(Metric::scheduler_last_tick, instant(input_.scheduler_last_tick));
    add(Metric::store_durable, input_.store_durable ? 1 : 0);
    add(Metric::leftover_bytes, static_cast<double>(input_.leftover_bytes));
    add(Metric::scratch_free_bytes,
        input_.scratch_free_bytes ? static_cast<double>(*input_.scratch_free_bytes) : kNever);
    for (const auto& reporter : input_.reporters) {
      const auto errors = report_errors_.find(reporter);
      add(Metric::report_errors_total,
          errors == report_errors_.end() ? 0 : static_cast<double>(errors->second), {reporter});
    }
  }

  void schedule_series(const std::string& target, const MetricsSchedule& schedule) {
    const auto depth = to_string(schedule.depth);
    add(Metric::next_run, instant(schedule.next_run), {target, schedule.name, depth});
    add(Metric::expected_interval, duration(schedule.expected_interval),
        {target, schedule.name, depth});
    add(Metric::schedule_paused, schedule.paused ? 1 : 0, {target, schedule.name});
    if (!schedule.rotates) missed_series(target, schedule.name);
    run_series(target, schedule.name, schedule.depth);
  }

  void missed_series(const std::string& target, const std::string& schedule) {
    const auto missed = missed_.find({target, schedule});
    add(Metric::missed_runs_total,
        missed == missed_.end() ? 0 : static_cast<double>(missed->second), {target, schedule});
  }

  void run_series(const std::string& target, const std::string& schedule, Depth depth) {
    const auto depth_name = to_string(depth);
    const auto found = latest_.find({target, schedule, depth});
    const LatestRun* latest = found == latest_.end() ? nullptr : found->second;
    const bool ran = latest != nullptr && latest->report.verdict.has_value();
    add(Metric::last_run, ran ? instant(latest->report.ended_at) : 0,
        {target, schedule, depth_name});
    add(Metric::last_success, latest != nullptr ? instant(latest->last_success) : 0,
        {target, schedule, depth_name});
    for (const Verdict verdict : kVerdicts) {
      const auto count = runs_.find({target, schedule, depth, verdict});
      add(Metric::runs_total, count == runs_.end() ? 0 : static_cast<double>(count->second),
          {target, schedule, depth_name, to_string(verdict)});
      const double is = ran ? (latest->report.verdict == verdict ? 1 : 0) : kNever;
      add(Metric::last_verdict, is, {target, schedule, depth_name, to_string(verdict)});
    }
  }

  /// The newest of the last runs of a target for which `take` gives something.
  template <class Take>
  auto newest(const std::string& target, Take take) const
      -> decltype(take(std::declval<const RunReport&>())) {
    const auto reports = by_target_.find(target);
    if (reports == by_target_.end()) return std::nullopt;
    for (const RunReport* report : reports->second) {
      if (auto value = take(*report)) return value;
    }
    return std::nullopt;
  }

  void target_series(const MetricsTarget& target) {
    const std::string& name = target.name;
    add(Metric::run_in_progress, target.run_in_progress ? 1 : 0, {name});
    add(Metric::coverage_ratio, target.coverage.value_or(kNever), {name});
    add(Metric::untestable, target.untestable ? 1 : 0, {name});
    for (const Stage stage : kStages) {
      add(Metric::stage_duration, duration(stage_duration(name, stage)), {name, to_string(stage)});
    }
    add(Metric::restore_duration,
        duration(newest(name, [](const RunReport& r) { return r.measured_rto; })), {name});
    add(Metric::rto_target, duration(target.rto), {name});
    add(Metric::backup_timestamp,
        instant(newest(name, [](const RunReport& r) { return r.backup.finished_at; })), {name});
    add(Metric::recovery_point,
        instant(newest(name, [](const RunReport& r) { return r.recovery.last_transaction; })),
        {name});
    add(Metric::rpo_target, duration(target.rpo), {name});
    const auto cleanup = newest(name, [](const RunReport& r) { return std::optional(r.cleanup); });
    add(Metric::cleanup_failed, cleanup == CleanupResult::failed ? 1 : 0, {name});

    const auto bytes = bytes_.find(name);
    const bool counted = bytes != bytes_.end();
    add(Metric::bytes_read_total, counted ? static_cast<double>(bytes->second->read) : 0, {name});
    add(Metric::bytes_restored_total, counted ? static_cast<double>(bytes->second->restored) : 0,
        {name});
    for (const auto& reason : all_reasons()) {
      if (reason.blame == Blame::cancelled) continue;
      const auto count = failures_.find({name, reason.reason});
      add(Metric::failures_total, count == failures_.end() ? 0 : static_cast<double>(count->second),
          {name, reason.name});
    }
    for (const Depth depth : kDepths) {
      add(Metric::issue_open, open_.contains({name, depth}) ? 1 : 0, {name, to_string(depth)});
    }
  }

  std::optional<std::chrono::milliseconds> stage_duration(const std::string& target,
                                                          Stage stage) const {
    return newest(target, [&](const RunReport& r) -> std::optional<std::chrono::milliseconds> {
      for (const auto& record : r.stages) {
        if (record.stage == stage && record.ended_at && !record.error) {
          return *record.ended_at - record.started_at;
        }
      }
      return std::nullopt;
    });
  }

  void check_series(const MetricsTarget& target) {
    for (const auto& check : target.checks) {
      const auto outcome = newest(target.name, [&](const RunReport& r) -> std::optional<Outcome> {
        for (const auto& answer : r.checks) {
          if (answer.name == check && answer.outcome != Outcome::not_applicable) {
            return answer.outcome;
          }
        }
        return std::nullopt;
      });
      const bool answered = outcome == Outcome::pass || outcome == Outcome::fail;
      add(Metric::check_passed, answered ? (outcome == Outcome::pass ? 1 : 0) : kNever,
          {target.name, check});
      add(Metric::check_skipped, outcome ? (answered ? 0 : 1) : kNever, {target.name, check});
    }
  }

  const MetricsInput& input_;
  std::vector<MetricFamily> families_;
  std::unordered_set<std::string> added_;
  std::map<ScheduleKey, const LatestRun*> latest_;
  std::map<std::string, std::vector<const RunReport*>> by_target_;
  std::map<std::tuple<std::string, std::string, Depth, Verdict>, std::uint64_t> runs_;
  std::map<std::pair<std::string, Reason>, std::uint64_t> failures_;
  std::map<std::string, std::uint64_t> report_errors_;
  std::map<std::string, const ByteCount*> bytes_;
  std::set<std::pair<std::string, Depth>> open_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> missed_;
};

}  // namespace

std::string render_metrics(const MetricsInput& input) {
  return Exposition(input).text();
}

}  // namespace rad
