// HTTP for storage services: one thread of libcurl's multi interface for all transfers of a
// storage, with connections reused; retries, resuming and reading ahead on top of it.
//
// Retries  what breaks, stalls, is throttled (429, 503; Retry-After is honoured) or fails with 5xx
// is
//          tried again with exponential back-off and jitter, until `timeout` has gone by without
//          anything new. What a service denies or does not have is not.
// Memory   an open object holds at most `connections` parts of kPartBytes, all objects of a
// transport
//          together at most kSharedParts parts besides one each.
// Secrets  are in no message and no URL that is shown; bodies of errors are bounded and untrusted.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/base/error.h"
#include "plugins/object_store/http_message.h"
#include "plugins/object_store/storage.h"

namespace rad::object_store {

inline constexpr std::uint64_t kPartBytes = std::uint64_t{4} << 20U;
inline constexpr unsigned kSharedParts = 12;
inline constexpr std::size_t kMaxErrorBody = std::size_t{64} << 10U;

struct TransportOptions {
  /// How long a request or a read may bring nothing new, retries included.
  std::chrono::milliseconds timeout = std::chrono::minutes(2);
  /// Longest wait for a connection, and for the next bytes of one answer (at least 1 KiB/s).
  std::chrono::milliseconds stall = std::chrono::seconds(30);
  unsigned connections = 4;      ///< ranges of one object that are read at once, 1 to 32
  std::uint64_t rate_limit = 0;  ///< bytes per second for all objects together; 0: none
  std::string ca_file;           ///< PEM; "": the system's
  std::string proxy;             ///< URL; "": from the environment (https_proxy, no_proxy, ...)
  std::chrono::milliseconds first_pause = std::chrono::milliseconds(200);  ///< of the back-off
};

/// What the transport has to know of a service. Thread-safe; methods are called on the threads that
/// read, never on the transport's own, so they may use the transport themselves.
class HttpService {
 public:
  virtual ~HttpService() = default;
  /// Adds what authorises `request`, for each attempt anew. May fetch or renew credentials.
  virtual Status sign(HttpRequest& request, std::stop_token stop) = 0;
  /// Puts an answer of 300 or above into words and a reason. `retryable` decides whether it is
  /// tried again. The message does not name the object.
  virtual Error judge(const HttpRequest& request, const HttpResponse& response) const = 0;
  /// After access_denied: whether sign() will now use other credentials, so that a second try makes
  /// sense. Asked at most once a request.
  virtual bool renew(const HttpResponse& /*denied*/) { return false; }
  /// Whether it is the service itself that says missing_object, and not something on the way.
  virtual bool vouches_for_missing(const HttpResponse& /*response*/) const { return false; }
};

/// The reason that a status alone gives: 404 missing_object, 401 and 403 access_denied, 429 and 503
/// throttled, 412 backup_removed, 5xx storage_unreachable, 3xx storage_unreachable naming the
/// place. \param words  the service's own code and message, "" if it gave none; untrusted.
Error error_of_status(const HttpResponse& response, std::string_view words = {});

/// One object to be read with GET.
struct ObjectRequest {
  HttpRequest request;  ///< without Range and If-Match
  std::string key;      ///< for messages and Error::object
  OpenOptions options;
  /// Asked when nobody vouches for missing_object: an object that it finds makes the answer
  /// storage_unreachable. Nothing: missing_object is believed.
  std::function<Result<ObjectInfo>()> confirm_missing;
};

/// Shared by all storages and readers that use it: they keep it alive.
class HttpTransport {
 public:
  /// Starts nothing yet.
  static std::shared_ptr<HttpTransport> make(const TransportOptions& options);
  virtual ~HttpTransport() = default;

  /// One request to its answer, whole. \return the answer if its status is below 300, else
  ///   HttpService::judge()'s error; storage_unreachable, cancelled.
  virtual Result<HttpResponse> exchange(const HttpRequest& request, HttpService& service,
                                        std::stop_token stop = {}) = 0;
  /// One request without retries and without a judge: whatever status comes is the answer. For
  /// probing (instance metadata). \param limit for the whole exchange.
  virtual Result<HttpResponse> ask_once(const HttpRequest& request, std::chrono::milliseconds limit,
                                        std::stop_token stop = {}) = 0;
  /// Reads an object in parts, several ahead. Returns when the first answer has come.
  /// \param service  outlives the reader.
  virtual Result<std::unique_ptr<ObjectReader>> open(const ObjectRequest& request,
                                                     HttpService& service) = 0;
  virtual const TransportOptions& options() const noexcept = 0;
};

}  // namespace rad::object_store
