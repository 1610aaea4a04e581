// The runs that go on in this process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "agent/base/clock.h"
#include "agent/run/coordinator.h"
#include "agent/run/daemon_views.h"
#include "agent/run/generation.h"
#include "agent/run/run_feed.h"
#include "agent/store/store.h"

namespace rad {

/// How long such a run takes, from the last one that passed; nothing if none did.
std::optional<std::chrono::milliseconds> expected_duration(Store& store, const std::string& target,
                                                           Depth depth);

/// One thread: the executor's. Must outlive its runs: destroy it when idle() is true, or with the
/// executor.
class LiveRuns : private ScratchClaims {
 public:
  /// Told once for each run, when everything about it is done. An error: it could not begin.
  using Ended = std::function<void(const RunRequest&, const Result<RunReport>&)>;

  LiveRuns(boost::asio::any_io_executor executor, Store& store, const Clock& clock, Ended ended);

  /// Begins a run; its target must be free here. `request.id` must be set. \return why it could not
  /// begin, as far as that is known at once: target_busy if another process tests the target.
  /// \param scratch  bytes that it is expected to take, until its plugins say more
  Status start(std::shared_ptr<const RunContext> context, RunRequest request,
               std::uint64_t scratch);
  /// \return whether such a run goes on.
  bool cancel(const std::string& run_id, const std::string& why);
  /// They end as interrupted: schedules try again.
  void interrupt_all(const std::string& why);

  bool idle() const noexcept { return runs_.empty(); }
  std::size_t count() const noexcept { return runs_.size(); }
  /// Null if no such run goes on.
  std::shared_ptr<RunFeed> feed(const std::string& run_id) const;
  /// The id of the run that tests the target now; null if none does.
  const std::string* of_target(const std::string& target) const;
  std::vector<LiveRun> list() const;

  /// Writes what the runs have said since the last time.
  void write_logs();

 private:
  struct Entry;
  Room others(const std::string& run_id) const override;
  void claim(const std::string& run_id, std::uint64_t bytes, bool waits) override;
  boost::asio::awaitable<void> carry_out(std::shared_ptr<Entry> entry);

  boost::asio::any_io_executor executor_;
  Store& store_;
  const Clock& clock_;
  Ended ended_;
  std::map<std::string, std::shared_ptr<Entry>> runs_;  ///< by target
};

}  // namespace rad
