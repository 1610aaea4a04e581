// What happens in one run, for those who follow it. Bounded: whoever is too slow misses events and
// is told how many; nobody holds up the run or each other.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>

#include "agent/model/run_report.h"
#include "agent/run/coordinator.h"

namespace rad {

/// One event. Types and their data, as in agent/control/openapi.yaml, RunEvent:
///   stage     {"stage", "started_at"}
///   progress  {"stage", "bytes_done", "bytes_total", "note"}
///   log       {"plugin", "level", "text"}       untrusted text, printable
///   end       the whole record of the run
struct RunEvent {
  std::uint64_t number = 0;  ///< from 1 on, without gaps
  std::string type;
  boost::json::object data;
};

/// The events of one run. Belongs to the executor's thread; outlives the run while it is followed.
class RunFeed : public RunObserver {
 public:
  explicit RunFeed(boost::asio::any_io_executor executor);

  void stage_began(const RunReport& report, Stage stage) override;
  void progressed(const protocol::Progress& progress) override;
  void logged(const std::string& plugin, const protocol::LogLine& line) override;
  /// The last event.
  void end(const RunReport& report);
  /// Ends without one: the run could not begin yet, or its end will stand in the store.
  void leave();

  bool ended() const noexcept { return ended_; }
  /// The record as of the last stage.
  const RunReport& report() const noexcept { return report_; }
  const protocol::Progress& progress() const noexcept { return progress_; }

  /// Events with numbers above `after`, oldest first, as soon as there is one; nothing when the
  /// feed has ended and all were given. Progress that a newer one has overtaken is left out.
  boost::asio::awaitable<std::vector<RunEvent>> next(std::uint64_t after);

 private:
  void add(std::string type, boost::json::object data);

  boost::asio::steady_timer changed_;
  std::deque<RunEvent> events_;
  std::uint64_t last_number_ = 0;
  RunReport report_;
  Stage stage_ = Stage::preflight;
  protocol::Progress progress_;
  bool ended_ = false;
};

}  // namespace rad
