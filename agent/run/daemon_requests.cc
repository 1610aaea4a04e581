// What people ask of the daemon, and the runs that come of it.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/run/daemon_impl.h"
#include "agent/run/workspace.h"

namespace rad {
using namespace std::chrono_literals;

namespace {

/// A pause that stops nothing would only be found out when a run starts that nobody wants.
Status check_schedule(const Config& config, const std::string& target, const std::string& name) {
  const bool rotates =
      std::ranges::find(config.rotations, target, &RotationConfig::name) != config.rotations.end();
  if (target != kEvery && !rotates && config.find_target(target) == nullptr) {
    std::vector<std::string> rotations;
    for (const RotationConfig& rotation : config.rotations) rotations.push_back(rotation.name);
    return unknown_target(config, target, std::move(rotations));
  }
  if (name == kEvery) return {};
  std::vector<std::string> known;
  for (const TargetConfig& one : config.targets) {
    if (target != kEvery && target != one.name) continue;
    for (const ScheduleConfig& schedule : one.schedules) known.push_back(schedule.name);
  }
  for (const RotationConfig& rotation : config.rotations) {
    const auto& members = rotation.members;
    if (target == kEvery || target == rotation.name ||
        std::ranges::find(members, target) != members.end()) {
      known.push_back(rotation.name);
    }
  }
  if (std::ranges::find(known, name) != known.end()) return {};
  Error error =
      fail(Reason::config_invalid,
           target == kEvery ? fmt::format("no target has a schedule '{}'", name)
                            : fmt::format("target '{}' has no schedule '{}'", target, name));
  const auto close = closest(name, known);
  error.hint =
      close ? fmt::format("did you mean '{}'?", *close) : "radctl schedule list shows them";
  return error;
}

std::string describe(const StartAnswer& answer) {
  switch (answer.state) {
    case StartAnswer::State::started:
      return "run " + answer.run_id;
    case StartAnswer::State::queued:
      return fmt::format("run {} waits for {}", answer.run_id, answer.waits_for);
    case StartAnswer::State::attached:
      return "attached to run " + answer.run_id;
  }
  return "";
}

}  // namespace

void Daemon::Impl::audit(const Caller& caller, std::string action, std::string subject,
                         std::string note, bool allowed, std::string outcome) {
  AuditEntry entry;
  entry.at = clock_.now();
  entry.uid = caller.uid;
  entry.user = caller.user;
  entry.role = to_string(caller.access);
  entry.action = std::move(action);
  entry.subject = std::move(subject);
  entry.note = std::move(note);
  entry.allowed = allowed;
  entry.outcome = std::move(outcome);
  write_audit(entry);
}

void Daemon::Impl::write_audit(const AuditEntry& entry) {
  // The journal has it even if the store is in trouble.
  log::info(
      fmt::format("audit: {} ({}, {}) {} {}{}: {}", entry.user, entry.uid, entry.role, entry.action,
                  printable(entry.subject),
                  entry.note.empty() ? "" : fmt::format(" because '{}'", printable(entry.note)),
                  entry.allowed ? printable(entry.outcome) : "refused"));
  const Status written = store_.append_audit(entry);
  if (!written) log::error(written.error().message);
}

/// A run here, one of another process, else a request that waits.
std::optional<Daemon::Impl::Busy> Daemon::Impl::busy_with(const std::string& target) const {
  if (const std::string* current = live_.of_target(target)) {
    Busy busy{*current, std::nullopt, true};
    for (const LiveRun& run : live_.list()) {
      if (run.report.id == *current) busy.time_left = run.time_left;
    }
    return busy;
  }
  RunFilter filter;
  filter.target = target;
  filter.limit = 20;
  const auto runs = store_.list_summaries(filter);
  for (const RunSummary& run : runs ? *runs : std::vector<RunSummary>{}) {
    // What a sweep ends holds the lock too, but nobody tests it any more.
    const bool swept = sweep_ && sweep_->targets().contains(run.target);
    if (run.ended_at || swept || !RunLock::alive(config().agent.state_dir, run.id)) continue;
    Busy busy{run.id, expected_duration(store_, target, run.depth), true};
    const auto elapsed = clock_.now() - run.created_at;
    if (busy.time_left) {
      busy.time_left = std::max(std::chrono::milliseconds(0), *busy.time_left - elapsed);
    }
    return busy;
  }
  const auto& waiting = queue_.requests();
  const auto first = std::ranges::find(waiting, target, &QueuedRequest::target);
  if (first == waiting.end()) return std::nullopt;
  return Busy{first->id, std::nullopt, false};
}

Result<StartAnswer> Daemon::Impl::start_run(const Caller& caller, const StartRequest& request) {
  const TargetConfig* target = config().find_target(request.target);
  if (target == nullptr) {
    Error error = unknown_target(config(), request.target);
    audit(caller, "run.start", request.target, request.note, true, error.message);
    return error;
  }
  StartAnswer answer;
  const std::optional<Busy> busy = busy_with(request.target);
  if (busy) answer.time_left = busy->time_left;
  if (busy && busy->goes_on) answer.behind_run = busy->run_id;
  if (busy && request.if_busy == IfBusy::refuse) {
    audit(caller, "run.start", request.target, request.note, true,
          "target busy: run " + busy->run_id);
    const std::string left =
        busy->time_left ? fmt::format(", for about {} more", format_duration(*busy->time_left))
                        : "";
    return fail(Reason::target_busy,
                busy->goes_on ? fmt::format("target '{}' is being tested by run {}{}",
                                            request.target, busy->run_id, left)
                              : fmt::format("run {} of target '{}' was asked for already and waits",
                                            busy->run_id, request.target),
                "use --if-busy queue or attach, or radctl run cancel");
  }
  if (busy && request.if_busy == IfBusy::attach) {
    answer.state = StartAnswer::State::attached;
    answer.run_id = busy->run_id;
    audit(caller, "run.start", request.target, request.note, true, describe(answer));
    return answer;
  }
  QueuedRequest queued;
  queued.id = make_run_id(clock_.now());
  queued.target = request.target;
  queued.depth = request.depth.value_or(Depth::restore);
  queued.schedule = "manual";
  queued.backup = request.backup.value_or("");
  queued.recover_to = request.recover_to.value_or("");
  queued.hold = request.hold;
  queued.requested_by = caller.user;
  queued.note = request.note;
  queued.requested_at = clock_.now();
  answer.run_id = queued.id;
  RAD_CHECK(queue_.add(std::move(queued)));
  const std::map<std::string, Error> not_begun = start_due();
  const auto failed = not_begun.find(answer.run_id);
  // Tested by another process: it keeps its place in the queue.
  if (failed != not_begun.end() && failed->second.reason != Reason::target_busy) {
    audit(caller, "run.start", request.target, request.note, true, failed->second.message);
    return failed->second;
  }
  if (live_.feed(answer.run_id)) {
    answer.state = StartAnswer::State::started;
  } else {
    answer.state = StartAnswer::State::queued;
    answer.waits_for = scheduler_.waits_for(answer.run_id);
  }
  audit(caller, "run.start", request.target, request.note, true, describe(answer));
  return answer;
}

Status Daemon::Impl::cancel_run(const Caller& caller, const std::string& run_id,
                                const std::string& why) {
  const std::string text = fmt::format("cancelled by {}: {}", caller.user, why);
  if (live_.cancel(run_id, text)) {
    audit(caller, "run.cancel", run_id, why, true, "is being cancelled");
    return {};
  }
  RAD_TRY(const bool waited, queue_.remove(run_id));
  if (waited) {
    audit(caller, "run.cancel", run_id, why, true, "taken out of the queue");
    return {};
  }
  RAD_TRY(const auto known, store_.load_run(run_id));
  Error error =
      known && known->ended_at
          ? fail(Reason::config_invalid,
                 fmt::format("run {} has ended already, at {}", run_id,
                             format_rfc3339(*known->ended_at)),
                 "radctl run show " + run_id)
          : fail(Reason::config_invalid, fmt::format("no run '{}' goes on or waits here", run_id),
                 "radctl run list");
  audit(caller, "run.cancel", run_id, why, true, error.message);
  return error;
}

Status Daemon::Impl::pause(const Caller& caller, Pause pause) {
  pause.owner = caller.user;
  pause.since = clock_.now();
  const std::string subject = pause.target + "/" + pause.schedule;
  Status paused = check_schedule(config(), pause.target, pause.schedule);
  if (paused) paused = store_.put_pause(pause);
  const std::string done =
      pause.until ? "until " + format_rfc3339(*pause.until) : "until it is resumed";
  audit(caller, "schedule.pause", subject, pause.reason, true,
        paused ? done : paused.error().message);
  RAD_CHECK(paused);
  look_again();
  return {};
}

Status Daemon::Impl::resume(const Caller& caller, const std::string& target,
                            const std::string& schedule) {
  RAD_TRY(const std::vector<Pause> pauses, store_.list_pauses());
  const bool known = std::ranges::any_of(pauses, [&](const Pause& pause) {
    return pause.target == target && pause.schedule == schedule;
  });
  Status resumed;
  if (!known) {
    resumed =
        fail(Reason::config_invalid,
             fmt::format("no pause of target '{}' and schedule '{}' is in force", target, schedule),
             "radctl schedule list shows the pauses; resume one with the words it was made with");
  } else {
    resumed = store_.remove_pause(target, schedule);
  }
  audit(caller, "schedule.resume", target + "/" + schedule, "", true,
        resumed ? "resumed" : resumed.error().message);
  RAD_CHECK(resumed);
  look_again();
  return {};
}

std::vector<RunningRun> Daemon::Impl::running_runs() const {
  std::vector<RunningRun> running;
  for (const LiveRun& run : live_.list()) {
    RunningRun one;
    one.id = run.report.id;
    one.target = run.report.target;
    one.schedule = run.report.schedule;
    one.depth = run.report.depth;
    one.begun_at = run.report.created_at;
    one.scratch_used = run.scratch_lying;
    one.scratch_to_come = run.scratch_to_come;
    running.push_back(std::move(one));
  }
  if (sweep_) {
    for (const auto& [run_id, target] : sweep_->targets()) {
      running.push_back(
          {.target = target, .what = fmt::format("the removal of what run {} left", run_id)});
    }
  }
  for (const auto& [target, held] : held_elsewhere_) {
    if (held.first <= clock_.steady_now()) continue;
    running.push_back({.id = held.second, .target = target, .what = held.second});
  }
  return running;
}

RunRequest Daemon::Impl::request_of(const QueuedRequest& queued) const {
  RunRequest request;
  request.id = queued.id;
  const TargetConfig* target = config().find_target(queued.target);
  if (target != nullptr) request.target = *target;
  request.target.name = queued.target;
  request.depth = queued.depth;
  request.schedule = queued.schedule;
  request.requested_by = queued.requested_by;
  request.note = queued.note;
  request.hold = queued.hold;
  if (!queued.backup.empty()) request.backup = queued.backup;
  if (!queued.recover_to.empty()) request.recover_to = queued.recover_to;
  return request;
}

std::vector<QueuedRequest> Daemon::Impl::waiting_requests() {
  std::vector<QueuedRequest> waiting;
  const std::vector<QueuedRequest> requests = queue_.requests();
  for (const QueuedRequest& request : requests) {
    if (live_.feed(request.id)) continue;
    if (config().find_target(request.target) != nullptr) {
      waiting.push_back(request);
      continue;
    }
    refuse(request_of(request),
           fail(Reason::config_invalid,
                fmt::format("target '{}' was taken out of the configuration while the run waited",
                            request.target),
                "radctl target list shows the targets"));
  }
  return waiting;
}

Barriers Daemon::Impl::barriers() const {
  Barriers barriers;
  if (!store_.durable()) {
    barriers.restores = "a store that can be written: " + keeper_.problem();
  }
  for (const auto& [key, refused] : refused_) {
    if (clock_.steady_now() < refused.until) barriers.runs[key] = refused.why;
  }
  return barriers;
}

std::map<std::string, Error> Daemon::Impl::start_due() {
  std::map<std::string, Error> not_begun;
  if (stopping_) return not_begun;
  std::erase_if(held_elsewhere_,
                [&](const auto& entry) { return entry.second.first <= clock_.steady_now(); });
  const std::vector<QueuedRequest> waiting = waiting_requests();
  SchedulerInput input{config(), waiting, running_runs(), std::nullopt, barriers()};
  if (const auto free = free_bytes(config().agent.scratch_dir)) input.scratch_free = *free;
  const auto plan = scheduler_.tick(input);
  if (!plan) {
    if (store_error_ != plan.error().message) log::error("scheduler: " + plan.error().message);
    store_error_ = plan.error().message;
    return not_begun;
  }
  store_error_.clear();
  for (const PlannedStart& planned : *plan) start(planned, not_begun);
  return not_begun;
}

void Daemon::Impl::start(const PlannedStart& planned, std::map<std::string, Error>& not_begun) {
  const TargetConfig* target = config().find_target(planned.target);
  if (target == nullptr) return;
  RunRequest request;
  request.id = make_run_id(clock_.now());
  request.target = *target;
  request.depth = planned.depth;
  request.schedule = planned.schedule;
  request.requested_by = "schedule";
  if (planned.request) {
    const auto& waiting = queue_.requests();
    const auto found = std::ranges::find(waiting, *planned.request, &QueuedRequest::id);
    if (found == waiting.end()) return;
    request = request_of(*found);
  }
  if (!refused_.contains({planned.target, planned.schedule})) {
    log::info(fmt::format("run {}: {} of target {} ({})", request.id, to_string(request.depth),
                          planned.target, planned.schedule));
  }
  request.slot = planned.slot;
  const std::string id = request.id;
  if (const Status begun = live_.start(context_, std::move(request), planned.scratch); !begun) {
    not_begun.emplace(id, begun.error());
  }
}

/// Ends a request that cannot begin: whoever asked or follows finds a record that says why.
void Daemon::Impl::refuse(const RunRequest& request, const Error& why) {
  const auto known = store_.load_run(request.id);
  Status written = known ? Status{} : Status(known.error());
  // What has begun, the next sweep ends.
  if (known && !*known) {
    written = store_.end_run(record_of_refused(request, why, clock_.now()));
  }
  const auto removed = queue_.remove(request.id);
  if (!written || !removed) {
    const Error& error = written ? removed.error() : written.error();
    if (std::exchange(refuse_error_, error.message) != error.message) log::error(error.message);
    if (!removed) return;  // and it is tried again
  }
  AuditEntry entry;
  entry.at = clock_.now();
  entry.uid = ::geteuid();
  entry.user = "rad-agent";
  entry.role = "agent";
  entry.action = "run.refuse";
  entry.subject = request.id;
  entry.note = request.note;
  entry.allowed = true;
  entry.outcome = fmt::format("the run of {} for {} could not begin: {}", request.target.name,
                              request.requested_by, why.message);
  write_audit(entry);
}

/// A schedule's run that could not begin is tried again later, and is in nobody's way until then.
void Daemon::Impl::bar(const RunRequest& request, const Error& why) {
  static constexpr std::array<SteadyPoint::duration, 5> kTryAgain{1min, 2min, 4min, 8min, 15min};
  Refused& refused = refused_[{request.target.name, request.schedule}];
  const std::string text = "an end of what keeps it from beginning: " + why.message;
  if (refused.why != text) {
    log::warning(
        fmt::format("target {}: the {} of schedule {} cannot begin, and is tried again: "
                    "{}",
                    request.target.name, to_string(request.depth), request.schedule, why.message));
  }
  refused.why = text;
  refused.until = clock_.steady_now() + kTryAgain.at(std::min(refused.times, kTryAgain.size() - 1));
  ++refused.times;
}

void Daemon::Impl::run_ended(const RunRequest& request, const Result<RunReport>& report) {
  measured_at_.reset();
  const bool held = !report && report.error().reason == Reason::target_busy;
  if (held) {
    // Somebody tests it with `rad-agent run`: look again in a minute. A request keeps its place.
    held_elsewhere_[request.target.name] = {clock_.steady_now() + 1min, report.error().message};
  } else if (!report && request.schedule != "manual") {
    bar(request, report.error());
  } else if (!report) {
    refuse(request, report.error());
  } else {
    refused_.erase({request.target.name, request.schedule});
    if (const auto removed = queue_.remove(request.id); !removed) {
      log::error(removed.error().message);
    }
  }
  look_again();
}

}  // namespace rad
