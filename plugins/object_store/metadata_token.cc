#include "plugins/object_store/metadata_token.h"

#include <condition_variable>
#include <mutex>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

constexpr unsigned kAttempts = 4;
constexpr auto kLimit = std::chrono::seconds(5);

bool may_help_again(int status) {
  return status == 404 || status == 410 || status == 429 || status >= 500;
}

/// \return false if stopped.
bool pause_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace

Result<AccessToken> fetch_metadata_token(HttpTransport& transport, const HttpRequest& request,
                                         std::string_view hint, std::stop_token stop) {
  std::string trouble;
  std::chrono::milliseconds pause = transport.options().first_pause;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0 && !pause_for(pause, stop)) break;
    if (attempt > 0) pause *= 2;
    const auto answer = transport.ask_once(request, kLimit, stop);
    if (!answer) {
      if (answer.error().reason == Reason::cancelled) return answer.error();
      trouble = answer.error().message;
      continue;
    }
    if (answer->status == 200) {
      auto token = read_oauth_token(answer->body, TokenKeeper::system_clock().steady_now());
      if (token) return token;
      trouble = token.error().message;
      break;
    }
    trouble = fmt::format("HTTP {}", answer->status);
    if (!may_help_again(answer->status)) break;
  }
  if (stop.stop_requested()) return fail(Reason::cancelled, "reading was stopped");
  Error error = fail(Reason::access_denied,
                     fmt::format("there are no credentials, and the metadata service at {} gives "
                                 "none: {}",
                                 printable(request.base, 100), trouble),
                     std::string(hint));
  error.retryable = true;
  return error;
}

Result<EndpointUrl> parse_endpoint(std::string_view text, std::string_view variable) {
  const bool secure = text.starts_with("https://");
  const std::string_view rest = text.substr(std::min<std::size_t>(text.size(), secure ? 8 : 7));
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view host = rest.substr(0, slash);
  const bool odd = rest.find_first_of("?#@ \t\r\n\\") != std::string_view::npos;
  if ((!secure && !text.starts_with("http://")) || host.empty() || odd) {
    return fail(Reason::config_invalid,
                fmt::format("{} is not a plain http:// or https:// address", variable),
                "write https://host:port, without a user, a query or a fragment");
  }
  EndpointUrl url{
      .base = std::string(text.substr(0, text.size() - rest.size())) + std::string(host),
      .path = std::string(rest.substr(slash))};
  while (url.path.ends_with('/')) url.path.pop_back();
  return url;
}

}  // namespace rad::object_store
