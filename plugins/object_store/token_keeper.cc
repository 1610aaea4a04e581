#include "plugins/object_store/token_keeper.h"

#include <algorithm>
#include <charconv>

#include "agent/base/json.h"

namespace rad::object_store {
namespace {

/// A token must outlive the request that it is sent with, and the clocks differ.
constexpr auto kReserve = std::chrono::minutes(5);
constexpr auto kAgainAfterFailure = std::chrono::seconds(30);
constexpr std::int64_t kLongest = 31LL * 24 * 3600;

/// When to renew: well before the end, but a short-lived token is used for most of its life.
SteadyPoint renewal_of(const AccessToken& token, SteadyPoint now) {
  if (token.expires == SteadyPoint::max()) return token.expires;
  const auto life = std::max(token.expires - now, SteadyPoint::duration::zero());
  return token.expires - std::min<SteadyPoint::duration>(kReserve, life / 4);
}

}  // namespace

const Clock& TokenKeeper::system_clock() {
  static const SystemClock clock;
  return clock;
}

TokenKeeper::TokenKeeper(Fetch fetch, const Clock& clock)
    : fetch_(std::move(fetch)), clock_(clock) {}

bool TokenKeeper::fresh(SteadyPoint now) const {
  return token_ && now < renew_at_;
}

Result<std::shared_ptr<const AccessToken>> TokenKeeper::get(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait(lock, stop, [&] { return !fetching_ || fresh(clock_.steady_now()); })) {
    return fail(Reason::cancelled, "reading was stopped");
  }
  if (fresh(clock_.steady_now())) return token_;
  fetching_ = true;
  lock.unlock();
  Result<AccessToken> fetched = fetch_(stop);
  lock.lock();
  fetching_ = false;
  changed_.notify_all();
  const SteadyPoint now = clock_.steady_now();
  if (fetched) {
    token_ = std::make_shared<const AccessToken>(*std::move(fetched));
    renew_at_ = renewal_of(*token_, now);
    return token_;
  }
  if (token_ && now < token_->expires && fetched.error().reason != Reason::cancelled) {
    renew_at_ = std::min(now + kAgainAfterFailure, token_->expires);
    return token_;
  }
  return std::move(fetched).error();
}

void TokenKeeper::drop() {
  const std::lock_guard lock(mutex_);
  token_.reset();
}

Result<AccessToken> read_oauth_token(std::string_view body, SteadyPoint now) {
  const auto unusable = [] {
    return fail(Reason::access_denied, "the answer of the token endpoint holds no usable token",
                "check the address of the token endpoint");
  };
  const auto document = json::parse(body, "the token endpoint's answer", Reason::access_denied);
  if (!document || !document->is_object()) return unusable();
  const auto& object = document->get_object();
  AccessToken token;
  const auto value = json::get_string(object, "access_token", "");
  if (!value || value->empty()) return unusable();
  token.value = *value;
  std::int64_t seconds = 0;
  if (const auto text = json::get_string(object, "expires_in", ""); text && !text->empty()) {
    const char* end = text->data() + text->size();
    const auto read = std::from_chars(text->data(), end, seconds);
    if (read.ec != std::errc{} || read.ptr != end) return unusable();
  } else {
    const auto number = json::get_int(object, "expires_in", 0);
    if (!number) return unusable();
    seconds = *number;
  }
  token.expires = now + std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kLongest));
  return token;
}

}  // namespace rad::object_store
