#include "agent/config/explain.h"

#include <algorithm>
#include <vector>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/config/option_table.h"

namespace rad {
namespace {

bool is_group(const OptionRow& row) {
  return row.type == OptionType::section || row.type == OptionType::list;
}

/// "targets[].name" and "targets.name" are the same to a reader.
std::string without_brackets(std::string_view path) {
  std::string plain;
  for (const char c : generic_path(path)) {
    if (c != '[' && c != ']') plain += c;
  }
  return plain;
}

std::vector<const OptionRow*> matching(std::string_view key) {
  const auto wanted = without_brackets(key);
  std::vector<const OptionRow*> rows;
  if (wanted.empty() && !key.empty()) return rows;
  for (const auto& row : option_table()) {
    const auto path = without_brackets(row.path);
    if (wanted.empty() || path == wanted || path.starts_with(wanted + ".")) rows.push_back(&row);
  }
  if (!rows.empty()) return rows;
  // A single word is enough if it is the last word of keys.
  for (const auto& row : option_table()) {
    if (last_word(row.path) == wanted) rows.push_back(&row);
  }
  return rows;
}

std::string explain_row(const OptionRow& row) {
  std::string text = fmt::format("{}\n    {}\n", row.path, row.summary);
  if (!row.detail.empty()) text += fmt::format("    {}\n", row.detail);
  std::string facts = fmt::format("type {}", to_string(row.type));
  if (const auto range = range_text(row); !range.empty()) facts += fmt::format(" ({})", range);
  if (const auto unit = unit_text(row.type); !unit.empty()) facts += fmt::format("; {}", unit);
  if (row.required) facts += "; required";
  if (!row.default_text.empty()) facts += fmt::format("; default {}", row.default_text);
  if (!row.example.empty()) facts += fmt::format("; for example {}", row.example);
  if (row.secret) facts += "; path to a secret";
  if (!row.reloadable) facts += "; needs a restart";
  return text + fmt::format("    {}\n", facts);
}

std::string indent_of(std::string_view path) {
  std::string indent;
  for (const char c : path) {
    if (c == '.') indent += "  ";
  }
  return indent;
}

/// Lists add their dash, and what is below them is two columns deeper.
std::string example_indent(std::string_view path) {
  std::string indent = indent_of(path);
  for (std::size_t at = path.find("[]"); at != std::string_view::npos;
       at = path.find("[]", at + 2)) {
    indent += "  ";
  }
  return indent;
}

std::string example_value(const OptionRow& row) {
  if (!row.example.empty()) return std::string(row.example);
  if (row.default_text.starts_with('<')) return {};
  return std::string(row.default_text);
}

/// The comment above a key of the example file.
std::string example_comment(const OptionRow& row, const std::string& indent) {
  std::string facts(row.summary);
  if (const auto range = range_text(row); !range.empty()) facts += fmt::format(" ({})", range);
  if (row.required) {
    facts += "; required";
  } else if (!row.default_text.empty()) {
    facts += fmt::format("; default {}", row.default_text);
  }
  return fmt::format("{}# {}\n", indent, facts);
}

bool first_of_list(const OptionRow& row) {
  const auto dot = row.path.rfind('.');
  if (dot == std::string_view::npos || !row.path.substr(0, dot).ends_with("[]")) return false;
  return options_below(row.path.substr(0, dot)).front() == &row;
}

/// The option of a plugin that is shown after the last key of an open section.
std::string_view open_example_after(const OptionRow& row) {
  const auto dot = row.path.rfind('.');
  if (dot == std::string_view::npos) return {};
  const auto parent = row.path.substr(0, dot);
  if (options_below(parent).back() != &row) return {};
  const auto* section =
      find_option(parent.ends_with("[]") ? parent.substr(0, parent.size() - 2) : parent);
  return section == nullptr ? std::string_view{} : section->open_example;
}

std::string markdown_cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

}  // namespace

bool explains(std::string_view key_or_prefix) {
  return !matching(key_or_prefix).empty();
}

std::string explain(std::string_view key_or_prefix) {
  const auto rows = matching(key_or_prefix);
  std::string text;
  for (const auto* row : rows) text += (text.empty() ? "" : "\n") + explain_row(*row);
  if (!rows.empty()) return text;

  std::vector<std::string> candidates;
  for (const auto& row : option_table()) {
    candidates.push_back(without_brackets(row.path));
    candidates.emplace_back(last_word(row.path));
  }
  text = fmt::format("error: there is no key '{}'\n", printable(key_or_prefix, 80));
  const auto near = closest(without_brackets(key_or_prefix), candidates);
  return text + (near ? fmt::format("hint: did you mean '{}'?\n", *near)
                      : "hint: `rad-agent explain` lists all keys\n");
}

std::string example_config() {
  std::string text =
      "# Every option of rad-agent with its default or an example. Made from the option table:\n"
      "# do not edit; `rad-agent explain KEY` says more.\n";
  for (const auto& row : option_table()) {
    const auto indent = example_indent(row.path);
    const std::string key(last_word(row.path));
    if (indent.empty()) text += "\n";
    text += example_comment(row, first_of_list(row) ? indent.substr(2) : indent);
    const auto dashed = first_of_list(row) ? indent.substr(2) + "- " : indent;
    if (is_group(row)) {
      text += fmt::format("{}{}:\n", dashed, key);
    } else if (const auto value = example_value(row); value.empty()) {
      text += fmt::format("{}# {}:\n", dashed, key);
    } else {
      text += fmt::format("{}{}: {}\n", dashed, key, value);
    }
    if (const auto option = open_example_after(row); !option.empty()) {
      text += fmt::format("{0}# an option of the plugin\n{0}{1}\n", indent, option);
    }
  }
  return text;
}

std::string reference_markdown() {
  std::string text =
      "# Configuration\n\n"
      "Made from the option table (`agent/config/option_table.cc`); do not edit by hand.\n\n"
      "The agent reads one YAML file and, beside it, `conf.d/*.yaml` in the order of their names, "
      "each with a list `targets:`.\nStrings may hold `${NAME}` from the environment (`$${` for a "
      "literal `${`). `rad-agent check-config` tells all mistakes at once,\n`rad-agent explain "
      "KEY` "
      "tells what stands here. Durations are `90s`, `15m`, `26h`, `1d12h`; sizes `512MiB`, "
      "`2GiB`.\n`systemctl reload rad-agent` takes a change over, all of it or "
      "nothing; runs that go on keep what they began\nwith. A reload that changes a key marked "
      "*Restart* is refused.\n";
  for (const auto& row : option_table()) {
    if (is_group(row)) {
      text += fmt::format("\n## `{}`\n\n{}{}.{}{}\n", row.path, row.required ? "Required: " : "",
                          row.summary, row.detail.empty() ? "" : " ", row.detail);
      const auto below = options_below(row.type == OptionType::list ? std::string(row.path) + "[]"
                                                                    : std::string(row.path));
      const bool has_values = std::any_of(below.begin(), below.end(),
                                          [](const OptionRow* value) { return !is_group(*value); });
      if (!has_values) continue;
      text += "\n| key | type | default | range | meaning |\n|---|---|---|---|---|\n";
      for (const auto* value : below) {
        if (is_group(*value)) continue;
        const std::string default_text =
            value->required
                ? "required"
                : (value->default_text.empty() ? "" : fmt::format("`{}`", value->default_text));
        text += fmt::format("| `{}` | {} | {} | {} | {}{}{}{} |\n", last_word(value->path),
                            to_string(value->type), default_text, range_text(*value),
                            markdown_cell(value->summary), value->detail.empty() ? "" : ". ",
                            markdown_cell(value->detail), value->reloadable ? "" : " *Restart*");
      }
    }
  }
  return text;
}

boost::json::array option_table_json() {
  boost::json::array rows;
  for (const auto& row : option_table()) {
    rows.push_back(boost::json::object{
        {"path", row.path},
        {"type", to_string(row.type)},
        {"default", row.default_text.empty() ? boost::json::value(nullptr)
                                             : boost::json::value(row.default_text)},
        {"range", range_text(row)},
        {"unit", unit_text(row.type)},
        {"secret", row.secret},
        {"reloadable", row.reloadable},
        {"required", row.required},
        {"summary", row.summary},
        {"detail", row.detail}});
  }
  return rows;
}

}  // namespace rad
