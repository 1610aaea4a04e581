// Runs, their logs, and the instances that are held after them.
#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/control/api.h"
#include "agent/control/run_events.h"
#include "agent/control/views_json.h"
#include "agent/model/json.h"

namespace rad {
namespace {

namespace asio = boost::asio;
namespace bj = boost::json;
using namespace std::chrono_literals;

constexpr std::uint64_t kMaxPage = 1000;
constexpr std::uint64_t kPage = 50;
constexpr std::uint64_t kLogPage = 500;
constexpr auto kLongestHold = std::chrono::milliseconds(30 * 24h);

std::vector<std::string> depth_words() {
  return {"inspect", "verify", "restore"};
}

HttpResponse unknown_run(const std::string& id) {
  return not_found(fmt::format("there is no run '{}'", printable(id, 100)),
                   "`radctl run list` shows them");
}

/// The run among those that wait; null if it does not.
const WaitingRun* find_waiting(const StatusView& status, const std::string& id) {
  const auto found = std::ranges::find(status.waiting, id, &WaitingRun::id);
  return found == status.waiting.end() ? nullptr : &*found;
}

/// Nothing if the run is known: goes on, waits, or is in the store.
Result<std::optional<HttpResponse>> refuse_unknown(ApiCall& call, const std::string& id) {
  const auto known = std::optional<HttpResponse>();
  if (call.daemon.feed(id)) return known;
  RAD_TRY(const auto stored, call.daemon.store().load_run(id));
  if (stored || find_waiting(call.daemon.status(), id) != nullptr) return known;
  return std::optional<HttpResponse>(unknown_run(id));
}

Result<std::optional<HttpResponse>> refuse_unheld(ApiCall& call, const std::string& id) {
  const StatusView status = call.daemon.status();
  if (std::ranges::find(status.holds, id, &HoldView::run_id) != status.holds.end()) {
    return std::optional<HttpResponse>();
  }
  return std::optional<HttpResponse>(
      not_found(fmt::format("no instance of run '{}' is held", printable(id, 100)),
                "`radctl hold list` shows those that are"));
}

StartRequest start_request(Fields& body) {
  StartRequest request;
  request.target = body.needed_text("target", "`radctl target list` shows the targets");
  if (const auto depth = body.one_of("depth", depth_words())) request.depth = parse_depth(*depth);
  request.backup = body.text("backup");
  request.recover_to = body.text("recover_to");
  request.hold = body.duration("hold", kLongestHold);
  const auto if_busy = body.one_of("if_busy", {"queue", "attach", "refuse"});
  request.if_busy = if_busy == "attach"   ? IfBusy::attach
                    : if_busy == "refuse" ? IfBusy::refuse
                                          : IfBusy::queue;
  request.note = body.reason();
  const bool restores = request.depth.value_or(Depth::restore) == Depth::restore;
  if (request.hold && !restores) {
    body.complain("hold", "needs depth restore: nothing else has an instance to hold");
  }
  if (request.recover_to && !restores) {
    body.complain("recover_to", "needs depth restore: nothing else is recovered");
  }
  return request;
}

std::string_view to_string(StartAnswer::State state) {
  switch (state) {
    case StartAnswer::State::started:
      return "started";
    case StartAnswer::State::queued:
      return "queued";
    case StartAnswer::State::attached:
      return "attached";
  }
  return "";
}

}  // namespace

asio::awaitable<ApiResult> list_runs(ApiCall& call) {
  RAD_CO_TRY(Fields query, Fields::from_query(call.request.query));
  RunFilter filter;
  filter.target = query.text("target").value_or("");
  filter.schedule = query.text("schedule").value_or("");
  if (const auto depth = query.one_of("depth", depth_words())) filter.depth = parse_depth(*depth);
  if (const auto verdict = query.one_of("verdict", {"pass", "fail", "inconclusive", "cancelled"})) {
    filter.verdict = parse_verdict(*verdict);
  }
  const std::uint64_t limit = query.number("limit", 1, kMaxPage, kPage);
  filter.before = query.text("before").value_or("");
  RAD_CO_CHECK(query.check());
  filter.limit = static_cast<std::size_t>(limit) + 1;
  RAD_CO_TRY(std::vector<RunSummary> runs, call.daemon.store().list_summaries(filter));
  bj::value next = nullptr;
  if (runs.size() > limit) {
    runs.pop_back();
    next = bj::string(runs.back().id);
  }
  co_return json_answer({{"runs", to_json_list(runs)}, {"next_before", std::move(next)}});
}

asio::awaitable<ApiResult> list_restores(ApiCall& call) {
  RAD_CO_TRY(Fields query, Fields::from_query(call.request.query));
  const TimePoint from = query.instant("from");
  const TimePoint to = query.instant("to");
  RAD_CO_CHECK(query.check());
  RAD_CO_TRY(const auto restores, call.daemon.store().measured_restores(from, to));
  co_return json_answer({{"restores", to_json_list(restores)}});
}

asio::awaitable<ApiResult> start_run(ApiCall& call) {
  RAD_CO_TRY(Fields body, Fields::from_body(call.request.body));
  const StartRequest request = start_request(body);
  RAD_CO_CHECK(body.check());
  RAD_CO_TRY(const StartAnswer answer, call.daemon.start_run(call.caller, request));
  bj::value behind = nullptr;
  if (answer.behind_run) behind = bj::string(*answer.behind_run);
  co_return json_answer({{"state", to_string(answer.state)},
                         {"run_id", answer.run_id},
                         {"waits_for", answer.waits_for},
                         {"behind_run", std::move(behind)},
                         {"time_left_seconds", optional_seconds(answer.time_left)}},
                        202);
}

asio::awaitable<ApiResult> get_run(ApiCall& call) {
  const std::string& id = call.names.front();
  const auto feed = call.daemon.feed(id);
  if (feed && !feed->report().id.empty()) co_return json_answer(to_json(feed->report()));
  RAD_CO_TRY(const auto stored, call.daemon.store().load_run(id));
  if (stored) co_return json_answer(to_json(*stored));
  const StatusView status = call.daemon.status();
  if (const WaitingRun* waiting = find_waiting(status, id)) {
    co_return not_found(
        fmt::format("run {} has not begun, it waits for {}", id, waiting->waits_for),
        "`radctl status` shows what goes on");
  }
  if (feed) {
    co_return not_found(fmt::format("run {} is just beginning", id), "ask again in a moment");
  }
  co_return unknown_run(id);
}

asio::awaitable<ApiResult> follow_run(ApiCall& call) {
  RAD_CO_TRY(Fields query, Fields::from_query(call.request.query));
  const bool asked = call.request.query.find("after") != std::string::npos;
  std::uint64_t after = query.number("after", 0, UINT64_MAX, 0);
  RAD_CO_CHECK(query.check());
  if (!asked && !call.request.last_event_id.empty()) {
    // What does not come from us is no place to go on from.
    auto header = Fields::from_query("after=" + call.request.last_event_id);
    if (header) after = header->number("after", 0, UINT64_MAX, 0);
  }
  const std::string& id = call.names.front();
  RAD_CO_TRY(auto refused, refuse_unknown(call, id));
  if (refused) co_return *std::move(refused);
  co_return run_events_answer(call.daemon, call.executor, id, after);
}

asio::awaitable<ApiResult> get_run_log(ApiCall& call) {
  RAD_CO_TRY(Fields query, Fields::from_query(call.request.query));
  const std::uint64_t after = query.number("after", 0, INT64_MAX - 1, 0);
  const std::uint64_t limit = query.number("limit", 1, kMaxPage, kLogPage);
  RAD_CO_CHECK(query.check());
  const std::string& id = call.names.front();
  RAD_CO_TRY(auto refused, refuse_unknown(call, id));
  if (refused) co_return *std::move(refused);
  Store& store = call.daemon.store();
  // First whether it has ended: lines that come between the two questions are not missed then.
  RAD_CO_TRY(const auto stored, store.load_run(id));
  const bool over = stored && stored->ended_at && !call.daemon.feed(id);
  RAD_CO_TRY(const auto lines, store.read_log(id, after + 1, static_cast<std::size_t>(limit)));
  co_return json_answer({{"lines", to_json_list(lines)},
                         {"next_after", lines.empty() ? after : lines.back().seq},
                         {"ended", over && lines.size() < limit}});
}

asio::awaitable<ApiResult> cancel_run(ApiCall& call) {
  const std::string& id = call.names.front();
  RAD_CO_TRY(Fields body, Fields::from_body(call.request.body));
  const std::string why = body.reason();
  RAD_CO_CHECK(body.check());
  RAD_CO_TRY(auto refused, refuse_unknown(call, id));
  if (refused) {
    call.daemon.audit(call.caller, "run.cancel", id, why, true, "there is no such run");
    co_return *std::move(refused);
  }
  RAD_CO_CHECK(call.daemon.cancel_run(call.caller, id, why));
  co_return json_answer({{"run_id", id}}, 202);
}

asio::awaitable<ApiResult> open_hold(ApiCall& call) {
  const std::string& id = call.names.front();
  RAD_CO_TRY(const Fields body, Fields::from_body(call.request.body));
  RAD_CO_CHECK(body.check());
  RAD_CO_TRY(auto refused, refuse_unheld(call, id));
  if (refused) {
    call.daemon.audit(call.caller, "hold.open", id, "", true, "no instance of this run is held");
    co_return *std::move(refused);
  }
  RAD_CO_TRY(const std::string command, call.daemon.open_hold(call.caller, id));
  co_return json_answer({{"run_id", id}, {"command", command}});
}

asio::awaitable<ApiResult> release_hold(ApiCall& call) {
  const std::string& id = call.names.front();
  RAD_CO_TRY(const Fields body, Fields::from_body(call.request.body));
  RAD_CO_CHECK(body.check());
  RAD_CO_TRY(auto refused, refuse_unheld(call, id));
  if (refused) {
    call.daemon.audit(call.caller, "hold.release", id, "", true, "no instance of this run is held");
    co_return *std::move(refused);
  }
  RAD_CO_CHECK(call.daemon.release_hold(call.caller, id));
  co_return json_answer({{"run_id", id}}, 202);
}

}  // namespace rad
