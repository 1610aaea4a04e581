// The table of radctl: every command, option, example and exit status.
#pragma once

#include "agent/cli/command_line/command_table.h"

namespace rad::radctl {

const cli::ProgramSpec& program();

/// Parts of the table, in the order in which they are shown.
std::vector<cli::CommandSpec> run_commands();
std::vector<cli::CommandSpec> look_commands();

}  // namespace rad::radctl
