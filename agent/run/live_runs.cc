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
  TimePoint began_at;

  Entry(std::shared_ptr<const RunContext> its_context, RunRequest its_request,
        asio::any_io_executor executor, Store& store, const Clock& clock)
      : context(std::move(its_context)),
        request(std::move(its_request)),
        feed(std::make_shared<RunFeed>(executor)),
        recorder(feed, clock),
        coordinator({executor, context->generation->config.agent,
                     context->generation->catalog.schemas, store, clock, context->reporters},
                    request, &recorder),
        began_at(clock.now()) {}
};

LiveRuns::LiveRuns(asio::any_io_executor executor, Store& store, const Clock& clock, Ended ended)
    : executor_(std::move(executor)), store_(store), clock_(clock), ended_(std::move(ended)) {}

void LiveRuns::start(std::shared_ptr<const RunContext> context, RunRequest request) {
  auto entry =
      std::make_shared<Entry>(std::move(context), std::move(request), executor_, store_, clock_);
  RunFilter filter;
  filter.target = entry->request.target.name;
  filter.depth = entry->request.depth;
  filter.verdict = Verdict::pass;
  filter.limit = 1;
  const auto before = store_.list_summaries(filter);
  if (before && !before->empty() && before->front().ended_at) {
    entry->expected = *before->front().ended_at - before->front().created_at;
  }
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
}

asio::awaitable<void> LiveRuns::carry_out(std::shared_ptr<Entry> entry) {
  const Result<RunReport> report = co_await entry->coordinator.run();
  write_logs();
  if (report) {
    log_end(*report);
    entry->feed->end(*report);
  } else {
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
    if (entry->expected) {
      const auto elapsed = clock_.now() - entry->began_at;
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
