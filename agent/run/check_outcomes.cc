#include "agent/run/check_outcomes.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "agent/base/files.h"
#include "plugins/protocol/codec.h"

namespace rad {
namespace asio = boost::asio;
namespace {

/// Twice the 32 MiB that 100 000 outcomes of the longest usual kind take; PROTOCOL.md, "Limits".
constexpr std::size_t kMaxOutcomesFile = 64U << 20U;

/// A plugin cannot prove more with a check than it said it could.
Proof most_proof(const PluginSchemas& schemas, const std::string& plugin,
                 const CheckOutcome& outcome) {
  const auto schema = schemas.find(plugin);
  if (schema == schemas.end()) return Proof::none;
  Proof most = Proof::none;
  for (const PluginCheck& offered : schema->second.checks) {
    if (offered.type == outcome.check) most = offered.proof;
  }
  return most;
}

/// Tens of megabytes of JSON would hold up the loop.
asio::awaitable<Result<std::vector<CheckOutcome>>> read_off_the_loop(std::filesystem::path scratch,
                                                                     std::string file) {
  auto work = [scratch = std::move(scratch),
               file = std::move(file)]() -> asio::awaitable<Result<std::vector<CheckOutcome>>> {
    co_return read_outcomes_file(scratch, file);
  };
  co_return co_await asio::co_spawn(asio::system_executor(), std::move(work), asio::use_awaitable);
}

asio::awaitable<Status> ask_checks(RunState& run, RunPlugin& plugin) {
  run.active = &plugin;
  protocol::CheckParams params;
  params.endpoint = run.endpoint;
  params.checks = plugin.checks;
  auto result = co_await plugin.process->ask<protocol::CheckResult>(
      "check", protocol::to_json(params), run.limits(Stage::check));
  if (!result) co_return std::move(result).error();
  std::vector<CheckOutcome> outcomes = std::move(result->outcomes);
  if (!result->outcomes_file.empty()) {
    RAD_CO_TRY(std::vector<CheckOutcome> more,
               co_await read_off_the_loop(plugin.dirs.scratch, result->outcomes_file));
    std::ranges::move(more, std::back_inserter(outcomes));
  }
  for (CheckOutcome& outcome : outcomes) {
    outcome.plugin = plugin.name;
    outcome.proof = std::min(outcome.proof, most_proof(run.services.plugins, plugin.name, outcome));
    run.report.checks.push_back(std::move(outcome));
  }
  co_return Status{};
}

}  // namespace

Result<std::vector<CheckOutcome>> read_outcomes_file(const std::filesystem::path& scratch,
                                                     const std::string& file) {
  const std::string inside = scratch.string() + "/";
  if (file.rfind(inside, 0) != 0) {
    return fail(Reason::plugin_protocol,
                fmt::format("the outcomes file '{}' is not in the plugin's scratch '{}'", file,
                            scratch.string()));
  }
  auto text = read_file_beneath(scratch, file.substr(inside.size()), kMaxOutcomesFile);
  if (!text) return fail(Reason::plugin_protocol, std::move(text).error().message);
  return protocol::decode_outcomes(*text);
}

asio::awaitable<Status> check_stage(RunState& run) {
  for (RunPlugin& plugin : run.plugins) {
    if (!plugin.checks.empty()) RAD_CO_CHECK(co_await ask_checks(run, plugin));
  }
  co_return Status{};
}

}  // namespace rad
