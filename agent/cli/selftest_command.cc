#include <cstdio>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "agent/base/json.h"
#include "agent/cli/commands.h"
#include "agent/cli/selftest_probes.h"
#include "agent/cli/selftest_text.h"
#include "agent/config/plugin_check.h"
#include "agent/config/program_dirs.h"
#include "agent/report/terminal.h"
#include "agent/run/plugin_catalog.h"
#include "agent/run/selftest.h"

namespace rad::cli {
namespace asio = boost::asio;

namespace {

/// One `rad-agent selftest`, from signals to exit status.
class SelftestRun {
 public:
  SelftestRun(Config config, const CommonOptions& common, const std::string& target)
      : config_(std::move(config)),
        common_(common),
        target_(*config_.find_target(target)),
        sample_dir_(default_program_dirs(common.executable).sample_dir),
        width_(terminal_style(STDOUT_FILENO, common.allow_colour).width),
        signals_(context_, SIGINT, SIGTERM) {}

  int run() {
    asio::co_spawn(context_, watch_signals(), asio::detached);
    asio::co_spawn(context_, work(), [this](std::exception_ptr error) {
      if (error) bug(error);
      context_.stop();
    });
    context_.run();
    if (signal_ == 0) {
      probe_reports(config_, target_.name, [this](const SelftestStep& step) { tell(step); });
    }
    if (common_.json) {
      write_out(stdout, json::pretty(selftest_json(target_.name, steps_)));
    } else {
      write_out(stdout, selftest_sum(target_.name, steps_));
    }
    if (signal_ != 0) return signal_ == SIGINT ? kInterrupted : 6;
    return selftest_status(steps_);
  }

 private:
  void tell(const SelftestStep& step) {
    steps_.push_back(step);
    if (!common_.json) write_out(stdout, selftest_line(step, width_));
  }

  void tell_failure(std::string_view step, const Error& error) {
    tell({.step = std::string(step),
          .outcome = StepOutcome::failed,
          .message = error.message,
          .hint = error.hint,
          .reason = error.reason});
  }

  void bug(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& what) {
      tell_failure("selftest", fail(Reason::internal_error, what.what(), "please report this"));
    }
  }

  asio::awaitable<void> watch_signals() {
    const auto [ec, signal] = co_await signals_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (ec) co_return;
    signal_ = signal;
    write_out(stderr, "ending the selftest and cleaning up\n");
    if (selftest_) selftest_->cancel();
  }

  asio::awaitable<void> look_at_configuration() {
    auto catalog = co_await describe_plugins(context_.get_executor(), config_.agent);
    if (!catalog) {
      tell_failure(kConfigurationStep, catalog.error());
      co_return;
    }
    catalog_ = *std::move(catalog);
    const auto mistakes = judge(config_, catalog_);
    if (!mistakes.empty()) {
      write_out(stderr, to_text(mistakes, "error"));
      tell_failure(kConfigurationStep, fail(Reason::config_invalid, mistakes.front().message,
                                            "rad-agent check-config lists every mistake"));
      co_return;
    }
    tell({.step = std::string(kConfigurationStep),
          .message = fmt::format("{}: {} checks, {} schedules", common_.config.string(),
                                 route_checks(target_, catalog_.schemas).size(),
                                 target_.schedules.size())});
  }

  Result<Store> open_store() {
    RAD_CHECK(prepare_state(config_.agent));
    return Store::open(config_.agent.state_dir / "rad.db");
  }

  asio::awaitable<void> work() {
    co_await look_at_configuration();
    if (signal_ != 0) co_return;
    auto store = open_store();
    if (!store) {
      tell_failure("store", store.error());
      for (const char* step : {"scratch", "plugin", "storage", "preflight", "sample"}) {
        tell({.step = step,
              .outcome = StepOutcome::not_tried,
              .message = "without a store nobody would know what lies on the host"});
      }
      co_return;
    }
    tell({.step = "store",
          .message = (config_.agent.state_dir / "rad.db").string() + " can be written"});
    selftest_.emplace(
        SelftestServices{context_.get_executor(), config_, catalog_, *store, clock_, sample_dir_,
                         [this](const SelftestStep& step) { tell(step); }},
        target_);
    if (signal_ != 0) selftest_->cancel();
    co_await selftest_->run();
    selftest_.reset();
  }

  Config config_;
  const CommonOptions& common_;
  const TargetConfig& target_;
  std::filesystem::path sample_dir_;
  std::size_t width_;
  SystemClock clock_;
  asio::io_context context_{1};
  asio::signal_set signals_;
  PluginCatalog catalog_;
  std::optional<Selftest> selftest_;
  std::vector<SelftestStep> steps_;
  int signal_ = 0;
};

}  // namespace

int selftest_command(const CommonOptions& common, const std::string& target) {
  std::optional<Config> config = load_or_explain(common);
  if (!config) return kUsage;
  if (find_target_or_explain(*config, common, target) == nullptr) return kUsage;
  return SelftestRun(std::move(*config), common, target).run();
}

}  // namespace rad::cli
