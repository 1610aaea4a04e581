// libcurl's multi interface on a thread of its own. Internal to plugins/object_store.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/http_message.h"
#include "plugins/object_store/http_transport.h"

namespace rad::object_store {

/// How one attempt ended. `error` is set unless a whole HTTP answer has come, of whatever status.
struct TransferEnd {
  std::optional<Error> error;  ///< storage_unreachable, host_unfit, cancelled; retryable or not
  bool refused = false;        ///< the taker wanted no more
};

/// Takes one answer. Called on the engine's thread, one call at a time, in this order.
class AnswerTaker {
 public:
  virtual ~AnswerTaker() = default;
  /// Status and headers have come. \return false to end the transfer here.
  virtual bool take_head(const HttpResponse& head) = 0;
  virtual bool take_body(std::span<const std::byte> bytes) = 0;
  /// Exactly once, and the last call.
  virtual void end(const TransferEnd& end) = 0;
};

/// One attempt of a request.
class Transfer {
 public:
  Transfer(HttpRequest request, std::shared_ptr<AnswerTaker> taker,
           std::optional<std::chrono::milliseconds> limit = {})
      : request_(std::move(request)), taker_(std::move(taker)), limit_(limit) {}

 private:
  friend class CurlEngine;
  HttpRequest request_;
  std::shared_ptr<AnswerTaker> taker_;
  std::optional<std::chrono::milliseconds> limit_;  ///< for all of it
  std::atomic<bool> cancelled_{false};
};

/// Thread-safe. The destructor ends all transfers.
class CurlEngine {
 public:
  explicit CurlEngine(const TransportOptions& options);
  ~CurlEngine();
  CurlEngine(const CurlEngine&) = delete;
  CurlEngine& operator=(const CurlEngine&) = delete;

  /// The first call starts the thread. Ends in AnswerTaker::end(), whatever happens.
  void start(const std::shared_ptr<Transfer>& transfer);
  /// Ends it soon; does not wait for that.
  void cancel(const std::shared_ptr<Transfer>& transfer);

 private:
  struct Running;
  void run();
  void add_new();
  void add(const std::shared_ptr<Transfer>& transfer);
  bool prepare(Running& running) const;
  void finish_done();
  void end_late();
  void finish(Running& running, const TransferEnd& end);

  TransportOptions options_;
  void* multi_ = nullptr;  ///< CURLM
  std::mutex mutex_;
  std::vector<std::shared_ptr<Transfer>> waiting_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Running>> running_;  ///< the thread's alone
  std::thread thread_;
};

}  // namespace rad::object_store
