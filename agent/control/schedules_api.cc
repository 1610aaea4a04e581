// Schedules and their pauses.
#include <chrono>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/control/api.h"
#include "agent/control/views_json.h"

namespace rad {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::size_t kMissed = 100;
constexpr auto kLongestPause = std::chrono::milliseconds(366 * 24h);

/// A time or a duration from now. Nothing: until somebody resumes it.
std::optional<TimePoint> until_of(Fields& body, TimePoint now) {
  const auto text = body.text("until");
  if (!text) return std::nullopt;
  const auto duration = parse_duration(*text);
  const auto time = duration ? Result<TimePoint>(now + std::min(*duration, 2 * kLongestPause))
                             : parse_time(*text);
  if (!time) {
    body.complain("until", fmt::format("is '{}', expected a duration or a time", *text),
                  "for example 4h or 2026-11-20T18:00:00Z");
    return std::nullopt;
  }
  if (*time <= now || *time > now + kLongestPause) {
    body.complain(
        "until",
        fmt::format("is {}, expected a time from now to a year from now", format_rfc3339(*time)),
        "without it the pause holds until somebody resumes it");
  }
  return *time;
}

}  // namespace

asio::awaitable<ApiResult> list_schedules(ApiCall& call) {
  RAD_CO_TRY(const Fields query, Fields::from_query(call.request.query));
  RAD_CO_CHECK(query.check());
  RAD_CO_TRY(const auto schedules, call.daemon.schedules());
  RAD_CO_TRY(const auto missed, call.daemon.missed(kMissed));
  co_return json_answer({{"schedules", to_json_list(schedules)}, {"missed", to_json_list(missed)}});
}

asio::awaitable<ApiResult> pause_schedules(ApiCall& call) {
  RAD_CO_TRY(Fields body, Fields::from_body(call.request.body));
  Pause pause;
  pause.target = body.text("target").value_or(std::string(kEvery));
  pause.schedule = body.text("schedule").value_or(std::string(kEvery));
  pause.since = call.clock.now();
  pause.until = until_of(body, pause.since);
  pause.owner = call.caller.user;
  pause.reason = body.reason();
  RAD_CO_CHECK(body.check());
  RAD_CO_CHECK(call.daemon.pause(call.caller, pause));
  co_return json_answer(to_json(pause));
}

asio::awaitable<ApiResult> resume_schedules(ApiCall& call) {
  RAD_CO_TRY(Fields body, Fields::from_body(call.request.body));
  const std::string target = body.text("target").value_or(std::string(kEvery));
  const std::string schedule = body.text("schedule").value_or(std::string(kEvery));
  RAD_CO_CHECK(body.check());
  RAD_CO_CHECK(call.daemon.resume(call.caller, target, schedule));
  co_return json_answer({{"target", target}, {"schedule", schedule}});
}

}  // namespace rad
