#include "agent/control/run_events.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "agent/model/json.h"

namespace rad {
namespace {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kHeartbeat = ": still here\n\n";

/// One client that follows one run.
class Follower {
 public:
  Follower(Daemon& daemon, const asio::any_io_executor& executor, std::string id,
           std::uint64_t after, EventTimes times)
      : daemon_(daemon), timer_(executor), id_(std::move(id)), after_(after), times_(times) {}

  asio::awaitable<void> follow(HttpStream& out) {
    Clock::time_point sent = Clock::now();
    while (true) {
      if (const auto feed = daemon_.feed(id_)) {
        if (co_await follow_feed(*feed, out)) co_return;
        after_ = 0;
      }
      const Result<std::string> news = look();
      if (!news) co_return;
      std::string text = *news;
      const auto now = Clock::now();
      if (text.empty() && now - sent >= times_.heartbeat) text = kHeartbeat;
      if (!text.empty()) {
        sent = now;
        if (!co_await out.write(std::move(text))) co_return;
      }
      if (over_) co_return;
      timer_.expires_after(times_.look);
      co_await timer_.async_wait(asio::use_awaitable);
    }
  }

 private:
  /// \return whether there is no more to tell: else the run has not begun, or stands in the store.
  asio::awaitable<bool> follow_feed(RunFeed& feed, HttpStream& out) {
    while (true) {
      timer_.expires_after(times_.heartbeat);
      const auto next =
          co_await (feed.next(after_) || timer_.async_wait(asio::as_tuple(asio::use_awaitable)));
      std::string text;
      bool ended = false;
      if (next.index() == 1) {
        text = kHeartbeat;
      } else {
        const std::vector<RunEvent>& events = std::get<0>(next);
        for (const RunEvent& event : events) {
          text += format_event(event);
          after_ = std::max(after_, event.number);
          ended = ended || event.type == "end";
        }
        if (events.empty()) co_return false;
      }
      if (!co_await out.write(std::move(text)) || ended) co_return true;
    }
  }

  /// What is new of a run that waits, has ended, or is another process's. The error: it is gone.
  Result<std::string> look() {
    RAD_TRY(const auto stored, daemon_.store().load_run(id_));
    if (stored && stored->ended_at) {
      over_ = true;
      return format_event({0, "end", to_json(*stored)});
    }
    if (stored) return stage_of(*stored);
    const StatusView status = daemon_.status();
    const auto waiting = std::ranges::find(status.waiting, id_, &WaitingRun::id);
    if (waiting == status.waiting.end()) {
      return fail(Reason::config_invalid, "it waits no more and has not run");
    }
    if (waits_for_ == waiting->waits_for) return std::string();
    waits_for_ = waiting->waits_for;
    return format_event({0, "waiting", {{"waits_for", waiting->waits_for}}});
  }

  std::string stage_of(const RunReport& report) {
    if (report.stages.size() <= stages_) return {};
    stages_ = report.stages.size();
    const boost::json::object stage = to_json(report.stages.back());
    return format_event(
        {0, "stage", {{"stage", stage.at("stage")}, {"started_at", stage.at("started_at")}}});
  }

  Daemon& daemon_;
  asio::steady_timer timer_;
  std::string id_;
  std::uint64_t after_;
  EventTimes times_;
  std::string waits_for_;
  std::size_t stages_ = 0;
  bool over_ = false;
};

}  // namespace

std::string format_event(const RunEvent& event) {
  std::string text;
  if (event.number != 0) text = fmt::format("id: {}\n", event.number);
  text += fmt::format("event: {}\ndata: {}\n\n", event.type, boost::json::serialize(event.data));
  return text;
}

HttpResponse run_events_answer(Daemon& daemon, const asio::any_io_executor& executor,
                               std::string id, std::uint64_t after, EventTimes times) {
  HttpResponse response;
  response.content_type = "text/event-stream";
  const auto follower = std::make_shared<Follower>(daemon, executor, std::move(id), after, times);
  response.stream = [follower](HttpStream& out) { return follower->follow(out); };
  return response;
}

}  // namespace rad
