// Which schedules a pause is about.
#pragma once

#include "agent/cli/radctl/context.h"

namespace rad::radctl {

/// {"target", "schedule"} of TARGET, --schedule and --all.
Answered<boost::json::object> schedule_subject(const cli::Parsed& parsed);

}  // namespace rad::radctl
