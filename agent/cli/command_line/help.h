// The table as text for a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/command_line/command_table.h"

namespace rad::cli {

/// All commands, at most 80 columns wide, ends in a newline.
std::string program_help(const ProgramSpec& program);
/// The commands of one noun. \param noun one of nouns()
std::string noun_help(const ProgramSpec& program, std::string_view noun);
std::string command_help(const ProgramSpec& program, const CommandSpec& command);
/// Help on what the words name: a command, a noun, or all. "" if they name nothing.
std::string help_on(const ProgramSpec& program, const std::vector<std::string>& words);

/// "radctl run start TARGET [options]"
std::string usage_line(const ProgramSpec& program, const CommandSpec& command);
/// "--depth DEPTH, -d DEPTH"
std::string option_line(const OptionSpec& option);
/// Help with its choices and default.
std::string option_text(const OptionSpec& option);

}  // namespace rad::cli
