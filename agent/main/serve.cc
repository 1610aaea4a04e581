#include "agent/main/serve.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <signal.h>

#include "agent/base/log.h"
#include "agent/base/notify.h"
#include "agent/cli/commands.h"
#include "agent/config/plugin_check.h"
#include "agent/control/http_server.h"
#include "agent/report/metrics.h"
#include "agent/run/daemon.h"

namespace rad {
namespace asio = boost::asio;
namespace {

/// `rad-agent serve`, from start to the last report.
class Service {
 public:
  explicit Service(Config config)
      : config_(std::move(config)), signals_(context_, SIGINT, SIGTERM) {}

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

  asio::awaitable<Status> try_work() {
    RAD_CO_TRY(catalog_, co_await describe_plugins(context_.get_executor(), config_.agent));
    for (const auto& [name, error] : catalog_.broken) log::error(error.message);
    const std::vector<Diagnostic> mistakes = check_against_plugins(config_, catalog_.schemas);
    if (!mistakes.empty()) {
      cli::write_out(stderr, to_text(mistakes, "error"));
      exit_ = cli::kUsage;
      co_return Status{};
    }
    RAD_CO_CHECK(cli::prepare_state(config_.agent));
    RAD_CO_TRY(Store store, Store::open(config_.agent.state_dir / "rad.db"));
    Daemon daemon(context_.get_executor(), config_, catalog_, store, clock_);
    RAD_CO_CHECK(listen(daemon));
    asio::co_spawn(context_, watch_signals(daemon), asio::detached);
    log::info(fmt::format("serving {} targets{}", config_.targets.size(),
                          server_ ? fmt::format(", metrics on port {}", server_->port()) : ""));
    notify("READY=1");
    co_await daemon.run();
    server_.reset();
    exit_ = cli::kOk;
    co_return Status{};
  }

  Status listen(Daemon& daemon) {
    const auto& address = config_.agent.metrics_listen;
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
      const auto [ec, signal] = co_await signals_.async_wait(asio::as_tuple(asio::use_awaitable));
      if (ec) co_return;
      log::info(fmt::format("stopping on signal {}", signal));
      notify("STOPPING=1");
      daemon.stop();
    }
  }

  Config config_;
  SystemClock clock_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  PluginCatalog catalog_;
  std::unique_ptr<HttpServer> server_;
  int exit_ = cli::kInconclusive;
};

}  // namespace

int serve(const cli::CommonOptions& common) {
  std::optional<Config> config = cli::load_or_explain(common);
  if (!config) return cli::kUsage;
  return Service(std::move(*config)).run();
}

}  // namespace rad
