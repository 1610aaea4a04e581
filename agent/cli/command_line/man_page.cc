#include "agent/cli/command_line/man_page.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "agent/cli/command_line/help.h"

namespace rad::cli {
namespace {

/// Code points of UTF-8 text; the table is ours, so it is valid.
std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> points;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if ((byte & 0xc0U) == 0x80U && !points.empty()) {
      points.back() = points.back() << 6U | (byte & 0x3fU);
    } else if (byte < 0x80U) {
      points.push_back(byte);
    } else {
      points.push_back(byte & (byte < 0xe0U ? 0x1fU : byte < 0xf0U ? 0x0fU : 0x07U));
    }
  }
  return points;
}

/// Text that roff prints as it stands: no escapes, no requests, hyphens that can be copied, ASCII.
std::string roff(std::string_view text) {
  std::string out;
  for (const std::uint32_t point : code_points(text)) {
    if (point >= 0x80U) {
      out += fmt::format("\\[u{:04X}]", point);
    } else if (point == '\\') {
      out += "\\e";
    } else if (point == '-') {
      out += "\\-";
    } else if (point == '\'') {
      out += "\\(aq";
    } else if (point == '.' && (out.empty() || out.back() == '\n')) {
      out += "\\&.";
    } else {
      out += static_cast<char>(point);
    }
  }
  return out;
}

std::string paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    out += fmt::format(".PP\n{}\n", roff(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return out;
}

std::string tagged(std::string_view tag, std::string_view text) {
  return fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(tag), roff(text));
}

std::string meanings(std::string_view title, const std::vector<MeaningSpec>& rows) {
  if (rows.empty()) return {};
  std::string out = fmt::format(".SH {}\n", title);
  for (const MeaningSpec& row : rows) out += tagged(row.name, row.text);
  return out;
}

std::string command_section(const ProgramSpec& program, const CommandSpec& command) {
  std::string out = fmt::format(".SS \"{}\"\n{}\n", roff(usage_line(program, command)),
                                roff(command.summary) + ".");
  out += paragraphs(command.detail);
  for (const ArgumentSpec& argument : command.arguments) {
    std::string text(argument.help);
    if (!argument.choices.empty()) text += fmt::format(": {}", fmt::join(argument.choices, ", "));
    out += tagged(argument.name, text);
  }
  for (const OptionSpec& option : command.options) {
    out += tagged(option_line(option), option_text(option));
  }
  for (const ExampleSpec& example : command.examples) {
    out += fmt::format(".PP\n{}:\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n", roff(example.text),
                       roff(example.command));
  }
  return out;
}

}  // namespace

std::string man_page(const ProgramSpec& program) {
  std::string title(program.name);
  std::ranges::transform(title, title.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  });
  std::string out = fmt::format(
      ".\\\" Made from the table of commands; do not edit.\n"
      ".TH {} {} \"\" \"rad-agent\" \"rad-agent manual\"\n"
      ".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
      roff(title), program.section, roff(program.name), roff(program.summary));
  for (const CommandSpec& command : program.commands) {
    if (!command.hidden) out += fmt::format("{}\n.br\n", roff(usage_line(program, command)));
  }
  out += ".SH DESCRIPTION\n" + paragraphs(program.description).substr(4);
  out += ".SH OPTIONS\nAccepted before and after every command:\n";
  for (const OptionSpec& option : program.options) {
    out += tagged(option_line(option), option_text(option));
  }
  out += ".SH COMMANDS\n";
  for (const CommandSpec& command : program.commands) {
    if (!command.hidden) out += command_section(program, command);
  }
  out += meanings("EXIT STATUS", program.exit_statuses);
  out += meanings("ENVIRONMENT", program.environment);
  out += meanings("FILES", program.files);
  if (!program.see_also.empty()) {
    out += fmt::format(".SH SEE ALSO\n{}\n",
                       roff(fmt::format("{}", fmt::join(program.see_also, ", "))));
  }
  return out;
}

}  // namespace rad::cli
