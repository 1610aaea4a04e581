// One page of a listing, from whichever service.
#pragma once

#include <stop_token>
#include <string>
#include <utility>

#include "agent/base/error.h"
#include "plugins/object_store/http_transport.h"

namespace rad::object_store {

/// How often a page is asked for that comes, but cannot be understood.
inline constexpr unsigned kPageTries = 3;

/// \param parse  Result<Page>(const std::string& body)
/// \return the page; what keeps it from coming. Never missing_object: a bucket that is there can be
/// listed, even when it is empty, so one that is not is storage_unreachable.
template <class Parse>
auto ask_page(HttpTransport& transport, HttpService& service, const HttpRequest& request,
              const std::stop_token& stop, Parse parse)
    -> decltype(parse(std::declval<const std::string&>())) {
  for (unsigned attempt = 1;; ++attempt) {
    auto response = transport.exchange(request, service, stop);
    if (!response) {
      Error error = std::move(response).error();
      if (error.reason == Reason::missing_object) error.reason = Reason::storage_unreachable;
      return error;
    }
    auto page = parse(response->body);
    if (page || attempt >= kPageTries) return page;
  }
}

}  // namespace rad::object_store
