// Plugins that did not answer when the configuration was loaded are asked again: a busy host or a
// package that is being upgraded must not cost their targets more than a few minutes.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include "agent/base/log.h"
#include "agent/run/daemon_impl.h"

namespace rad {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {
constexpr auto kAskAgain = 15s;
}

void Daemon::Impl::ask_broken_plugins() {
  if (asking_plugins_ || context_->generation->catalog.broken.empty()) return;
  if (clock_.steady_now() - plugins_asked_at_ < kAskAgain) return;
  asking_plugins_ = true;
  asio::co_spawn(executor_, ask_broken_plugins_again(), [this, self = shared_from_this()](auto) {
    asking_plugins_ = false;
    plugins_asked_at_ = clock_.steady_now();
  });
}

asio::awaitable<void> Daemon::Impl::ask_broken_plugins_again() {
  const std::shared_ptr<const RunContext> before = context_;
  auto catalog = co_await describe_plugins(executor_, before->generation->config.agent);
  if (!catalog || stopping_ || context_ != before) co_return;
  const BrokenPlugins& known = before->generation->catalog.broken;
  if (catalog->broken.size() >= known.size()) co_return;
  // What could not be judged while they were silent.
  const std::vector<Diagnostic> mistakes =
      check_against_plugins(config(), catalog->schemas, catalog->broken);
  if (!mistakes.empty()) {
    const std::string text = to_text(mistakes, "error");
    if (std::exchange(plugin_mistakes_, text) != text) {
      log::error("a plugin answers now, but the configuration does not fit it: " + text);
    }
    co_return;
  }
  for (const auto& [name, error] : known) {
    if (!catalog->broken.contains(name)) log::info(fmt::format("plugin '{}' answers again", name));
  }
  auto generation = std::make_shared<Generation>(*before->generation);
  generation->catalog = *std::move(catalog);
  use(std::move(generation));
  look_again();
}

}  // namespace rad
