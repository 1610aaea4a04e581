#include "agent/run/run_stages.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/model/json.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// How often a run that waits for scratch looks whether there is enough.
constexpr auto kRoomEvery = 1s;

/// Waits for room that other runs take: they end some day. Room that nobody here takes is missing.
asio::awaitable<Status> find_room(RunState& run, const std::string& plugin, std::uint64_t needed) {
  if (needed == 0) co_return Status{};
  run.scratch_needed += needed;
  ScratchClaims* claims = run.services.claims;
  const std::uint64_t wanted = run.scratch_needed + run.services.options.scratch_reserve;
  asio::steady_timer timer(run.services.executor);
  for (bool told = false; !run.cancelled; told = true) {
    RAD_CO_TRY(const std::uint64_t free, run.workspace->scratch_free());
    const auto others = claims != nullptr ? claims->others(run.report.id) : ScratchClaims::Room{};
    const bool fits = free >= others.to_come && wanted <= free - others.to_come;
    if (claims != nullptr) claims->claim(run.report.id, run.scratch_needed, !fits);
    if (fits) co_return Status{};
    if (wanted > free + others.lying) {
      co_return fail(Reason::scratch_full,
                     fmt::format("plugin '{}' needs {} in '{}', where {} are free", plugin,
                                 format_bytes(wanted), run.services.options.scratch_dir.string(),
                                 format_bytes(free)),
                     "free some space, or set agent.scratch_dir to a larger file system",
                     run.services.options.scratch_dir.string());
    }
    if (!told && run.observer != nullptr) {
      run.observer->progressed({.note = fmt::format("waits for {} of scratch that other runs take",
                                                    format_bytes(wanted))});
    }
    timer.expires_after(kRoomEvery);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return fail(run.cancel_reason, *run.cancelled);
}

asio::awaitable<Status> start_and_preflight(RunState& run, RunPlugin& plugin) {
  run.active = &plugin;
  const std::string account = run.account ? run.account->name : "";
  RAD_CO_CHECK(co_await start_plugin(plugin, run.services.executor, run.services.options,
                                     *run.workspace, run.report, account,
                                     run.limits(Stage::preflight)));
  if (run.observer != nullptr) {
    plugin.process->on_log([&run, name = plugin.name](const protocol::LogLine& line) {
      run.observer->logged(name, line);
    });
  }
  plugin.process->on_progress([&run](const protocol::Progress& progress) {
    run.report.stages.back().bytes_done = progress.bytes_done;
    run.report.stages.back().bytes_total = progress.bytes_total;
    if (run.observer != nullptr) run.observer->progressed(progress);
  });
  if (run.cancelled) co_return fail(Reason::cancelled, *run.cancelled);
  auto result = co_await plugin.process->ask<protocol::PreflightResult>(
      "preflight", {}, run.limits(Stage::preflight));
  if (!result) co_return std::move(result).error();
  run.add_findings(std::move(result->findings));
  if (!result->isolation.empty()) {
    if (!run.report.isolation.empty()) run.report.isolation += "; ";
    run.report.isolation += plugin.name + ": " + result->isolation;
  }
  if (!result->backup.name.empty()) run.report.backup = std::move(result->backup);
  co_return co_await find_room(run, plugin.name, result->scratch_bytes_needed);
}

}  // namespace

asio::awaitable<Status> preflight_stage(RunState& run) {
  RAD_CO_TRY(run.account, plugin_account(run.services.options));
  run.plugins = plan_plugins(run.request, run.services.plugins);
  run.workspace.emplace(run.services.options, run.account, run.services.store, run.report.id);
  RAD_CO_CHECK(run.workspace->create());
  // The restore plugin comes first; the others are told which backup it has pinned.
  for (RunPlugin& plugin : run.plugins) RAD_CO_CHECK(co_await start_and_preflight(run, plugin));
  co_return Status{};
}

asio::awaitable<Status> fetch_stage(RunState& run) {
  RunPlugin* plugin = run.find(run.request.target.restore.plugin);
  run.active = plugin;
  const std::string method(to_string(run.report.depth));
  auto result =
      co_await plugin->process->ask<protocol::ReadResult>(method, {}, run.limits(Stage::fetch));
  if (!result) co_return std::move(result).error();
  run.report.bytes_read += result->bytes_read;
  run.add_findings(std::move(result->findings));
  co_return Status{};
}

asio::awaitable<Status> restore_stage(RunState& run) {
  RunPlugin* plugin = run.find(run.request.target.restore.plugin);
  run.active = plugin;
  auto result = co_await plugin->process->ask<protocol::RestoreResult>("restore", {},
                                                                       run.limits(Stage::restore));
  if (!result) co_return std::move(result).error();
  run.report.bytes_read += result->bytes_read;
  run.report.bytes_restored += result->bytes_restored;
  run.add_findings(std::move(result->findings));
  const std::string inside = run.workspace->scratch().string() + "/";
  if (result->artifact.path.rfind(inside, 0) != 0 ||
      result->artifact.path.find("/../") != std::string::npos) {
    co_return fail(Reason::plugin_protocol,
                   fmt::format("plugin '{}' restored to '{}', outside of the run's scratch '{}'",
                               plugin->name, result->artifact.path, inside));
  }
  run.artifact = std::move(result->artifact);
  co_return Status{};
}

asio::awaitable<Status> recover_stage(RunState& run) {
  RunPlugin* plugin = run.find(run.request.target.instance->plugin);
  run.active = plugin;
  boost::json::object params;
  params["artifact"] = to_json(*run.artifact);
  auto result = co_await plugin->process->ask<protocol::StartResult>("start", std::move(params),
                                                                     run.limits(Stage::recover));
  if (!result) co_return std::move(result).error();
  run.endpoint = std::move(result->endpoint);
  run.report.recovery = std::move(result->recovery);
  run.add_findings(std::move(result->findings));
  run.report.measured_rto = run.since(run.began);
  co_return Status{};
}

asio::awaitable<Error> first_cause(RunState& run, Stage stage, Error error) {
  if (run.cancelled) {
    error.reason = run.cancel_reason;
    error.message = *run.cancelled;
    co_return error;
  }
  RunPlugin* plugin = run.find(run.request.target.restore.plugin);
  const bool others_fault = stage == Stage::recover || stage == Stage::check;
  if (!others_fault || plugin == nullptr || plugin == run.active || !plugin->initialized) {
    co_return error;
  }
  if (auto ended = plugin->process->early_end()) {
    run.report.faults.push_back(std::move(error));
    co_return *std::move(ended);
  }
  boost::json::object question = protocol::to_json(protocol::DiagnoseParams{stage, error});
  const CallLimits quick{30s, 0s, 5s};
  auto known = co_await plugin->process->ask<protocol::DiagnoseResult>("diagnose",
                                                                       std::move(question), quick);
  if (!known && known.error().reason == Reason::plugin_crashed) {
    // It was dying already. What it had to hand over cannot be blamed on the backup any more.
    run.report.faults.push_back(std::move(error));
    co_return std::move(known).error();
  }
  if (!known || !known->cause) co_return error;
  Error cause = std::move(*known->cause);
  run.report.faults.push_back(std::move(error));
  co_return cause;
}

}  // namespace rad
