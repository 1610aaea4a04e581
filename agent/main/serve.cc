#include "agent/main/serve.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/base/notify.h"
#include "agent/cli/commands.h"
#include "agent/config/host_check.h"
#include "agent/config/loader.h"
#include "agent/config/plugin_check.h"
#include "agent/config/program_dirs.h"
#include "agent/config/reload_check.h"
#include "agent/control/control_server.h"
#include "agent/control/http_server.h"
#include "agent/report/metrics.h"
#include "agent/run/daemon.h"
#include "agent/run/store_keeper.h"
#include "agent/run/workspace.h"

namespace rad {
namespace asio = boost::asio;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

/// What RELOADING=1 must carry.
std::string monotonic_usec() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &now);
  return fmt::format("MONOTONIC_USEC={}", now.tv_sec * 1'000'000LL + now.tv_nsec / 1000);
}

std::string status_text(const StatusView& view) {
  std::string text = fmt::format("{} targets", view.targets);
  for (const LiveRun& run : view.running) {
    const std::string_view stage =
        run.report.stages.empty() ? "starting" : to_string(run.report.stages.back().stage);
    text += fmt::format("; {}: {}", run.report.target, stage);
  }
  if (view.running.empty()) text += "; no run goes on";
  if (!view.waiting.empty()) text += fmt::format("; {} waiting", view.waiting.size());
  if (!view.config_error.empty()) text += "; the last reload failed";
  if (!view.store_error.empty()) text += "; the store is in trouble";
  return text;
}

/// Two agents with one state directory would carry out each other's requests and not know of each
/// other's runs, pauses and holds.
Result<UniqueFd> be_the_only_one(const AgentOptions& options) {
  const std::filesystem::path locks = options.state_dir / "locks";
  RAD_CHECK(make_lock_dir(options.state_dir));
  auto lock = lock_file(locks / "agent");
  if (lock || lock.error().reason != Reason::target_busy) return lock;
  Error error = std::move(lock).error();
  error.message =
      fmt::format("another agent serves with the state directory '{}'", options.state_dir.string());
  error.hint = fmt::format(
      "`fuser {}` shows which; two agents on one host need two values of "
      "agent.state_dir and agent.control_socket",
      (locks / "agent").string());
  return error;
}

/// `rad-agent serve`, from start to the last report.
class Service {
 public:
  explicit Service(const cli::CommonOptions& common)
      : common_(common), signals_(context_, SIGINT, SIGTERM, SIGHUP), watchdog_(context_) {}

  int run() {
    asio::co_spawn(context_, work(), [this](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
      context_.stop();
    });
    context_.run();
    return exit_;
  }

 private:
  asio::awaitable<void> work() {
    const Status done = co_await try_work();
    if (!done) {
      cli::print_error(done.error());
      exit_ = done.error().reason == Reason::config_invalid ? cli::kUsage : cli::kInconclusive;
    }
  }

  /// All or nothing. Every mistake is printed; the error names the first.
  asio::awaitable<Result<std::shared_ptr<const Generation>>> load() {
    LoadResult loaded = load_config(common_.config);
    cli::write_out(stderr, to_text(loaded.warnings, "warning"));
    if (!loaded.ok()) co_return refuse(loaded.errors);
    auto generation = std::make_shared<Generation>();
    generation->config = std::move(loaded.config);
    const ProgramDirs dirs = default_program_dirs(common_.executable);
    AgentOptions& agent = generation->config.agent;
    if (agent.plugin_dir.empty()) agent.plugin_dir = dirs.plugin_dir;
    if (agent.libexec_dir.empty()) agent.libexec_dir = dirs.libexec_dir;
    RAD_CO_TRY(generation->catalog,
               co_await describe_plugins(context_.get_executor(), generation->config.agent));
    const PluginCatalog& catalog = generation->catalog;
    for (const auto& [name, error] : catalog.broken) {
      log::error(fmt::format("plugin '{}' does not answer, and is asked again every 15 s: {}", name,
                             error.message));
    }
    std::vector<Diagnostic> mistakes =
        check_against_plugins(generation->config, catalog.schemas, catalog.broken);
    if (running_) {
      const auto fixed =
          check_against_running(*running_, generation->config.agent, common_.config.string());
      mistakes.insert(mistakes.begin(), fixed.begin(), fixed.end());
    }
    if (!mistakes.empty()) co_return refuse(mistakes);
    co_return generation;
  }

  /// Everything is in the journal and in the answer to whoever asked for a reload.
  Error refuse(const std::vector<Diagnostic>& mistakes) const {
    constexpr std::string_view kWord = "error: ";
    const std::string all = to_text(mistakes, "error");
    cli::write_out(stderr, all);
    const std::string first = all.substr(kWord.size(), all.find('\n') - kWord.size());
    Error error =
        fail(Reason::config_invalid,
             fmt::format("the configuration has {}: {}",
                         mistakes.size() == 1
                             ? "a mistake"
                             : fmt::format("{} mistakes, the first of them", mistakes.size()),
                         first),
             "rad-agent check-config lists every mistake");
    error.detail = all;
    return error;
  }

  asio::awaitable<Status> try_work() {
    RAD_CO_TRY(auto generation, co_await load());
    const AgentOptions options = generation->config.agent;
    running_ = options;
    const std::size_t targets = generation->config.targets.size();
    RAD_CO_CHECK(cli::prepare_state(options));
    RAD_CO_TRY(const UniqueFd alone, be_the_only_one(options));
    // A stand-in for the store lies there if need be; without it, memory has to do.
    std::error_code ignored;
    std::filesystem::create_directories(options.runtime_dir, ignored);
    RAD_CO_TRY(const auto keeper,
               StoreKeeper::open(options.state_dir / "rad.db", options.runtime_dir, clock_));
    Daemon daemon(
        context_.get_executor(), std::move(generation), [this] { return load(); }, *keeper, clock_);
    RAD_CO_CHECK(listen(daemon, options));
    ControlServer control(context_.get_executor(), daemon, clock_,
                          {options.control_socket, {options.viewer_group, options.operator_group}});
    RAD_CO_CHECK(control.start());
    for (const Diagnostic& unfit : check_against_host(options)) log::warning(unfit.message);
    asio::co_spawn(context_, watch_signals(daemon), asio::detached);
    asio::co_spawn(context_, feed_watchdog(), asio::detached);
    log::info(fmt::format("serving {} targets{}", targets,
                          server_ ? fmt::format(", metrics on port {}", server_->port()) : ""));
    daemon.on_reload([this](bool begins) {
      // Before that, the end of a start is what is waited for.
      if (ready_) notify(begins ? "RELOADING=1\n" + monotonic_usec() : "READY=1");
    });
    daemon.on_tick([this](const StatusView& view) {
      ticked_at_ = clock_.steady_now();
      std::string state = "STATUS=" + status_text(view);
      if (!ready_ && view.ready) state = "READY=1\n" + state;
      ready_ = ready_ || view.ready;
      if (state != told_) notify(state);
      told_ = std::move(state);
    });
    co_await daemon.run();
    control.stop();
    server_.reset();
    watchdog_.cancel();
    exit_ = cli::kOk;
    co_return Status{};
  }

  Status listen(Daemon& daemon, const AgentOptions& options) {
    const auto& address = options.metrics_listen;
    if (!address) return {};
    const bool is_v6 = address->host.find(':') != std::string::npos;
    RAD_TRY(const asio::ip::tcp::endpoint endpoint,
            resolve_listen_address(fmt::format("{}{}{}:{}", is_v6 ? "[" : "", address->host,
                                               is_v6 ? "]" : "", address->port)));
    server_ = std::make_unique<HttpServer>(
        context_.get_executor(), endpoint,
        [&daemon](const HttpRequest& request) { return answer(daemon, request); });
    return server_->start();
  }

  static HttpResponse answer(Daemon& daemon, const HttpRequest& request) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (!reads) return {405, "text/plain; charset=utf-8", "only GET is understood here\n"};
    if (request.path == "/-/healthy") return {200, "text/plain; charset=utf-8", "ok\n"};
    if (request.path != "/metrics") {
      return {404, "text/plain; charset=utf-8", "see /metrics and /-/healthy\n"};
    }
    auto text = daemon.metrics();
    if (!text) return {500, "text/plain; charset=utf-8", text.error().message + "\n"};
    return {200, kMetricsContentType, std::move(*text)};
  }

  asio::awaitable<void> watch_signals(Daemon& daemon) {
    for (;;) {
      const auto [ec, signal] = co_await signals_.async_wait(kToken);
      if (ec) co_return;
      if (signal == SIGHUP) {
        // Beside this: a signal to stop is not kept waiting by slow plugins.
        asio::co_spawn(context_, daemon.reload(), [](std::exception_ptr, const Status&) {});
        continue;
      }
      log::info(fmt::format("stopping on signal {}", signal));
      notify("STOPPING=1");
      daemon.stop();
    }
  }

  /// Fed by the loop that does the work: a loop that hangs, or that no longer ticks, starves it.
  asio::awaitable<void> feed_watchdog() {
    const auto interval = watchdog_interval();
    if (!interval) co_return;
    for (;;) {
      if (clock_.steady_now() - ticked_at_ < *interval) notify("WATCHDOG=1");
      watchdog_.expires_after(*interval / 3);
      const auto [ec] = co_await watchdog_.async_wait(kToken);
      if (ec) co_return;
    }
  }

  cli::CommonOptions common_;
  std::optional<AgentOptions> running_;  ///< what was read once, at the start
  SystemClock clock_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  asio::steady_timer watchdog_;
  SteadyPoint ticked_at_ = clock_.steady_now();
  std::string told_;
  bool ready_ = false;
  std::unique_ptr<HttpServer> server_;
  int exit_ = cli::kInconclusive;
};

}  // namespace

int serve(const cli::CommonOptions& common) {
  return Service(common).run();
}

}  // namespace rad
