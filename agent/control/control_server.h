// The control API on its unix socket: who calls is found out, judged, answered and written down.
#pragma once

#include <filesystem>
#include <memory>

#include <boost/asio/any_io_executor.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/control/caller_lookup.h"
#include "agent/control/http_server.h"
#include "agent/run/daemon.h"

namespace rad {

struct ControlOptions {
  std::filesystem::path socket;  ///< agent.control_socket
  AccessRules rules;             ///< agent.viewer_group, agent.operator_group
};

/// Limits that fit people and scripts on one host.
HttpLimits control_limits();

/// Anybody on the host may connect, so that a refusal has a hint and stands in the audit; of
/// somebody who may not even look, not a byte is parsed. Belongs to the executor's thread.
class ControlServer {
 public:
  /// `daemon` and `clock` outlive it. Destroy it before the daemon.
  ControlServer(boost::asio::any_io_executor executor, Daemon& daemon, const Clock& clock,
                ControlOptions options, HttpLimits limits = control_limits());
  ~ControlServer();  ///< as stop()
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Makes the socket's directory if it is missing, and listens. Uses the socket that the service
  /// manager holds at this path if there is one. \return host_unfit naming the path.
  Status start();
  /// Closes everything; idempotent. What was being answered ends by itself without touching the
  /// daemon, except for lists of backups and a reload, which end with the daemon.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace rad
