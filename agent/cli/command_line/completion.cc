#include "agent/cli/command_line/completion.h"

#include <algorithm>

#include <fmt/format.h>

namespace rad::cli {
namespace {

/// Told to the scripts instead of a list: the shell knows its files best.
constexpr std::string_view kFiles = ":files";

constexpr std::string_view kBash = R"(# bash completion for @PROGRAM@
_@FUNCTION@() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = :files ]; then
      compopt -o default
      return
    fi
    COMPREPLY+=("${line%%$'\t'*}")
  done < <("${COMP_WORDS[0]}" complete-words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _@FUNCTION@ @PROGRAM@
)";

constexpr std::string_view kZsh = R"(#compdef @PROGRAM@
_@FUNCTION@() {
  local -a lines candidates
  local line
  lines=("${(@f)$("${words[1]}" complete-words "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "${lines[@]}"; do
    [[ -n $line ]] || continue
    if [[ $line == :files ]]; then
      _files
      return
    fi
    candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  _describe -t words '@PROGRAM@' candidates
}
if [[ ${funcstack[1]} == _@FUNCTION@ ]]; then
  _@FUNCTION@ "$@"
else
  compdef _@FUNCTION@ @PROGRAM@
fi
)";

constexpr std::string_view kFish = R"(# fish completion for @PROGRAM@
function __@FUNCTION@_words
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l program $before[1]
  set -e before[1]
  set -l lines ($program complete-words $before "$current" 2>/dev/null)
  if test "$lines[1]" = :files
    __fish_complete_path "$current"
  else
    printf '%s\n' $lines
  end
end
complete -c @PROGRAM@ -f -a '(__@FUNCTION@_words)'
)";

std::string fill(std::string_view text, const ProgramSpec& program) {
  std::string function(program.name);
  std::ranges::replace(function, '-', '_');
  std::string out(text);
  const auto replace = [&out](std::string_view mark, std::string_view value) {
    for (std::size_t at = out.find(mark); at != std::string::npos; at = out.find(mark, at)) {
      out.replace(at, mark.size(), value);
      at += value.size();
    }
  };
  replace("@PROGRAM@", program.name);
  replace("@FUNCTION@", function);
  return out;
}

/// Names come from the agent and go to a command line: none may mean something to a shell.
bool is_plain(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.:+@/-").find(c) != std::string_view::npos;
  });
}

class Completion {
 public:
  Completion(const ProgramSpec& program, const NameSource& names)
      : program_(program), names_(names) {}

  std::vector<Candidate> run(std::vector<std::string> words) {
    if (words.empty()) words.emplace_back();
    current_ = std::move(words.back());
    words.pop_back();
    // bash splits --depth=verify at the equals sign.
    std::erase(words, "=");
    if (current_ == "=") current_.clear();
    before_ = std::move(words);
    read_words();
    if (value_of_ != nullptr) {
      values(value_of_->choices, value_of_->words);
    } else if (!options_ended_ && current_.starts_with('-')) {
      options();
    } else if (command_ == nullptr) {
      commands();
    } else if (const ArgumentSpec* argument = next_argument()) {
      values(argument->choices, argument->words);
    }
    return std::move(found_);
  }

 private:
  const OptionSpec* find_option(std::string_view word) const {
    const auto matches = [word](const OptionSpec& option) {
      return word == option.name || (word == option.short_name && !word.empty());
    };
    if (command_ != nullptr) {
      const auto own = std::ranges::find_if(command_->options, matches);
      if (own != command_->options.end()) return &*own;
    }
    const auto shared = std::ranges::find_if(program_.options, matches);
    return shared == program_.options.end() ? nullptr : &*shared;
  }

  void read_words() {
    for (const std::string& word : before_) {
      if (value_of_ != nullptr) {
        value_of_ = nullptr;
      } else if (!options_ended_ && word == "--") {
        options_ended_ = true;
      } else if (!options_ended_ && word.starts_with('-')) {
        const OptionSpec* option = find_option(word);
        if (option != nullptr && !option->value.empty()) value_of_ = option;
      } else if (command_ != nullptr) {
        ++arguments_;
      } else {
        path_ += path_.empty() ? word : " " + word;
        command_ = find_command(program_, path_);
      }
    }
  }

  const ArgumentSpec* next_argument() const {
    const auto& rows = command_->arguments;
    if (arguments_ < rows.size()) return &rows[arguments_];
    return !rows.empty() && rows.back().many ? &rows.back() : nullptr;
  }

  void add(std::string_view word, std::string_view text = {}) {
    if (word.starts_with(current_)) found_.push_back({std::string(word), std::string(text)});
  }

  void options() {
    if (command_ != nullptr) {
      for (const OptionSpec& option : command_->options) add(option.name, option.help);
    }
    for (const OptionSpec& option : program_.options) add(option.name, option.help);
    add("--help", "show help");
  }

  void commands() {
    std::vector<std::string_view> seen;
    for (const CommandSpec& command : program_.commands) {
      if (command.hidden) continue;
      const std::size_t space = command.path.find(' ');
      if (path_.empty()) {
        const std::string_view first = command.path.substr(0, space);
        if (std::ranges::find(seen, first) != seen.end()) continue;
        seen.push_back(first);
        add(first, space == std::string_view::npos ? command.summary : std::string_view());
      } else if (space != std::string_view::npos && command.path.substr(0, space) == path_) {
        add(command.path.substr(space + 1), command.summary);
      }
    }
  }

  void values(const std::vector<std::string_view>& choices, Words words) {
    for (const std::string_view choice : choices) add(choice);
    if (words == Words::none) return;
    if (words == Words::files) {
      found_.push_back({std::string(kFiles), {}});
    } else if (words == Words::commands) {
      // `help run st`: what was said after `help` is the path.
      path_.clear();
      for (auto word = before_.end() - static_cast<std::ptrdiff_t>(arguments_);
           word != before_.end(); ++word) {
        path_ += path_.empty() ? *word : " " + *word;
      }
      commands();
    } else if (names_) {
      for (const std::string& name : names_(words, before_)) {
        if (is_plain(name)) add(name);
      }
    }
  }

  const ProgramSpec& program_;
  const NameSource& names_;
  std::string current_;
  std::vector<std::string> before_;
  std::string path_;
  const CommandSpec* command_ = nullptr;
  const OptionSpec* value_of_ = nullptr;
  std::size_t arguments_ = 0;
  bool options_ended_ = false;
  std::vector<Candidate> found_;
};

}  // namespace

std::vector<Candidate> complete(const ProgramSpec& program, const std::vector<std::string>& words,
                                const NameSource& names) {
  return Completion(program, names).run(words);
}

std::optional<std::string> completion_script(const ProgramSpec& program, std::string_view shell) {
  if (shell == "bash") return fill(kBash, program);
  if (shell == "zsh") return fill(kZsh, program);
  if (shell == "fish") return fill(kFish, program);
  return std::nullopt;
}

}  // namespace rad::cli
