// Times of schedules that no run answered, as the agent has written them down.
#pragma once

#include <boost/json/array.hpp>

#include "agent/base/clock.h"
#include "agent/cli/radctl/context.h"

namespace rad::radctl {

/// All of them from `from` up to, not including, `to`; newest first, page by page.
Answered<boost::json::array> read_missed(const Context& context, TimePoint from, TimePoint to);

}  // namespace rad::radctl
