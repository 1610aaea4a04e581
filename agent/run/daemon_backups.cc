// The backups there are at the sources: for people who ask, and for schedules that wait for new
// ones.
#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/run/daemon_impl.h"
#include "agent/run/list_backups.h"
#include "plugins/protocol/codec.h"

namespace rad {
namespace asio = boost::asio;

namespace {

/// Often enough for "30 minutes after a new base backup", and one cheap listing each time.
constexpr std::chrono::minutes kWatchEvery{5};

bool waits_for_backups(const TargetConfig& target) {
  return std::ranges::any_of(target.schedules, [](const ScheduleConfig& schedule) {
    return schedule.trigger != ScheduleTrigger::cron;
  });
}

}  // namespace

asio::awaitable<Result<boost::json::value>> Daemon::Impl::backups(const std::string& name) {
  auto self = shared_from_this();
  const auto context = context_;
  const TargetConfig* target = config().find_target(name);
  if (target == nullptr) {
    co_return fail(Reason::config_invalid, fmt::format("there is no target '{}'", name),
                   "radctl target list shows them");
  }
  protocol::BackupsResult result;
  RAD_CO_TRY(result.backups, co_await list_backups(executor_, context->generation->config.agent,
                                                   *target, store_, clock_));
  look_again();
  co_return protocol::to_json(result)["backups"];
}

void Daemon::Impl::watch_backups() {
  watching_ = true;
  asio::co_spawn(executor_, look_for_backups(), [self = shared_from_this()](std::exception_ptr) {
    self->watching_ = false;
    self->wake_.cancel();
  });
}

asio::awaitable<void> Daemon::Impl::look_for_backups() {
  while (!stopping_) {
    const auto context = context_;
    const Config& used = context->generation->config;
    for (const TargetConfig& target : used.targets) {
      if (stopping_) co_return;
      if (!waits_for_backups(target)) continue;
      const auto seen = co_await list_backups(executor_, used.agent, target, store_, clock_);
      if (seen) {
        scheduler_.look_again();
      } else {
        log::warning(fmt::format("target {}: cannot look for new backups: {}", target.name,
                                 seen.error().message));
      }
    }
    backups_timer_.expires_after(kWatchEvery);
    co_await backups_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<Result<boost::json::value>> Daemon::backups(const std::string& target) {
  return impl_->backups(target);
}

}  // namespace rad
