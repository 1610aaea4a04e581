#include "agent/cli/command_line/parse.h"

#include <algorithm>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/cli/command_line/help.h"

namespace rad::cli {
namespace {

using Strings = std::vector<std::string>;

ParseStop mistake(std::string text, std::string hint) {
  return {.kind = ParseStop::Kind::mistake, .text = std::move(text), .hint = std::move(hint)};
}

/// Names as people type them: nobody is asked to believe the terminal.
std::string in_quotes(std::string_view text) {
  return fmt::format("'{}'", printable(text, 100));
}

bool is_option(std::string_view word) {
  return word.size() > 1 && word.front() == '-';
}

/// One parse: the rows of the table as CLI11's options, then its values held against the rows.
class Parser {
 public:
  explicit Parser(const ProgramSpec& program)
      : program_(program), app_(std::string(program.summary), std::string(program.name)) {}

  ParseOutcome parse(const Strings& words) {
    if (auto stop = before(words)) return {.parsed = {}, .stop = std::move(*stop)};
    build();
    try {
      app_.parse(Strings(words.rbegin(), words.rend()));
    } catch (const CLI::ParseError& error) {
      return {.parsed = {}, .stop = explain(words, error)};
    }
    Parsed parsed;
    parsed.command = find_parsed();
    if (parsed.command == nullptr) return {.parsed = {}, .stop = no_command(words)};
    take_values(parsed);
    if (auto stop = judge(parsed)) return {.parsed = {}, .stop = std::move(*stop)};
    return {.parsed = std::move(parsed), .stop = {}};
  }

 private:
  struct Bound {
    CLI::Option* option = nullptr;
    std::unique_ptr<Strings> values = std::make_unique<Strings>();
    bool flag = false;
  };

  /// --help and --version count wherever they stand, even where something is missing.
  std::optional<ParseStop> before(const Strings& words) const {
    const auto end = std::find(words.begin(), words.end(), "--");
    for (auto word = words.begin(); word != end; ++word) {
      if (*word == "--version") {
        return ParseStop{.kind = ParseStop::Kind::version,
                         .text = fmt::format("{} {}\n", program_.name, RAD_VERSION),
                         .hint = {}};
      }
      if (*word != "--help" && *word != "-h") continue;
      Strings path = command_words(words);
      while (!path.empty()) {
        if (std::string text = help_on(program_, path); !text.empty()) {
          return ParseStop{.kind = ParseStop::Kind::help, .text = std::move(text), .hint = {}};
        }
        path.pop_back();
      }
      return ParseStop{.kind = ParseStop::Kind::help, .text = program_help(program_), .hint = {}};
    }
    return std::nullopt;
  }

  /// The words that name the command: those that are neither options nor values of options of every
  /// command, at most two.
  Strings command_words(const Strings& words) const {
    Strings found;
    for (std::size_t i = 0; i < words.size() && found.size() < 2; ++i) {
      const auto global = std::ranges::find_if(program_.options, [&](const OptionSpec& option) {
        return !option.value.empty() && (words[i] == option.name || words[i] == option.short_name);
      });
      if (global != program_.options.end()) {
        ++i;
      } else if (!is_option(words[i])) {
        found.push_back(words[i]);
      }
    }
    return found;
  }

  void build() {
    app_.set_help_flag();
    app_.fallthrough();
    app_.require_subcommand(0, 1);
    for (const OptionSpec& option : program_.options) add(app_, option, globals_);
    for (const CommandSpec& command : program_.commands) {
      CLI::App* parent = &app_;
      std::string word(command.path);
      if (const std::size_t space = word.find(' '); space != std::string::npos) {
        parent = noun(word.substr(0, space));
        word.erase(0, space + 1);
      }
      CLI::App* app = parent->add_subcommand(word);
      app->set_help_flag();
      app->fallthrough();
      apps_[&command] = app;
      for (const ArgumentSpec& argument : command.arguments) {
        Bound bound;
        bound.option = app->add_option(std::string(argument.name), *bound.values);
        bound.option->expected(0, argument.many ? 1 << 20 : 1);
        locals_[&command].emplace(argument.name, std::move(bound));
      }
      for (const OptionSpec& option : command.options) add(*app, option, locals_[&command]);
    }
  }

  CLI::App* noun(const std::string& name) {
    CLI::App*& app = nouns_[name];
    if (app == nullptr) {
      app = app_.add_subcommand(name);
      app->set_help_flag();
      app->fallthrough();
      app->require_subcommand(0, 1);
    }
    return app;
  }

  using Bindings = std::map<std::string, Bound, std::less<>>;

  static void add(CLI::App& app, const OptionSpec& option, Bindings& bindings) {
    std::string names(option.name);
    if (!option.short_name.empty()) names += fmt::format(",{}", option.short_name);
    Bound bound;
    bound.flag = option.value.empty();
    bound.option = bound.flag ? app.add_flag(names) : app.add_option(names, *bound.values);
    if (!bound.flag) {
      bound.option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
    bindings.emplace(option.name, std::move(bound));
  }

  const CommandSpec* find_parsed() const {
    for (const auto& [command, app] : apps_) {
      if (app->parsed()) return command;
    }
    return nullptr;
  }

  void take_values(Parsed& parsed) {
    for (Bindings* bindings : {&globals_, &locals_[parsed.command]}) {
      for (auto& [name, bound] : *bindings) {
        if (bound.option->count() == 0) continue;
        // Defaults of CLI11 are empty texts: only what was really given counts.
        parsed.values[name] = bound.flag ? Strings{"true"} : *bound.values;
      }
    }
  }

  std::optional<ParseStop> judge(const Parsed& parsed) const {
    const CommandSpec& command = *parsed.command;
    const std::string usage = usage_line(program_, command);
    for (const ArgumentSpec& argument : command.arguments) {
      if (argument.required && parsed.text(argument.name).empty()) {
        return mistake(fmt::format("{} is missing: {}", argument.name, argument.help), usage);
      }
      // "$RUN" of a script that never set it: not the same as to leave it out.
      if (parsed.has(argument.name) && parsed.text(argument.name).empty()) {
        return mistake(fmt::format("{} is empty: {}", argument.name, argument.help), usage);
      }
      if (auto stop = judge(argument.name, argument.choices, parsed)) return stop;
    }
    for (const auto* options : {&command.options, &program_.options}) {
      for (const OptionSpec& option : *options) {
        if (option.required && !parsed.has(option.name)) {
          return mistake(fmt::format("{} is missing: {}", option.name, option.help),
                         option.why_required.empty() ? usage : std::string(option.why_required));
        }
        if (auto stop = judge(option.name, option.choices, parsed)) return stop;
      }
    }
    return std::nullopt;
  }

  static std::optional<ParseStop> judge(std::string_view name,
                                        const std::vector<std::string_view>& choices,
                                        const Parsed& parsed) {
    const auto value = parsed.given(name);
    if (!value || choices.empty() || std::ranges::find(choices, *value) != choices.end()) {
      return std::nullopt;
    }
    const auto meant = closest(*value, {choices.begin(), choices.end()});
    return mistake(fmt::format("{} cannot be {}: {} are known", name, in_quotes(*value),
                               fmt::join(choices, ", ")),
                   meant ? fmt::format("did you mean '{}'?", *meant)
                         : fmt::format("one of {}", fmt::join(choices, ", ")));
  }

  ParseStop no_command(const Strings& words) const {
    const Strings path = command_words(words);
    if (path.empty()) {
      return mistake("no command was given",
                     fmt::format("'{} help' lists them all", program_.name));
    }
    const auto known = nouns(program_);
    if (std::ranges::find(known, path[0]) != known.end()) return no_verb(path);
    Strings first(known.begin(), known.end());
    for (const CommandSpec& command : program_.commands) {
      if (!command.hidden && command.path.find(' ') == std::string_view::npos) {
        first.emplace_back(command.path);
      }
    }
    const auto meant = closest(path[0], first);
    return mistake(fmt::format("there is no command {}", in_quotes(path[0])),
                   meant ? fmt::format("did you mean '{} {}'?", program_.name, *meant)
                         : fmt::format("'{} help' lists them all", program_.name));
  }

  ParseStop no_verb(const Strings& path) const {
    Strings verbs;
    for (const CommandSpec& command : program_.commands) {
      if (command.path.starts_with(path[0] + " ")) {
        verbs.emplace_back(command.path.substr(path[0].size() + 1));
      }
    }
    const std::string all = fmt::format("{} {} {}", program_.name, path[0], fmt::join(verbs, "|"));
    if (path.size() < 2) return mistake(fmt::format("'{}' is not all of it", path[0]), all);
    const auto meant = closest(path[1], verbs);
    return mistake(
        fmt::format("there is no command {}", in_quotes(path[0] + " " + path[1])),
        meant ? fmt::format("did you mean '{} {} {}'?", program_.name, path[0], *meant) : all);
  }

  ParseStop explain(const Strings& words, const CLI::ParseError& error) const {
    const CommandSpec* command = find_parsed();
    const auto* extras = dynamic_cast<const CLI::ExtrasError*>(&error);
    if (command == nullptr && extras != nullptr) {
      const Strings remaining = app_.remaining(true);
      if (remaining.empty() || !is_option(remaining.front())) return no_command(words);
    }
    // The value of a misspelled option looks like one word too many: the option is the mistake.
    for (const std::string& word : words) {
      if (word == "--") break;
      if (is_option(word) && !is_known(command, word)) return unknown_option(command, word);
    }
    if (extras != nullptr) {
      for (const std::string& word : app_.remaining(true)) {
        return mistake(fmt::format("{} is one word too many", in_quotes(word)),
                       command ? usage_line(program_, *command) : std::string(program_.name));
      }
    }
    std::string text = printable(error.what(), 300);
    for (const ArgumentSpec& argument :
         command != nullptr ? command->arguments : std::vector<ArgumentSpec>{}) {
      if (!text.starts_with(std::string(argument.name) + ":")) continue;
      return mistake(fmt::format("{} is one word, and there are more", argument.name),
                     "put a text with spaces into quotes; " + usage_line(program_, *command));
    }
    for (const OptionSpec& option : options_of(command)) {
      if (!option.value.empty() && text.starts_with(std::string(option.name) + ":")) {
        text = fmt::format("{} needs a value: {}", option.name, option.help);
      }
    }
    return mistake(std::move(text), command ? usage_line(program_, *command)
                                            : fmt::format("'{} help' tells more", program_.name));
  }

  std::vector<OptionSpec> options_of(const CommandSpec* command) const {
    std::vector<OptionSpec> options = program_.options;
    if (command != nullptr) {
      options.insert(options.end(), command->options.begin(), command->options.end());
    }
    return options;
  }

  bool is_known(const CommandSpec* command, std::string_view word) const {
    const std::string_view name = word.substr(0, word.find('='));
    return std::ranges::any_of(options_of(command), [name](const OptionSpec& option) {
      if (name == option.name) return true;
      // -wn5: several short ones may share a word, and a value may follow at once.
      return !name.starts_with("--") && !option.short_name.empty() &&
             name.starts_with(option.short_name);
    });
  }

  ParseStop unknown_option(const CommandSpec* command, const std::string& word) const {
    const std::string name = word.substr(0, word.find('='));
    Strings known{"--help", "--version"};
    for (const OptionSpec& option : options_of(command)) known.emplace_back(option.name);
    const auto meant = closest(name, known);
    const std::string whose =
        command ? fmt::format("{} {}", program_.name, command->path) : std::string(program_.name);
    return mistake(fmt::format("'{}' has no option {}", whose, in_quotes(name)),
                   meant ? fmt::format("did you mean '{}'?", *meant)
                         : fmt::format("'{} --help' lists them", whose));
  }

  const ProgramSpec& program_;
  CLI::App app_;
  Bindings globals_;
  std::map<const CommandSpec*, Bindings> locals_;
  std::map<const CommandSpec*, CLI::App*> apps_;
  std::map<std::string, CLI::App*> nouns_;
};

std::string default_of(const CommandSpec& command, std::string_view name) {
  for (const OptionSpec& option : command.options) {
    if (option.name == name) return std::string(option.default_text);
  }
  return {};
}

}  // namespace

std::string Parsed::text(std::string_view name) const {
  if (auto value = given(name)) return *std::move(value);
  return command == nullptr ? std::string() : default_of(*command, name);
}

std::optional<std::string> Parsed::given(std::string_view name) const {
  const auto found = values.find(name);
  if (found == values.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

ParseOutcome parse_command_line(const ProgramSpec& program, const std::vector<std::string>& words) {
  return Parser(program).parse(words);
}

}  // namespace rad::cli
