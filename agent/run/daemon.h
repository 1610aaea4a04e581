// `rad-agent serve`: starts what is due and answers scrapes, until it is told to stop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/config/config.h"
#include "agent/run/coordinator.h"
#include "agent/run/metrics_source.h"
#include "agent/run/plugin_catalog.h"
#include "agent/schedule/due.h"
#include "agent/store/store.h"

namespace rad {

/// The schedules in their simplest honest form: a slot that was missed while the daemon was down is
/// caught up once, inconclusive slots are tried again, a target is never tested twice at once, and
/// no more than agent.max_concurrent_runs runs go on. One thread: the executor's.
class Daemon {
 public:
  /// Everything outlives it.
  Daemon(boost::asio::any_io_executor executor, const Config& config, const PluginCatalog& catalog,
         Store& store, const Clock& clock);
  ~Daemon();

  /// Runs until stop(); then cancels what goes on and returns when it is cleaned up and reported.
  boost::asio::awaitable<void> run();
  void stop();

  /// The text of /metrics now. \return the store's error.
  Result<std::string> metrics() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
