// The C++ side of a plugin: implement Plugin, call serve() from main().
//
// Threads   serve() reads stdin on a thread of its own and calls the handlers one after another on
//           the calling thread. Context may be used from any thread of the plugin.
// Stopping  `cancel`, end of file on stdin and SIGTERM all request the context's stop token; the
//           running handler must return soon (Reason::cancelled). After end of file or SIGTERM the
//           SDK calls cleanup() and serve() returns.
// Errors    handlers return Error; an exception that escapes becomes internal_error.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/error.h"
#include "plugins/protocol/messages.h"

namespace rad::sdk {

/// What a handler may use while it works. Thread-safe.
class Context {
 public:
  virtual ~Context() = default;
  /// Requested when the running request has been cancelled or the plugin has to stop.
  virtual std::stop_token stop_token() const = 0;
  bool stopping() const { return stop_token().stop_requested(); }
  /// Sent at most ten times a second; the last call before a handler's end is always sent.
  virtual void progress(std::uint64_t bytes_done, std::uint64_t bytes_total,
                        std::string_view note = {}) = 0;
  /// \param level debug, info, warning or error
  virtual void log(std::string_view level, std::string_view message) = 0;
};

/// A plugin. The defaults of inspect, verify, restore, backups, start, hold and check answer that
/// the method is not offered; the others answer that there is nothing to say. Methods of a role
/// that describe() does not name never reach the plugin.
class Plugin {
 public:
  virtual ~Plugin() = default;
  virtual protocol::PluginInfo describe() const = 0;
  /// What these options (already checked) would mean, one sentence a line, without a secret: for
  /// check-config. Comes without a run; makes nothing and asks nobody, but may read files that the
  /// options name. The default answers that the plugin cannot tell.
  virtual Result<std::vector<std::string>> explain(const boost::json::object& options);
  /// Takes options (already checked against describe() for unknown keys, types and required ones)
  /// and gives up root. Called once, with a run id.
  virtual Status initialize(const protocol::InitializeParams& params, Context& context) = 0;
  virtual Result<protocol::PreflightResult> preflight(Context& context);
  virtual Result<protocol::ReadResult> inspect(Context& context);
  virtual Result<protocol::ReadResult> verify(Context& context);
  virtual Result<protocol::RestoreResult> restore(Context& context);
  /// The base backups that the storage shows, newest first. Comes after initialize() alone. The
  /// default answers that the plugin cannot list them.
  virtual Result<protocol::BackupsResult> backups(Context& context);
  virtual Result<protocol::StartResult> start(const Artifact& artifact, Context& context);
  /// As start(), of an artifact that an earlier start() has recovered, for people to look at.
  /// The default answers that the plugin cannot hold an instance.
  virtual Result<protocol::StartResult> hold(const Artifact& artifact, Context& context);
  /// Only checks that can answer at the run's depth are asked here. The SDK adds an inconclusive
  /// outcome for each that got none, and moves long lists to a file in scratch.
  virtual Result<protocol::CheckResult> check(const protocol::CheckParams& params,
                                              Context& context);
  virtual Result<protocol::DiagnoseResult> diagnose(const protocol::DiagnoseParams& params,
                                                    Context& context);
  /// Stops everything and removes what the plugin made, whatever state it is in; idempotent.
  virtual Result<protocol::CleanupResult> cleanup(Context& context);
  virtual Result<protocol::GcResult> gc(const protocol::GcParams& params, Context& context);
};

/// The isolation that rad-launch has told of, in words; "none" without it.
std::string isolation_in_force();

/// Speaks the protocol until `shutdown` or the end of input. Takes descriptors 0 and 1 for itself:
/// reading 0 then gives nothing, and what is printed to 1 goes to stderr. An answer that breaks
/// after its request was cancelled is sent as Reason::cancelled, whatever the handler said. Must be
/// called before other threads are started; once at a time in a process.
/// \return the exit status for main(): 0 after shutdown or a clean end of file, 1 otherwise.
int serve(Plugin& plugin, int in_fd = 0, int out_fd = 1);

}  // namespace rad::sdk
