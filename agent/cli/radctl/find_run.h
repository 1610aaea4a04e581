// Which run somebody means.
#pragma once

#include <string>

#include "agent/cli/radctl/context.h"

namespace rad::radctl {

/// \param word an id, its last eight digits, a target (the run that goes on, else the one that
///   waits, else the newest), or "last" or "" for the newest of all
Answered<std::string> find_run(const Context& context, const std::string& word);
/// The same among what is held.
Answered<std::string> find_hold(const Context& context, const std::string& word);

/// What there is to say of a run's copy if it is held, for the end of a report; "" if it is not.
std::string held_text(const Context& context, const std::string& run_id);

}  // namespace rad::radctl
