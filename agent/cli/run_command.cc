#include <cstdio>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/cli/commands.h"
#include "agent/config/plugin_check.h"
#include "agent/report/markdown.h"
#include "agent/report/progress.h"
#include "agent/report/terminal.h"
#include "agent/run/coordinator.h"
#include "agent/run/hold_files.h"
#include "agent/run/holds.h"
#include "agent/run/plugin_catalog.h"
#include "agent/run/sweep.h"

namespace rad::cli {
namespace asio = boost::asio;
namespace {

/// How long a foreground run waits to tell how its held instance is reached.
constexpr auto kHoldPatience = std::chrono::minutes(5);
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

/// Shows a run on stderr while it goes on.
class ShowProgress final : public RunObserver {
 public:
  ShowProgress(const Clock& clock, bool quiet)
      : writer_(STDERR_FILENO, clock,
                quiet ? ProgressWriter::Mode::off : ProgressWriter::Mode::automatic) {}
  void stage_began(const RunReport&, Stage stage) override { writer_.begin_stage(stage); }
  void progressed(const protocol::Progress& progress) override {
    writer_.update(progress.bytes_done, progress.bytes_total, progress.note);
  }
  void logged(const std::string& plugin, const protocol::LogLine& line) override {
    if (line.level != "warning" && line.level != "error") return;
    writer_.clear();
    log::warning(fmt::format("{}: {}", plugin, printable(line.message)));
  }
  void tick() { writer_.tick(); }
  void finish() { writer_.finish(); }

 private:
  ProgressWriter writer_;
};

/// One `rad-agent run`, from signals to exit status.
class ForegroundRun {
 public:
  ForegroundRun(Config config, const CommonOptions& common, const RunOptions& options)
      : config_(std::move(config)),
        common_(common),
        options_(options),
        show_(clock_, options.quiet),
        signals_(context_, SIGINT, SIGTERM),
        ticker_(context_) {}

  int run() {
    asio::co_spawn(context_, watch_signals(), asio::detached);
    asio::co_spawn(context_, tick(), asio::detached);
    asio::co_spawn(context_, work(), [this](std::exception_ptr error) {
      if (error) {
        // A bug: said as such and never as a verdict on the backup.
        try {
          std::rethrow_exception(error);
        } catch (const std::exception& what) {
          const Error bug = fail(Reason::internal_error, what.what(), "please report this");
          print_error(bug);
          answer_error(bug, common_);
        }
        exit_ = kInconclusive;
      }
      context_.stop();
    });
    context_.run();
    return exit_;
  }

 private:
  asio::awaitable<void> watch_signals() {
    for (;;) {
      const auto [ec, signal] = co_await signals_.async_wait(kToken);
      if (ec) co_return;
      signal_ = signal;
      show_.finish();
      write_out(stderr, "cancelling the run and cleaning up\n");
      if (coordinator_) {
        coordinator_->cancel(fmt::format("cancelled by signal {}", signal));
      } else {
        exit_ = signal == SIGINT ? kInterrupted : 6;
        context_.stop();
      }
    }
  }

  asio::awaitable<void> tick() {
    for (;;) {
      ticker_.expires_after(std::chrono::seconds(1));
      const auto [ec] = co_await ticker_.async_wait(kToken);
      if (ec) co_return;
      show_.tick();
    }
  }

  asio::awaitable<void> work() {
    const Status done = co_await try_work();
    if (!done) {
      show_.finish();
      print_error(done.error());
      answer_error(done.error(), common_);
      exit_ = done.error().reason == Reason::config_invalid ? kUsage : kInconclusive;
    }
  }

  asio::awaitable<Status> try_work() {
    RAD_CO_TRY(catalog_, co_await describe_plugins(context_.get_executor(), config_.agent));
    const std::vector<Diagnostic> mistakes = judge(config_, catalog_);
    if (!mistakes.empty()) {
      write_out(stderr, to_text(mistakes, "error"));
      answer_error(fail(Reason::config_invalid, mistakes.front().message,
                        "rad-agent check-config --json lists every mistake"),
                   common_);
      exit_ = kUsage;
      co_return Status{};
    }
    RAD_CO_CHECK(prepare_state(config_.agent));
    RAD_CO_TRY(Store store, Store::open(config_.agent.state_dir / "rad.db"));
    const auto reporters = make_reporters(config_, store);
    Sweep sweep(config_.agent, store, clock_, reporters);
    sweep.look();
    const SweepResult swept = co_await sweep.work();
    for (const std::string& problem : swept.problems) log::warning(problem);
    const RunServices services{
        context_.get_executor(), config_.agent, catalog_.schemas, store, clock_, reporters};
    RAD_CO_TRY(const RunReport report, co_await run_when_free(services));
    show_.finish();
    print(report);
    co_await tell_hold(store, report);
    exit_ = signal_ == SIGINT && report.verdict == Verdict::cancelled ? kInterrupted
                                                                      : exit_status(report);
    co_return Status{};
  }

  asio::awaitable<Result<RunReport>> run_when_free(const RunServices& services) {
    std::string said;
    asio::steady_timer pause(context_);
    for (;;) {
      coordinator_ = std::make_unique<Coordinator>(services, request(), &show_);
      auto report = co_await coordinator_->run();
      coordinator_.reset();
      if (report || report.error().reason != Reason::target_busy || options_.if_busy == "refuse") {
        co_return report;
      }
      if (said != report.error().message) {
        said = report.error().message;
        write_out(stderr, fmt::format("{}; waiting for it to end\n", said));
      }
      pause.expires_after(std::chrono::seconds(1));
      co_await pause.async_wait(kToken);
    }
  }

  /// Calls the holder and says how to reach the instance, or what came in between.
  asio::awaitable<void> tell_hold(Store& store, const RunReport& report) {
    const Holds holds(store, clock_);
    if (!options_.hold || !holds.find(report.id)) co_return;
    const Status called = call_holder(config_.agent, common_.config, report.id);
    if (!called) {
      print_error(called.error());
      co_return;
    }
    asio::steady_timer pause(context_);
    const SteadyPoint give_up = clock_.steady_now() + kHoldPatience;
    while (clock_.steady_now() < give_up && signal_ == 0) {
      const auto hold = holds.find(report.id);
      if (!hold || hold->state != HoldState::held) break;
      const std::string line = psql_line(*hold);
      if (!line.empty()) {
        write_out(stderr, fmt::format("held until {}, reach it with: {}\n",
                                      format_rfc3339(hold->until), line));
        co_return;
      }
      pause.expires_after(std::chrono::milliseconds(200));
      co_await pause.async_wait(kToken);
    }
    const std::string why = read_hold_failure(config_.agent, report.id);
    print_error(fail(Reason::check_error,
                     "the instance cannot be reached" + (why.empty() ? " yet" : ": " + why),
                     "radctl hold list tells more"));
  }

  RunRequest request() const {
    RunRequest request;
    request.target = *config_.find_target(options_.target);
    request.depth = options_.depth;
    request.requested_by = options_.requested_by;
    request.note = options_.note;
    request.hold = options_.hold;
    if (!options_.backup.empty()) request.backup = options_.backup;
    if (!options_.recover_to.empty()) request.recover_to = options_.recover_to;
    return request;
  }

  void print(const RunReport& report) const {
    if (common_.json) {
      write_out(stdout, render_json(report));
    } else if (options_.format == "markdown") {
      write_out(stdout, render_markdown(report));
    } else {
      write_out(stdout,
                render_terminal(report, terminal_style(STDOUT_FILENO, common_.allow_colour)));
    }
  }

  Config config_;
  const CommonOptions& common_;
  const RunOptions& options_;
  SystemClock clock_;
  asio::io_context context_{1};
  ShowProgress show_;
  asio::signal_set signals_;
  asio::steady_timer ticker_;
  PluginCatalog catalog_;
  std::unique_ptr<Coordinator> coordinator_;
  int signal_ = 0;
  int exit_ = kInconclusive;
};

}  // namespace

int run_command(const CommonOptions& common, const RunOptions& options) {
  std::optional<Config> config = load_or_explain(common);
  if (!config) return kUsage;
  if (find_target_or_explain(*config, common, options.target) == nullptr) return kUsage;
  return ForegroundRun(std::move(*config), common, options).run();
}

}  // namespace rad::cli
