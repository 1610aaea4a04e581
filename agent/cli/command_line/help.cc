#include "agent/cli/command_line/help.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/report/layout.h"

namespace rad::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kWidestLabel = 26;

/// Paragraphs broken at spaces.
std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    out += "\n" + labelled("", text.substr(0, end), 0, kWidth, 0);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return out;
}

struct Entry {
  std::string label;
  std::string text;
};

std::string entries(std::string_view title, const std::vector<Entry>& rows) {
  if (rows.empty()) return {};
  std::size_t widest = 0;
  for (const Entry& row : rows) {
    if (columns(row.label) <= kWidestLabel) widest = std::max(widest, columns(row.label));
  }
  std::string out = fmt::format("\n{}:\n", title);
  for (const Entry& row : rows) {
    if (columns(row.label) > widest) {
      out += fmt::format("  {}\n{}", row.label, labelled("", row.text, widest, kWidth));
    } else {
      out += labelled(row.label, row.text, widest, kWidth);
    }
  }
  return out;
}

std::string option_entries(std::string_view title, const std::vector<OptionSpec>& options) {
  std::vector<Entry> rows;
  for (const OptionSpec& option : options)
    rows.push_back({option_line(option), option_text(option)});
  return entries(title, rows);
}

std::string meaning_entries(std::string_view title, const std::vector<MeaningSpec>& meanings) {
  std::vector<Entry> rows;
  for (const MeaningSpec& row : meanings) {
    rows.push_back({std::string(row.name), std::string(row.text)});
  }
  return entries(title, rows);
}

std::string command_entries(const ProgramSpec& program, std::string_view noun) {
  std::vector<Entry> rows;
  for (const CommandSpec& command : program.commands) {
    if (command.hidden) continue;
    if (!noun.empty() && !command.path.starts_with(std::string(noun) + " ")) continue;
    rows.push_back({std::string(command.path), std::string(command.summary)});
  }
  return entries("Commands", rows);
}

}  // namespace

std::string option_line(const OptionSpec& option) {
  std::string line(option.name);
  if (!option.short_name.empty()) line = fmt::format("{}, {}", option.short_name, line);
  if (!option.value.empty()) line += fmt::format(" {}", option.value);
  return line;
}

std::string option_text(const OptionSpec& option) {
  std::string text(option.help);
  if (!option.choices.empty()) text += fmt::format(": {}", fmt::join(option.choices, ", "));
  if (!option.default_text.empty()) text += fmt::format(" (default {})", option.default_text);
  if (option.required) text += " (required)";
  return text;
}

std::string usage_line(const ProgramSpec& program, const CommandSpec& command) {
  std::string line = fmt::format("{} {}", program.name, command.path);
  for (const ArgumentSpec& argument : command.arguments) {
    const std::string name = fmt::format("{}{}", argument.name, argument.many ? "..." : "");
    line += argument.required ? " " + name : fmt::format(" [{}]", name);
  }
  for (const OptionSpec& option : command.options) {
    if (option.required) line += fmt::format(" {} {}", option.name, option.value);
  }
  const bool more = std::ranges::any_of(command.options,
                                        [](const OptionSpec& option) { return !option.required; });
  return more ? line + " [options]" : line;
}

std::string command_help(const ProgramSpec& program, const CommandSpec& command) {
  std::string out = fmt::format("{}\n\n  {}\n", command.summary, usage_line(program, command));
  out += paragraphs(command.detail);
  std::vector<Entry> arguments;
  for (const ArgumentSpec& argument : command.arguments) {
    std::string text(argument.help);
    if (!argument.choices.empty()) text += fmt::format(": {}", fmt::join(argument.choices, ", "));
    arguments.push_back({std::string(argument.name), std::move(text)});
  }
  out += entries("Arguments", arguments);
  out += option_entries("Options", command.options);
  out += option_entries("Options of every command", program.options);
  if (!command.examples.empty()) {
    out += "\nExamples:\n";
    for (const ExampleSpec& example : command.examples) {
      out += fmt::format("  {}\n{}", example.command, labelled("", example.text, 2, kWidth));
    }
  }
  return out;
}

std::string noun_help(const ProgramSpec& program, std::string_view noun) {
  return fmt::format("{0} {1}\n{2}\n'{0} help {1} COMMAND' tells more about each.\n", program.name,
                     noun, command_entries(program, noun));
}

std::string program_help(const ProgramSpec& program) {
  std::string out = fmt::format("{}: {}\n", program.name, program.summary);
  out += paragraphs(program.description);
  out += command_entries(program, "");
  out += option_entries("Options of every command", program.options);
  out += meaning_entries("Exit status", program.exit_statuses);
  out += fmt::format("\n'{} help COMMAND' tells more about each.\n", program.name);
  return out;
}

std::string help_on(const ProgramSpec& program, const std::vector<std::string>& words) {
  if (words.empty()) return program_help(program);
  if (words.size() >= 2) {
    if (const auto* command = find_command(program, words[0] + " " + words[1])) {
      return command_help(program, *command);
    }
  }
  if (const auto* command = find_command(program, words[0])) return command_help(program, *command);
  const auto known = nouns(program);
  if (words.size() == 1 && std::ranges::find(known, words[0]) != known.end()) {
    return noun_help(program, words[0]);
  }
  return {};
}

}  // namespace rad::cli
