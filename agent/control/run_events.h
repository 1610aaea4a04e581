// Following one run by server-sent events.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "agent/control/http_server.h"
#include "agent/run/daemon.h"
#include "agent/run/run_feed.h"

namespace rad {

/// How often something is sent when nothing happens, and how often is looked for a run that has not
/// begun or that another process drives.
struct EventTimes {
  std::chrono::milliseconds heartbeat{15'000};
  std::chrono::milliseconds look{500};
};

/// One event as it is sent. Data is one line, since JSON has no line ends of its own.
std::string format_event(const RunEvent& event);

/// The events of run `id` with numbers above `after`, from its feed while it goes on, from the
/// store when it has ended. A run that waits is waited for.
HttpResponse run_events_answer(Daemon& daemon, const boost::asio::any_io_executor& executor,
                               std::string id, std::uint64_t after, EventTimes times = {});

}  // namespace rad
