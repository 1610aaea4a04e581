#include "agent/run/run_end.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/run/hold_files.h"
#include "agent/run/run_machine.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

void capture_logs(RunState& run) {
  if (!run.report.cause) return;
  const std::filesystem::path directory = run.services.options.state_dir / "runs" / run.report.id;
  std::error_code ec;
  std::filesystem::create_directories(directory, ec);
  for (const RunPlugin& plugin : run.plugins) {
    if (!plugin.process) continue;
    const std::string text = plugin.process->captured_log();
    if (text.empty()) continue;
    const Status written = write_file_atomic(directory / (plugin.name + ".log"), text, 0600);
    if (!written) log::warning(written.error().message);
  }
}

void note_early_ends(RunState& run) {
  for (const RunPlugin& plugin : run.plugins) {
    if (!plugin.initialized || !plugin.process || run.report.cause) continue;
    // All its answers are there, so it changes no verdict; but it must not pass unseen.
    if (const auto ended = plugin.process->early_end()) {
      run.report.findings.push_back(
          {std::string(to_string(ended->reason)), ended->message, plugin.name});
    }
  }
}

/// For schedules that follow new backups.
void remember_backup(RunState& run) {
  const BackupRef& backup = run.report.backup;
  if (backup.name.empty()) return;
  const auto known = run.services.store.record_backup(
      {run.report.target, backup.name, backup.finished_at, run.services.clock.now()});
  if (!known) log::warning(known.error().message);
}

/// Whether there is an instance to hold, whatever the verdict on it.
bool holds_instance(RunState& run) {
  if (!run.request.hold || run.request.hold->count() <= 0) return false;
  if (run.artifact && run.endpoint && !run.cancelled) return true;
  run.report.findings.push_back({"not_held",
                                 run.cancelled ? "the run was cancelled, so nothing is held"
                                               : "the run came to no instance that could be held",
                                 run.request.target.name});
  return false;
}

/// Writes down what a holder needs, before the plugins are forgotten.
Status order_hold(RunState& run) {
  const std::string& name = run.request.target.instance->plugin;
  HoldOrder order;
  order.run_id = run.report.id;
  order.target = run.report.target;
  order.plugin = name;
  if (const RunPlugin* plugin = run.find(name)) order.options = plugin->options;
  order.artifact = *run.artifact;
  order.backup_version = run.report.backup.version;
  RAD_CHECK(write_hold_order(run.services.options, order));
  Hold hold;
  hold.run_id = run.report.id;
  hold.target = run.report.target;
  hold.owner = run.report.requested_by;
  hold.note = run.report.request_note;
  hold.since = run.services.clock.now();
  hold.until = *run.report.kept_until;
  return run.services.store.put_hold(hold);
}

}  // namespace

asio::awaitable<Status> cleanup_stage(RunState& run) {
  note_early_ends(run);
  fill_missing_outcomes(run.report, plan_checks(run.request, run.services.plugins));
  conclude(run.report);
  const bool passed = run.report.verdict == Verdict::pass;
  const bool holding = holds_instance(run);
  const auto keep = holding  ? *run.request.hold
                    : passed ? run.request.target.keep.on_pass
                             : run.request.target.keep.on_fail;
  const bool keeping = keep.count() > 0 && run.artifact.has_value();
  Status first{};
  auto note = [&first](Status status) {
    if (!status && first) first = std::move(status);
  };
  for (auto plugin = run.plugins.rbegin(); plugin != run.plugins.rend(); ++plugin) {
    if (!plugin->process) continue;
    run.active = &*plugin;
    const bool keeps_artifact = keeping && plugin->name == run.request.target.restore.plugin;
    if (keeps_artifact) {
      // Asked to clean up, or told to stop, it would remove what is to be kept.
      plugin->process->kill();
    } else if (plugin->initialized && plugin->process->alive()) {
      auto done = co_await plugin->process->ask<protocol::CleanupResult>(
          "cleanup", {}, run.limits(Stage::cleanup));
      if (!done) note(std::move(done).error());
    }
    co_await plugin->process->stop(5s);
  }
  run.active = nullptr;
  capture_logs(run);
  if (run.workspace) {
    if (keeping) {
      run.report.kept_until = run.services.clock.now() + keep;
      run.report.kept_path = run.workspace->scratch().string();
      note(co_await run.workspace->keep(*run.report.kept_until));
      if (holding) note(order_hold(run));
    } else {
      // What a plugin could not remove itself is removed here; only what then is left counts.
      first = co_await run.workspace->remove();
    }
  }
  run.plugins.clear();
  run.report.cleanup = !first    ? CleanupResult::failed
                       : keeping ? CleanupResult::kept
                                 : CleanupResult::clean;
  if (!first) run.report.cleanup_message = first.error().message;
  co_return first;
}

asio::awaitable<Status> report_stage(RunState& run) {
  const auto proved = run.services.store.last_pass(run.report.target, run.report.depth);
  run.report.ended_at = run.services.clock.now();
  // The age of what came back: the last transaction, else the end of the base backup.
  const auto newest = run.report.recovery.last_transaction ? run.report.recovery.last_transaction
                                                           : run.report.backup.finished_at;
  if (newest && run.report.depth == Depth::restore && run.endpoint) {
    run.report.measured_rpo = run.report.created_at - *newest;
  }
  run.report.stages.back().ended_at = run.report.ended_at;
  // The run ends in the store only when everybody has been told: after a crash in between, the
  // sweep tells them again, and no reporter records a run twice.
  run.write_record();
  remember_backup(run);
  Status told_all{};
  for (const auto& reporter : run.services.reporters) {
    Status told = reporter->report(run.report, proved ? *proved : std::optional<TimePoint>{});
    if (told) continue;
    log::error(fmt::format("reporter '{}': {}", reporter->name(), told.error().message));
    const Status counted = run.services.store.count_report_error(reporter->name());
    if (!counted) log::error(counted.error().message);
    if (told_all) told_all = std::move(told);
  }
  const Status written = run.services.store.end_run(run.report);
  if (!written) {
    log::error(fmt::format("run {}: {}", run.report.id, written.error().message));
    co_return written;
  }
  co_return told_all;
}

}  // namespace rad
