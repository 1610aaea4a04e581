// Tokens that expire: fetched when first needed, renewed before they end, shared by all readers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::object_store {

struct AccessToken {
  std::string value;  ///< a secret
  std::string place;  ///< where the service said that its storage is; "" if it says nothing
  SteadyPoint expires = SteadyPoint::max();
};

/// Thread-safe. One thread at a time fetches, the others wait for it, or for their stop.
class TokenKeeper {
 public:
  using Fetch = std::function<Result<AccessToken>(std::stop_token)>;
  /// \param clock outlives this.
  explicit TokenKeeper(Fetch fetch, const Clock& clock = system_clock());

  /// A token that holds for some minutes yet. While one that is about to expire cannot be renewed,
  /// it is used on. \return the error of fetching; cancelled.
  Result<std::shared_ptr<const AccessToken>> get(std::stop_token stop);
  /// The service has refused the token: the next get() fetches another one.
  void drop();

  static const Clock& system_clock();

 private:
  bool fresh(SteadyPoint now) const;

  Fetch fetch_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool fetching_ = false;
  SteadyPoint renew_at_{};
  std::shared_ptr<const AccessToken> token_;
};

/// The answer of an OAuth 2 token endpoint, RFC 6749 section 5.1; `expires_in` may be a string, as
/// Azure writes it. \return access_denied, never quoting the answer.
Result<AccessToken> read_oauth_token(std::string_view body, SteadyPoint now);

}  // namespace rad::object_store
