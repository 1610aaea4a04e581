#include "agent/run/list_backups.h"

#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/run/coordinator.h"
#include "agent/run/run_plugins.h"
#include "agent/run/workspace.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr CallLimits kLimits{60s, 0s, 5s};

asio::awaitable<Result<std::vector<protocol::ListedBackup>>> ask(
    RunPlugin& plugin, asio::any_io_executor executor, const AgentOptions& options,
    Workspace& workspace, const RunReport& report, const std::string& account) {
  RAD_CO_CHECK(
      co_await start_plugin(plugin, executor, options, workspace, report, account, kLimits));
  auto listed = co_await plugin.process->ask<protocol::BackupsResult>("backups", {}, kLimits);
  if (listed) co_return std::move(listed->backups);
  if (listed.error().reason == Reason::plugin_protocol && plugin.process->alive()) {
    co_return fail(Reason::config_invalid,
                   fmt::format("plugin '{}' cannot list backups", plugin.name),
                   "look with the tool that makes them");
  }
  co_return std::move(listed).error();
}

}  // namespace

asio::awaitable<Result<std::vector<protocol::ListedBackup>>> list_backups(
    asio::any_io_executor executor, const AgentOptions& options, const TargetConfig& target,
    Store& store, const Clock& clock) {
  RunReport report;
  report.id = make_run_id(clock.now());
  report.target = target.name;
  report.depth = Depth::inspect;
  // What it makes is in the ledger; the lock keeps the sweep away while it goes on.
  RAD_CO_TRY(const RunLock lock, RunLock::take_run(options.state_dir, report.id));
  RAD_CO_TRY(std::optional<Account> account, plugin_account(options));
  const std::string account_name = account ? account->name : "";
  Workspace workspace(options, std::move(account), store, report.id);
  RunPlugin plugin;
  plugin.name = target.restore.plugin;
  plugin.options = target.restore.options.values;
  Result<std::vector<protocol::ListedBackup>> listed = fail(Reason::internal_error, "not asked");
  if (Status made = workspace.create(); made) {
    listed = co_await ask(plugin, executor, options, workspace, report, account_name);
  } else {
    listed = std::move(made).error();
  }
  if (plugin.process) {
    if (plugin.initialized && plugin.process->alive()) {
      (void)co_await plugin.process->ask<protocol::CleanupResult>("cleanup", {}, kLimits);
    }
    co_await plugin.process->stop(2s);
  }
  const Status removed = co_await workspace.remove();
  if (!removed) log::error(removed.error().message);
  if (!listed) co_return listed;
  for (const protocol::ListedBackup& backup : *listed) {
    if (!backup.complete) continue;
    const auto known =
        store.record_backup({target.name, backup.name, backup.finished_at, clock.now()});
    if (!known) log::warning(known.error().message);
  }
  co_return listed;
}

}  // namespace rad
