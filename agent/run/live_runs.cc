#include "agent/run/live_runs.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"

namespace rad {
namespace asio = boost::asio;

namespace {

/// Hands everything on to those who follow, and keeps what was said until it is written.
class Recorder final : public RunObserver {
 public:
  Recorder(std::shared_ptr<RunFeed> feed, const Clock& clock)
      : feed_(std::move(feed)), clock_(clock) {}

  void stage_began(const RunReport& report, Stage stage) override {
    feed_->stage_began(report, stage);
    said_.push_back({0, clock_.now(), "", "info", fmt::format("stage {}", to_string(stage))});
  }
  void progressed(const protocol::Progress& progress) override { feed_->progressed(progress); }
  void logged(const std::string& plugin, const protocol::LogLine& line) override {
    feed_->logged(plugin, line);
    said_.push_back({0, clock_.now(), plugin, line.level, line.message});
  }
  std::vector<LogLine> take() { return std::exchange(said_, {}); }

 private:
  std::shared_ptr<RunFeed> feed_;
  const Clock& clock_;
  std::vector<LogLine> said_;
};

std::string summary(const RunReport& report) {
  const std::string verdict(report.verdict ? to_string(*report.verdict) : "none");
  const std::string why = report.cause ? fmt::format(" ({}: {})", to_string(report.cause->reason),
                                                     report.cause->message)
                                       : "";
  return fmt::format("run {}: {} {}{}", report.id, report.target, verdict, why);
}

void log_end(const RunReport& report) {
  if (report.verdict == Verdict::pass) {
    log::info(summary(report));
  } else {
    log::warning(summary(report));
  }
  if (report.cleanup == CleanupResult::failed) {
    log::error(fmt::format("run {}: cleanup failed: {}", report.id, report.cleanup_message));
  }
}

}  // namespace

struct LiveRuns::Entry {
  std::shared_ptr<const RunContext> context;
  RunRequest request;
  std::shared_ptr<RunFeed> feed;
  Recorder recorder;
  Coordinator coordinator;
  std::optional<std::chrono::milliseconds> expected;  ///< whole duration, from earlier runs
  SteadyPoint began_at;
  std::uint64_t scratch = 0;  ///< bytes that it takes in all
  bool waits_for_scratch = false;

  /// Of `scratch`, what has been written. While it is restored the plugin counts bytes as stored.
  std::uint64_t scratch_lying() const {
    const RunReport& report = feed->report();
    if (report.stages.empty() || report.depth != Depth::restore) return 0;
    const Stage stage = report.stages.back().stage;
    if (stage < Stage::restore) return 0;
    if (stage > Stage::restore) return report.bytes_restored != 0 ? report.bytes_restored : scratch;
    const protocol::Progress& progress = feed->progress();
    if (progress.bytes_total == 0) return 0;
    const double share =
        static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total);
    return static_cast<std::uint64_t>(static_cast<double>(scratch) * std::min(1.0, share));
  }
  std::uint64_t scratch_to_come() const { return scratch - std::min(scratch, scratch_lying()); }
  std::optional<Error> failed;  ///< why it could not begin

  Entry(std::shared_ptr<const RunContext> its_context, RunRequest its_request,
        asio::any_io_executor executor, Store& store, const Clock& clock, ScratchClaims& claims)
      : context(std::move(its_context)),
        request(std::move(its_request)),
        feed(std::make_shared<RunFeed>(executor)),
        recorder(feed, clock),
        coordinator(
            {executor, context->generation->config.agent, context->generation->catalog.schemas,
             store, clock, context->reporters, &claims},
            request, &recorder),
        began_at(clock.steady_now()) {}
};

LiveRuns::LiveRuns(asio::any_io_executor executor, Store& store, const Clock& clock, Ended ended)
    : executor_(std::move(executor)), store_(store), clock_(clock), ended_(std::move(ended)) {}

std::optional<std::chrono::milliseconds> expected_duration(Store& store, const std::string& target,
                                                           Depth depth) {
  RunFilter filter;
  filter.target = target;
  filter.depth = depth;
  filter.verdict = Verdict::pass;
  filter.limit = 1;
  const auto before = store.list_summaries(filter);
  if (!before || before->empty() || !before->front().ended_at) return std::nullopt;
  return *before->front().ended_at - before->front().created_at;
}

ScratchClaims::Room LiveRuns::others(const std::string& run_id) const {
  Room room;
  for (const auto& [target, entry] : runs_) {
    if (entry->request.id == run_id || entry->waits_for_scratch) continue;
    room.lying += entry->scratch_lying();
    room.to_come += entry->scratch_to_come();
  }
  return room;
}

void LiveRuns::claim(const std::string& run_id, std::uint64_t bytes, bool waits) {
  for (const auto& [target, entry] : runs_) {
    if (entry->request.id != run_id) continue;
    entry->scratch = bytes;
    entry->waits_for_scratch = waits;
  }
}

Status LiveRuns::start(std::shared_ptr<const RunContext> context, RunRequest request,
                       std::uint64_t scratch) {
  const PluginCatalog& catalog = context->generation->catalog;
  if (const Error* broken = broken_plugin_of(request.target, catalog.schemas, catalog.broken)) {
    const Error why = *broken;
    ended_(request, why);
    return why;
  }
  auto entry = std::make_shared<Entry>(std::move(context), std::move(request), executor_, store_,
                                       clock_, static_cast<ScratchClaims&>(*this));
  entry->scratch = scratch;
  entry->expected = expected_duration(store_, entry->request.target.name, entry->request.depth);
  runs_[entry->request.target.name] = entry;
  asio::co_spawn(executor_, carry_out(entry), [this, entry](std::exception_ptr error) {
    if (!error) return;
    std::string what = "unknown";
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& caught) {
      what = caught.what();
    }
    log::error(fmt::format("run {}: a bug ended it: {}", entry->request.id, what));
    const Error bug = fail(Reason::internal_error, "a bug ended the run: " + what);
    entry->feed->leave();
    runs_.erase(entry->request.target.name);
    ended_(entry->request, bug);
  });
  // The first steps of a run are made at once, and those decide whether it begins.
  if (entry->failed) return *entry->failed;
  return {};
}

asio::awaitable<void> LiveRuns::carry_out(std::shared_ptr<Entry> entry) {
  const Result<RunReport> report = co_await entry->coordinator.run();
  write_logs();
  if (report) {
    log_end(*report);
    entry->feed->end(*report);
  } else {
    entry->failed = report.error();
    entry->feed->leave();
  }
  runs_.erase(entry->request.target.name);
  ended_(entry->request, report);
}

bool LiveRuns::cancel(const std::string& run_id, const std::string& why) {
  for (const auto& [target, entry] : runs_) {
    if (entry->request.id != run_id) continue;
    entry->coordinator.cancel(why);
    return true;
  }
  return false;
}

void LiveRuns::interrupt_all(const std::string& why) {
  for (const auto& [target, entry] : runs_) entry->coordinator.cancel(why, Reason::interrupted);
}

std::shared_ptr<RunFeed> LiveRuns::feed(const std::string& run_id) const {
  for (const auto& [target, entry] : runs_) {
    if (entry->request.id == run_id) return entry->feed;
  }
  return nullptr;
}

const std::string* LiveRuns::of_target(const std::string& target) const {
  const auto found = runs_.find(target);
  return found == runs_.end() ? nullptr : &found->second->request.id;
}

std::vector<LiveRun> LiveRuns::list() const {
  std::vector<LiveRun> runs;
  for (const auto& [target, entry] : runs_) {
    LiveRun run;
    run.report = entry->feed->report();
    run.report.id = entry->request.id;
    run.bytes_done = entry->feed->progress().bytes_done;
    run.bytes_total = entry->feed->progress().bytes_total;
    run.note = entry->feed->progress().note;
    run.scratch_lying = entry->scratch_lying();
    run.scratch_to_come = entry->scratch_to_come();
    if (entry->expected) {
      const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
          clock_.steady_now() - entry->began_at);
      run.time_left = std::max(std::chrono::milliseconds(0), *entry->expected - elapsed);
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

void LiveRuns::write_logs() {
  for (const auto& [target, entry] : runs_) {
    const std::vector<LogLine> said = entry->recorder.take();
    if (said.empty()) continue;
    const Status written = store_.append_log(entry->request.id, said);
    if (!written) log::warning(written.error().message);
  }
}

}  // namespace rad
