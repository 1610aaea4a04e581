// From words on the command line to a row of the table and its values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/command_line/command_table.h"

namespace rad::cli {

/// What was asked for. Refers to the table.
class Parsed {
 public:
  const CommandSpec* command = nullptr;
  /// By the name of the option ("--depth") or argument ("TARGET"); only what was given.
  std::map<std::string, std::vector<std::string>, std::less<>> values;

  bool has(std::string_view name) const { return values.contains(name); }
  /// The last value that was given, else the default in the table, else "".
  std::string text(std::string_view name) const;
  std::optional<std::string> given(std::string_view name) const;
};

/// Instead of a command: something to print, or a mistake.
struct ParseStop {
  enum class Kind {
    help,     ///< `text` goes to stdout
    version,  ///< the same
    mistake,  ///< `text` is the error, `hint` what to do
  };
  Kind kind = Kind::mistake;
  std::string text;
  std::string hint;
};

struct ParseOutcome {
  std::optional<Parsed> parsed;
  ParseStop stop;  ///< if nothing was parsed
};

/// \param words without the program's name
ParseOutcome parse_command_line(const ProgramSpec& program, const std::vector<std::string>& words);

}  // namespace rad::cli
