// Drives one run from request to report: locks, directories, plugins, stages, limits, record.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/base/isolation.h"
#include "agent/config/config.h"
#include "agent/model/plugin_schema.h"
#include "agent/model/run_report.h"
#include "agent/run/reporter.h"
#include "agent/store/store.h"
#include "plugins/protocol/messages.h"

namespace rad {

/// What somebody or a schedule asks for.
struct RunRequest {
  std::string id;       ///< "": a new one is made
  TargetConfig target;  ///< a copy: a reload of the configuration does not touch a running run
  Depth depth = Depth::restore;
  std::string schedule = "manual";
  std::string requested_by;
  std::string note;
  std::optional<std::string> backup;      ///< instead of the target's `backup`
  std::optional<std::string> recover_to;  ///< instead of the target's `recover_to`
  /// Keep the instance so long after the run, whatever its verdict.
  std::optional<std::chrono::milliseconds> hold;
  std::optional<TimePoint> slot;  ///< of a schedule: the name of the slot that it is to answer
};

/// Watches a run as it happens. Called on the run's executor; must not block.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void stage_began(const RunReport& report, Stage stage) = 0;
  virtual void progressed(const protocol::Progress& progress) = 0;
  virtual void logged(const std::string& plugin, const protocol::LogLine& line) = 0;
};

/// What the runs of one process take of the scratch, so that no two count on the same room.
class ScratchClaims {
 public:
  struct Room {
    std::uint64_t lying = 0;    ///< there now, gone when the runs end
    std::uint64_t to_come = 0;  ///< not written yet
  };
  virtual ~ScratchClaims() = default;
  /// What all others have and are going to take; those that wait for room are left out.
  virtual Room others(const std::string& run_id) const = 0;
  /// What this run takes, from when it is known until it ends.
  virtual void claim(const std::string& run_id, std::uint64_t bytes, bool waits) = 0;
};

/// What a run needs of its surroundings; everything outlives it.
struct RunServices {
  boost::asio::any_io_executor executor;
  const AgentOptions& options;
  const PluginSchemas& plugins;
  Store& store;
  const Clock& clock;
  const std::vector<std::unique_ptr<Reporter>>& reporters;
  ScratchClaims* claims = nullptr;  ///< null: nobody else is known to use the scratch
};

/// "20261120T184451-1a2b3c4d"
std::string make_run_id(TimePoint now);

/// The account that plugins become, or are behind sockets. Nothing when the agent is neither root
/// nor finds sockets: then they are what it is.
/// \return config_invalid when agent.plugin_user does not exist.
Result<std::optional<Account>> plugin_account(const AgentOptions& options);

/// The record of a run that begins now.
RunReport new_record(const RunRequest& request, TimePoint now);
/// The record of one that could not begin: inconclusive, and nothing of it lies anywhere.
RunReport record_of_refused(const RunRequest& request, Error why, TimePoint now);

/// One run. run() is called once; cancel() any number of times while it goes on.
class Coordinator {
 public:
  /// \param observer may be null
  Coordinator(RunServices services, RunRequest request, RunObserver* observer);
  ~Coordinator();

  /// Carries the run out and returns its record, whatever happens. An error is returned only when
  /// the run could not begin and left no record: target_busy, or a store that cannot be written.
  boost::asio::awaitable<Result<RunReport>> run();

  /// The run goes to cleanup and ends as cancelled, or, with the reason interrupted, as
  /// inconclusive: the agent was stopped, nobody took the question back. Without effect once
  /// cleanup has begun.
  void cancel(std::string why, Reason reason = Reason::cancelled);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace rad
