// One HTTP request and its answer as values, and the encodings that signatures depend on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad::object_store {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string base;         ///< "https://host:port", without a path
  std::string path = "/";   ///< percent-encoded, begins with "/"
  Fields query;             ///< decoded; sent in this order
  Fields headers;           ///< a service's sign() adds to a copy of these
  std::string body;         ///< sent with POST and PUT
  std::string unix_socket;  ///< connect here instead of to the host; "" for none
  bool no_proxy = false;    ///< for addresses of this host and its hypervisor
  /// Longest answer of exchange(); a longer one is an error. Errors' bodies: 64 KiB always.
  std::size_t max_answer = std::size_t{16} << 20U;

  std::string url() const;
  std::string host() const;  ///< as the Host header has it
};

struct HttpResponse {
  int status = 0;
  Fields headers;  ///< names in lower case; of the last answer only
  std::string body;

  /// The first field of that name (lower case), "" if there is none.
  std::string_view header(std::string_view name) const noexcept;
};

/// Where a part of an object lies in the whole, from `Content-Range: bytes 0-99/1234`.
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> total;  ///< nothing for "*"
};
std::optional<ContentRange> parse_content_range(std::string_view text);

/// How long `Retry-After` (seconds or a date) asks to wait; nothing if it says nothing sensible.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view text, TimePoint now);
/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 7231, IMF-fixdate).
std::optional<TimePoint> parse_http_date(std::string_view text);
std::string format_http_date(TimePoint time);

/// RFC 3986: all but A-Z a-z 0-9 - _ . ~ becomes %XX with upper-case digits; "/" stays if asked so.
std::string percent_encode(std::string_view text, bool keep_slash = false);
/// \param plus_is_space  as in forms. \return nothing if a % is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

}  // namespace rad::object_store
