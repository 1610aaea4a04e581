// Plugins that did not answer when the configuration was loaded are asked again: a busy host or a
// package that is being upgraded must not cost their targets more than a few minutes.
#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/run/daemon_impl.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {
constexpr SteadyPoint::duration kAskSeldom = 15min;
}  // namespace

void Daemon::Impl::ask_broken_plugins() {
  if (asking_plugins_ || context_->generation->catalog.broken.empty()) return;
  if (clock_.steady_now() < ask_plugins_at_) return;
  asking_plugins_ = true;
  asio::co_spawn(executor_, ask_broken_plugins_again(),
                 [this, self = shared_from_this()](const std::exception_ptr&) {
                   asking_plugins_ = false;
                   ask_plugins_at_ = clock_.steady_now() + plugin_patience_;
                   plugin_patience_ = std::min(2 * plugin_patience_, kAskSeldom);
                 });
}

asio::awaitable<void> Daemon::Impl::ask_broken_plugins_again() {
  const std::shared_ptr<const RunContext> before = context_;
  const BrokenPlugins broken = before->generation->catalog.broken;
  auto generation = std::make_shared<Generation>(*before->generation);
  PluginCatalog& catalog = generation->catalog;
  for (const auto& [name, error] : broken) {
    auto schema = co_await describe_plugin(executor_, generation->config.agent, name);
    if (stopping_ || context_ != before) co_return;
    if (!schema) continue;
    PluginCatalog candidate = catalog;
    candidate.broken.erase(name);
    candidate.schemas.emplace(name, *std::move(schema));
    // What could not be judged while it was silent.
    const std::vector<Diagnostic> mistakes =
        check_against_plugins(generation->config, candidate.schemas, candidate.broken);
    if (mistakes.empty()) {
      catalog = std::move(candidate);
      log::info(fmt::format("plugin '{}' answers again", name));
      continue;
    }
    const std::string text = to_text(mistakes, "error");
    Error misfit = fail(Reason::config_invalid,
                        fmt::format("it answers now, but the configuration does not fit it: {}",
                                    text.substr(0, text.find('\n'))),
                        "rad-agent check-config lists every mistake");
    if (error.message != misfit.message) log::error(fmt::format("plugin '{}': {}", name, text));
    catalog.broken[name] = std::move(misfit);
  }
  use(std::move(generation));
  look_again();
}

std::vector<std::string> Daemon::Impl::troubles() const {
  std::vector<std::string> texts;
  const PluginCatalog& catalog = context_->generation->catalog;
  for (const auto& entry : catalog.broken) {
    const BrokenPlugins alone{entry};
    const auto waiting = std::ranges::count_if(config().targets, [&](const TargetConfig& target) {
      return broken_plugin_of(target, catalog.schemas, alone) != nullptr;
    });
    if (waiting == 0) continue;
    texts.push_back(fmt::format("plugin '{}' cannot be used, and {} target{} cannot be tested: {}",
                                entry.first, waiting, waiting == 1 ? "" : "s",
                                entry.second.message));
  }
  for (const auto& [key, refused] : refused_) {
    texts.push_back(fmt::format("the {} of {} cannot begin and waits for {}", key.second, key.first,
                                refused.why));
  }
  return texts;
}

std::set<std::string> Daemon::Impl::untestable() const {
  std::set<std::string> names;
  for (const auto& [key, refused] : refused_) names.insert(key.first);
  const PluginCatalog& catalog = context_->generation->catalog;
  for (const TargetConfig& target : config().targets) {
    if (broken_plugin_of(target, catalog.schemas, catalog.broken) != nullptr) {
      names.insert(target.name);
    }
  }
  return names;
}

}  // namespace rad
