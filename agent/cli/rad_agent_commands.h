// The table of rad-agent: every command, option, example and exit status.
#pragma once

#include "agent/cli/command_line/command_table.h"

namespace rad::cli {

const ProgramSpec& rad_agent_program();

}  // namespace rad::cli
