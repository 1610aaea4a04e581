// The table as a manual page.
#pragma once

#include <string>

#include "agent/cli/command_line/command_table.h"

namespace rad::cli {

/// A page in the macros of man(7); the same for the same table, so that it can be checked in.
std::string man_page(const ProgramSpec& program);

}  // namespace rad::cli
