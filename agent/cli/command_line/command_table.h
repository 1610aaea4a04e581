// The command line of a program as a table: from its rows come the parser, the help, the man page
// and the shell completion, so that they cannot say different things.
//
// Texts are plain: no markup, paragraphs apart by an empty line. All views are of string literals.
#pragma once

#include <string_view>
#include <vector>

namespace rad::cli {

/// What a word on the command line names, for completion by the running program.
enum class Words {
  none,
  targets,
  schedules,
  runs,
  holds,
  backups,
  shells,
  files,
  commands,
};

struct OptionSpec {
  std::string_view name;          ///< "--depth"
  std::string_view short_name{};  ///< "-d", "" for none
  std::string_view value{};       ///< "DEPTH"; "" for a flag
  std::string_view help{};        ///< one sentence, lower case, no full stop
  std::string_view default_text{};
  std::vector<std::string_view> choices{};  ///< the only values; empty for any
  Words words = Words::none;
  bool required = false;
  std::string_view why_required{};  ///< hint when it is missing
};

struct ArgumentSpec {
  std::string_view name;  ///< "TARGET"
  std::string_view help{};
  bool required = true;
  bool many = false;  ///< takes all further words
  std::vector<std::string_view> choices{};
  Words words = Words::none;
};

struct ExampleSpec {
  std::string_view command;
  std::string_view text;
};

struct CommandSpec {
  std::string_view path;       ///< "run start": one word, or a noun and a verb
  std::string_view summary{};  ///< one line
  std::string_view detail{};   ///< paragraphs
  std::vector<ArgumentSpec> arguments{};
  std::vector<OptionSpec> options{};
  std::vector<ExampleSpec> examples{};
  bool hidden = false;
};

/// A row of two columns: exit status, variable or file, and what it means.
struct MeaningSpec {
  std::string_view name;
  std::string_view text;
};

struct ProgramSpec {
  std::string_view name;
  std::string_view section;  ///< of the manual, "1" or "8"
  std::string_view summary;  ///< what `man -k` shows
  std::string_view description;
  std::vector<OptionSpec> options{};  ///< accepted before and after every command
  std::vector<CommandSpec> commands{};
  std::vector<MeaningSpec> exit_statuses{};
  std::vector<MeaningSpec> environment{};
  std::vector<MeaningSpec> files{};
  std::vector<std::string_view> see_also{};  ///< "radctl(1)"
};

/// The row with this path, null if there is none.
const CommandSpec* find_command(const ProgramSpec& program, std::string_view path);
/// First words of the paths that have two, in the order of the table.
std::vector<std::string_view> nouns(const ProgramSpec& program);

}  // namespace rad::cli
