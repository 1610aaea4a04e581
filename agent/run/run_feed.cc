#include "agent/run/run_feed.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/base/text.h"
#include "agent/model/json.h"

namespace rad {
namespace asio = boost::asio;
namespace {

/// Enough for every stage and the last things said; whoever wants all of the log reads it from the
/// store.
constexpr std::size_t kKeptEvents = 512;
constexpr std::size_t kLongestText = 4096;

}  // namespace

RunFeed::RunFeed(asio::any_io_executor executor)
    : changed_(std::move(executor), asio::steady_timer::time_point::max()) {}

void RunFeed::add(std::string type, boost::json::object data) {
  const bool overtakes =
      type == "progress" && !events_.empty() && events_.back().type == "progress";
  if (overtakes) events_.pop_back();
  events_.push_back({++last_number_, std::move(type), std::move(data)});
  if (events_.size() > kKeptEvents) events_.pop_front();
  changed_.cancel();
}

void RunFeed::stage_began(const RunReport& report, Stage stage) {
  report_ = report;
  progress_ = {};
  stage_ = stage;
  add("stage", {{"stage", to_string(stage)},
                {"started_at", format_rfc3339(report.stages.back().started_at)}});
}

void RunFeed::progressed(const protocol::Progress& progress) {
  progress_ = progress;
  add("progress", {{"stage", to_string(stage_)},
                   {"bytes_done", progress.bytes_done},
                   {"bytes_total", progress.bytes_total},
                   {"note", printable(progress.note, kLongestText)}});
}

void RunFeed::logged(const std::string& plugin, const protocol::LogLine& line) {
  add("log",
      {{"plugin", plugin}, {"level", line.level}, {"text", printable(line.message, kLongestText)}});
}

void RunFeed::end(const RunReport& report) {
  report_ = report;
  ended_ = true;
  add("end", to_json(report_));
}

void RunFeed::leave() {
  ended_ = true;
  changed_.cancel();
}

asio::awaitable<std::vector<RunEvent>> RunFeed::next(std::uint64_t after) {
  while (last_number_ <= after && !ended_) {
    co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  std::vector<RunEvent> events;
  for (const RunEvent& event : events_) {
    if (event.number > after) events.push_back(event);
  }
  co_return events;
}

}  // namespace rad
