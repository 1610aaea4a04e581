// Can this host tell a good backup of a target from a bad one? What `rad-agent selftest` asks: the
// store, scratch, the plugins, the storage and the preflight of a real run, and then the alarm
// path: the target's plugins on a genuine sample, which must pass, and on damaged copies of it, of
// which each must fail for its own reason. Nothing of it enters the history, metrics or issues.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/run/plugin_catalog.h"
#include "agent/store/store.h"

namespace rad {

enum class StepOutcome : std::uint8_t { ok, failed, not_tried };
/// "ok", "failed", "not_tried"
std::string_view to_string(StepOutcome value) noexcept;

/// One question of the selftest with its answer.
struct SelftestStep {
  std::string step;     ///< "scratch", "plugin", "sample", …
  std::string subject;  ///< plugin, case of the sample, …; "" if there is one only
  StepOutcome outcome = StepOutcome::ok;
  /// Whether the host cannot be trusted as long as this was not tried. False for what is not there
  /// to be tried, such as a daemon that does not run.
  bool needed = true;
  std::string message;           ///< what was found, or why it failed or was not tried
  std::string hint;              ///< what to do next; "" if nothing
  std::optional<Reason> reason;  ///< of a failure
  std::chrono::milliseconds took{0};
};

/// What a selftest needs of its surroundings; everything outlives it.
struct SelftestServices {
  boost::asio::any_io_executor executor;
  const Config& config;
  const PluginCatalog& catalog;
  Store& store;  ///< gets ledger entries and nothing else
  const Clock& clock;
  const std::filesystem::path& sample_dir;
  std::function<void(const SelftestStep&)> tell;  ///< called for each step as it ends
};

/// One selftest of one target: run() is called once, on the executor.
class Selftest {
 public:
  Selftest(SelftestServices services, const TargetConfig& target);
  ~Selftest();

  /// Removes what it made, whatever happens; what cannot be removed is a failed step.
  boost::asio::awaitable<void> run();
  /// The step that goes on ends, the others are not tried.
  void cancel();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad
