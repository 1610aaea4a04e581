// What the transport and its readers share. Internal to plugins/object_store.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "plugins/object_store/curl_engine.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/retry.h"

namespace rad::object_store {

/// Memory for parts, used again. Thread-safe.
class PartBuffers {
 public:
  struct Buffer {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
    bool shared = false;  ///< counts against kSharedParts
  };
  /// \param shared  may fail (nothing) when all shared parts are taken.
  std::optional<Buffer> take(std::size_t size, bool shared);
  void give(Buffer buffer);

 private:
  std::mutex mutex_;
  unsigned shared_taken_ = 0;
  std::vector<Buffer> idle_;  ///< of kPartBytes each
};

/// The one implementation of HttpTransport.
class CurlTransport final : public HttpTransport,
                            public std::enable_shared_from_this<CurlTransport> {
 public:
  explicit CurlTransport(const TransportOptions& options);

  Result<HttpResponse> exchange(const HttpRequest& request, HttpService& service,
                                std::stop_token stop) override;
  Result<HttpResponse> ask_once(const HttpRequest& request, std::chrono::milliseconds limit,
                                std::stop_token stop) override;
  Result<std::unique_ptr<ObjectReader>> open(const ObjectRequest& request,
                                             HttpService& service) override;
  const TransportOptions& options() const noexcept override { return options_; }

  CurlEngine& engine() noexcept { return engine_; }
  const std::shared_ptr<PartBuffers>& buffers() noexcept { return buffers_; }
  RateLimit& rate() noexcept { return rate_; }
  RetryPacer pacer() const;
  /// A service that has never answered is more likely misspelt than busy.
  const std::shared_ptr<std::atomic<bool>>& answered() const noexcept { return answered_; }

 private:
  /// One attempt of a request that is signed already.
  Result<HttpResponse> attempt(const HttpRequest& request,
                               std::optional<std::chrono::milliseconds> limit,
                               const std::stop_token& stop);

  TransportOptions options_;
  // Apart from the engine: what a transfer holds must not own the engine that runs it.
  std::shared_ptr<std::atomic<bool>> answered_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<PartBuffers> buffers_ = std::make_shared<PartBuffers>();
  RateLimit rate_;
  CurlEngine engine_;
};

/// How long the service asked to wait, if it did.
std::optional<std::chrono::milliseconds> retry_after(const HttpResponse& response);
/// `error` with what was done about it: "…, tried 7 times in 2m".
Error given_up(Error error, const RetryPacer& pacer);
/// Waits; at once if stopped. \return false if stopped.
bool wait_for(std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace rad::object_store
