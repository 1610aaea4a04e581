// The backups there are at the sources: for people who ask, and for schedules that wait for new
// ones.
#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
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

/// Each is a plugin process.
constexpr std::size_t kAskedAtOnce = 8;

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
    co_await ask_all_for_backups();
    if (stopping_) co_return;
    backups_timer_.expires_after(kWatchEvery);
    co_await backups_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

asio::awaitable<void> Daemon::Impl::ask_all_for_backups() {
  auto round = std::make_shared<BackupRound>();
  round->context = context_;
  for (const TargetConfig& target : config().targets) {
    if (waits_for_backups(target)) round->targets.push_back(&target);
  }
  // Dead storage takes its time: the others come first.
  std::ranges::stable_partition(round->targets, [this](const TargetConfig* target) {
    return !backup_errors_.contains(target->name);
  });
  asio::steady_timer ended(executor_, asio::steady_timer::time_point::max());
  std::size_t going = std::min(kAskedAtOnce, round->targets.size());
  for (std::size_t i = going; i > 0; --i) {
    asio::co_spawn(executor_, ask_in_turn(round), [&going, &ended](std::exception_ptr) {
      --going;
      ended.cancel();
    });
  }
  while (going > 0) co_await ended.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> Daemon::Impl::ask_in_turn(std::shared_ptr<BackupRound> round) {
  while (!stopping_ && round->next < round->targets.size()) {
    const TargetConfig& target = *round->targets[round->next++];
    const AgentOptions& options = round->context->generation->config.agent;
    std::string problem;
    try {
      const auto seen = co_await list_backups(executor_, options, target, store_, clock_);
      if (!seen) problem = seen.error().message;
    } catch (const std::exception& bug) {
      problem = fmt::format("a bug: {}", bug.what());
    }
    if (problem.empty()) {
      backup_errors_.erase(target.name);
      scheduler_.look_again();
    } else if (std::exchange(backup_errors_[target.name], problem) != problem) {
      log::warning(fmt::format("target {}: cannot look for new backups: {}", target.name, problem));
    }
  }
}

asio::awaitable<Result<boost::json::value>> Daemon::backups(const std::string& target) {
  return impl_->backups(target);
}

}  // namespace rad
