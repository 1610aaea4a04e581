#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/control/api.h"

namespace rad {
namespace {

constexpr std::size_t kLongestMessage = 16'000;
/// Long enough for every mistake of a configuration, as a reload lists them.
constexpr std::size_t kLongestDetail = 1'000'000;

boost::json::object describe(const Error& error) {
  return {{"reason", to_string(error.reason)},
          {"message", json::safe_string(error.message, kLongestMessage)},
          {"hint", json::safe_string(error.hint)}};
}

unsigned status_of(Reason reason) {
  switch (reason) {
    case Reason::config_invalid:
      return 400;
    case Reason::access_denied:
      return 403;
    case Reason::target_busy:
      return 409;
    case Reason::internal_error:
      return 500;
    default:
      return 503;
  }
}

}  // namespace

HttpResponse json_answer(const boost::json::object& body, unsigned status) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = boost::json::serialize(body) + "\n";
  return response;
}

HttpResponse error_answer(unsigned status, const Error& error) {
  return json_answer({{"error", describe(error)}}, status);
}

HttpResponse error_answer_with_detail(const Error& error) {
  boost::json::object body = describe(error);
  if (!error.detail.empty()) body["detail"] = json::safe_string(error.detail, kLongestDetail);
  return json_answer({{"error", std::move(body)}}, status_of(error.reason));
}

HttpResponse error_answer(const Error& error) {
  return error_answer(status_of(error.reason), error);
}

HttpResponse not_found(std::string message, std::string hint) {
  return error_answer(404, fail(Reason::config_invalid, std::move(message), std::move(hint)));
}

}  // namespace rad
