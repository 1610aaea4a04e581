// Schedules and their pauses.
#include <chrono>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/control/api.h"
#include "agent/control/views_json.h"

namespace rad {
namespace {

namespace asio = boost::asio;
namespace bj = boost::json;
using namespace std::chrono_literals;

constexpr std::size_t kMissed = 100;
constexpr std::uint64_t kMaxPage = 1000;
constexpr std::uint64_t kPage = 500;
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

/// "2026-11-20T03:30:00.000Z/customers-db/daily"
std::string text_of(const MissedView& missed) {
  return fmt::format("{}/{}/{}", format_rfc3339(missed.slot), missed.target, missed.schedule);
}

std::optional<MissedKey> key_of(const std::string& text) {
  const std::size_t first = text.find('/');
  const std::size_t second = first == std::string::npos ? first : text.find('/', first + 1);
  if (second == std::string::npos) return std::nullopt;
  const auto slot = parse_time(text.substr(0, first));
  if (!slot) return std::nullopt;
  return MissedKey{*slot, text.substr(first + 1, second - first - 1), text.substr(second + 1)};
}

}  // namespace

asio::awaitable<ApiResult> list_schedules(ApiCall& call) {
  RAD_CO_TRY(const Fields query, Fields::from_query(call.request.query));
  RAD_CO_CHECK(query.check());
  RAD_CO_TRY(const auto schedules, call.daemon.schedules());
  RAD_CO_TRY(const auto missed, call.daemon.missed({.limit = kMissed, .after = {}}));
  co_return json_answer({{"schedules", to_json_list(schedules)}, {"missed", to_json_list(missed)}});
}

asio::awaitable<ApiResult> list_missed(ApiCall& call) {
  RAD_CO_TRY(Fields query, Fields::from_query(call.request.query));
  MissedFilter filter;
  filter.from = query.instant("from");
  filter.to = query.instant("to");
  const std::uint64_t limit = query.number("limit", 1, kMaxPage, kPage);
  if (const auto after = query.text("after")) {
    filter.after = key_of(*after);
    if (!filter.after) query.complain("after", "is no next_after of a page before");
  }
  RAD_CO_CHECK(query.check());
  filter.limit = static_cast<std::size_t>(limit) + 1;
  RAD_CO_TRY(std::vector<MissedView> missed, call.daemon.missed(filter));
  bj::value next = nullptr;
  if (missed.size() > limit) {
    missed.pop_back();
    next = bj::string(text_of(missed.back()));
  }
  co_return json_answer({{"missed", to_json_list(missed)}, {"next_after", std::move(next)}});
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
