#include "agent/cli/command_line/command_table.h"

#include <algorithm>

namespace rad::cli {

const CommandSpec* find_command(const ProgramSpec& program, std::string_view path) {
  const auto row = std::ranges::find(program.commands, path, &CommandSpec::path);
  return row == program.commands.end() ? nullptr : &*row;
}

std::vector<std::string_view> nouns(const ProgramSpec& program) {
  std::vector<std::string_view> found;
  for (const CommandSpec& command : program.commands) {
    const std::size_t space = command.path.find(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view noun = command.path.substr(0, space);
    if (std::ranges::find(found, noun) == found.end()) found.push_back(noun);
  }
  return found;
}

}  // namespace rad::cli
