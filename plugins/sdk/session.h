// One conversation with the agent: a reader thread that queues requests and hears `cancel`, and the
// caller's thread that answers them. Internal to plugins/sdk.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include <boost/json/object.hpp>

#include "agent/base/clock.h"
#include "agent/base/unique_fd.h"
#include "plugins/protocol/codec.h"
#include "plugins/sdk/output.h"
#include "plugins/sdk/plugin.h"
#include "plugins/sdk/stop_signal.h"

namespace rad::sdk {

class Session final : public Context {
 public:
  /// All are borrowed. `quit`: an eventfd, with which run() ends its reader.
  Session(Plugin& plugin, int in_fd, Output& output, const StopSignal& signal, int quit);

  /// \return the exit status of the plugin.
  int run();

  std::stop_token stop_token() const override;
  void progress(std::uint64_t bytes_done, std::uint64_t bytes_total,
                std::string_view note) override;
  void log(std::string_view level, std::string_view message) override;

 private:
  struct Queued {
    protocol::Request request;
    bool cancelled = false;
  };

  // On the reader's thread.
  void read_all();
  bool read_some(protocol::LineSplitter& lines);
  void take(std::string_view line);
  void take(protocol::Request request);
  void cancel(const boost::json::object& params);
  void stop(bool broken);

  // On the caller's thread.
  std::optional<Queued> next();
  int answer_all();
  void finish_current();
  protocol::Response answer(const Queued& item);
  Result<boost::json::object> call(const protocol::Request& request);
  Result<boost::json::object> dispatch(const protocol::Request& request);
  Result<boost::json::object> explain(const boost::json::object& object);
  Result<boost::json::object> initialize(const boost::json::object& params);
  Result<boost::json::object> check(const boost::json::object& params);
  Result<boost::json::object> cleanup();
  int stop_and_clean_up();
  void send(const protocol::Response& response, std::string_view method);

  Plugin& plugin_;
  int in_fd_;
  Output& output_;
  const StopSignal& signal_;
  int quit_;
  SystemClock clock_;

  // The caller's thread alone.
  protocol::PluginInfo info_;
  std::optional<protocol::InitializeParams>
      params_;          ///< of a run, set before initialize() is tried
  bool ready_ = false;  ///< initialize() has succeeded
  std::string outcomes_file_;
  int error_code_ = 0;  ///< of the request that is being answered

  mutable std::mutex mutex_;  ///< guards the next six
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  std::stop_source stop_;
  std::int64_t current_ = 0;  ///< id of the running request
  bool cancellable_ = false;
  bool stopping_ = false;
  bool broken_ = false;

  std::mutex progress_mutex_;  ///< guards the next three; taken before the output's lock
  bool progress_open_ = false;
  SteadyPoint progress_sent_;
  std::optional<protocol::Progress> progress_waiting_;
};

}  // namespace rad::sdk
