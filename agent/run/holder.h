// The life of one held instance, in a process that outlives the agent (docs/adr/0009).
#pragma once

#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/config/config.h"
#include "agent/store/store.h"

namespace rad {

/// One thread: the executor's. Everything outlives it.
class Holder {
 public:
  Holder(boost::asio::any_io_executor executor, const AgentOptions& options, Store& store,
         const Clock& clock, std::string run_id);
  ~Holder();

  /// Starts the instance and keeps it until the hold's end, its release, stop(), or the death of
  /// the plugin; then removes everything. A hold that is being released, or whose time is over, is
  /// only removed. The store tells how it goes.
  /// \return what went wrong: the instance could not be started or was lost (its data stays until
  ///   the hold's end), or something could not be removed. Success if another process holds it.
  boost::asio::awaitable<Status> run();
  /// Ends the hold early. May be called any time.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
