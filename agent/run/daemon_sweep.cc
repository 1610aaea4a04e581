// What runs of killed agents left, put right beside the loop: it ticks, and starts other runs.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/run/daemon_impl.h"

namespace rad {
namespace asio = boost::asio;

void Daemon::Impl::sweep_now() {
  if (sweep_) return;
  sweep_context_ = context_;
  sweep_ = std::make_unique<Sweep>(sweep_context_->generation->config.agent, store_, clock_,
                                   sweep_context_->reporters);
  sweep_->look();
  asio::co_spawn(executor_, sweep_->work(),
                 [self = shared_from_this()](std::exception_ptr bug, const SweepResult& result) {
                   if (bug) log::error("sweep: a bug ended it");
                   self->swept(result);
                 });
}

void Daemon::Impl::swept(const SweepResult& result) {
  for (const RunReport& run : result.interrupted) {
    log::warning(
        fmt::format("run {} of {} was interrupted and cleaned up after", run.id, run.target));
  }
  for (const std::string& path : result.removed) log::info("removed " + path);
  for (const std::string& problem : result.problems) log::error("sweep: " + problem);
  sweep_.reset();
  sweep_context_.reset();
  swept_at_ = clock_.steady_now();
  swept_once_ = true;
  if (!result.interrupted.empty() || !result.removed.empty() || !result.problems.empty()) {
    measured_at_.reset();
  }
  look_again();
}

void Daemon::Impl::measure() {
  if (measuring_) return;
  measuring_ = true;
  measured_at_ = clock_.steady_now();
  asio::co_spawn(
      executor_,
      leftover_bytes(measuring_off_loop_, store_, config().agent.state_dir, clock_.now()),
      [self = shared_from_this()](std::exception_ptr, Result<std::uint64_t> bytes) {
        self->measuring_ = false;
        if (bytes) self->state_.leftover_bytes = *bytes;
        if (self->stopping_) self->wake_.cancel();
      });
}

}  // namespace rad
