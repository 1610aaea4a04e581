// Which schedules a pause is about.
#pragma once

#include "agent/cli/radctl/context.h"

namespace rad::radctl {

/// {"target", "schedule"} of TARGET, --schedule and --all.
Answered<boost::json::object> schedule_subject(const cli::Parsed& parsed);
/// The command that ends the pause of such a subject.
std::string resume_line(const boost::json::object& subject);

}  // namespace rad::radctl
