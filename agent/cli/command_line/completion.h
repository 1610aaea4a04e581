// Shell completion: the shells ask the program itself (hidden command `complete-words`), which
// knows the table and, through `names`, what exists on this host. The scripts are only bridges.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/command_line/command_table.h"

namespace rad::cli {

struct Candidate {
  std::string word;
  std::string text;  ///< one line about it, "" if there is nothing to say
};

/// The names that exist of a kind. \param before the words before the one that is completed,
/// without the program's name: `--socket` may be among them, or the target whose backups are
/// wanted.
using NameSource =
    std::function<std::vector<std::string>(Words kind, const std::vector<std::string>& before)>;

/// What the last of `words` may become; all of them begin with it.
/// \param words without the program's name; the last one is the word at the cursor, perhaps ""
std::vector<Candidate> complete(const ProgramSpec& program, const std::vector<std::string>& words,
                                const NameSource& names);

/// \param shell bash, zsh or fish. \return nothing for another one.
std::optional<std::string> completion_script(const ProgramSpec& program, std::string_view shell);

}  // namespace rad::cli
