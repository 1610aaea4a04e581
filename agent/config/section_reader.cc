#include "agent/config/section_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "agent/config/option_value.h"
#include "agent/config/plugin_options.h"

namespace rad {
namespace {

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::vector<std::string> names_of(const std::vector<const OptionRow*>& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const auto* row : rows) names.emplace_back(last_word(row->path));
  return names;
}

/// Options elsewhere in the table whose last word is `key`.
std::string elsewhere(std::string_view key) {
  std::vector<std::string> paths;
  for (const auto& row : option_table()) {
    if (last_word(row.path) == key) paths.emplace_back(row.path);
  }
  return fmt::format("{}", fmt::join(paths, ", "));
}

std::string expected_of(const OptionRow& row) {
  if (row.type == OptionType::section) return "a mapping";
  if (row.type == OptionType::list) return "a list of mappings";
  if (row.type == OptionType::boolean) return "true or false";
  if (row.type == OptionType::enumeration) return range_text(row);
  if (row.type == OptionType::name_list) return "a list of names";
  if (row.type == OptionType::integer) return "a whole number";
  return fmt::format("a {}", to_string(row.type));
}

}  // namespace

void SectionReader::read(const YamlNode& root, std::string_view top_keys) {
  if (root.kind == YamlNode::Kind::null) return;
  if (root.kind != YamlNode::Kind::mapping) {
    add_error(at(root), "",
              fmt::format("found {}, expected a mapping with {}", describe(root),
                          top_keys.empty() ? "agent, targets, rotations and reporters" : top_keys));
    return;
  }
  for (const auto& entry : root.entries) {
    const auto* row = find_option(entry.key);
    if (row == nullptr || row->path.find('.') != std::string_view::npos) {
      unknown_key(entry, "", options_below(""));
    } else if (!top_keys.empty() && row->path != top_keys) {
      add_error({file_, entry.line, entry.column}, entry.key,
                fmt::format("found key '{}', expected only '{}' in this file", entry.key, top_keys),
                "put it into the main file");
    } else {
      read_row(entry.value, entry.key, *row);
    }
  }
}

void SectionReader::read_row(const YamlNode& node, const std::string& path, const OptionRow& row) {
  marks_[path] = at(node);
  if (row.type == OptionType::list) {
    read_list(node, path, row);
  } else if (row.type == OptionType::section) {
    if (node.kind == YamlNode::Kind::mapping || node.kind == YamlNode::Kind::null) {
      found_[path] = "";
      read_section(node, path, row.open);
    } else {
      add_error(at(node), path, fmt::format("found {}, expected a mapping", describe(node)));
    }
  } else {
    read_value(node, path, row);
  }
}

void SectionReader::read_list(const YamlNode& node, const std::string& path, const OptionRow& row) {
  if (node.kind == YamlNode::Kind::null) return;
  if (node.kind != YamlNode::Kind::sequence) {
    add_error(at(node), path, fmt::format("found {}, expected a list", describe(node)),
              "begin each element with '- '");
    return;
  }
  counts_[path] = node.items.size();
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const auto& item = node.items[i];
    const auto item_path = fmt::format("{}[{}]", path, i);
    marks_[item_path] = at(item);
    if (item.kind == YamlNode::Kind::mapping) {
      read_section(item, item_path, row.open);
    } else {
      add_error(at(item), item_path, fmt::format("found {}, expected a mapping", describe(item)));
    }
  }
}

void SectionReader::read_section(const YamlNode& node, const std::string& path, bool open) {
  const auto generic = generic_path(path);
  if (generic == "reporters[]" && !reporter_is_known(node, path)) return;
  const auto rows = options_below(generic);
  for (const auto& entry : node.entries) {
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const OptionRow* candidate) {
      return last_word(candidate->path) == entry.key;
    });
    if (row != rows.end()) {
      read_row(entry.value, join(path, entry.key), **row);
    } else if (open) {
      read_option(entry, path);
    } else {
      unknown_key(entry, path, rows);
    }
  }
  for (const auto* row : rows) {
    if (row->required && node.find(last_word(row->path)) == nullptr) missing_key(node, path, *row);
  }
}

bool SectionReader::reporter_is_known(const YamlNode& node, const std::string& path) {
  const auto* kind = node.find("reporter");
  if (kind == nullptr || kind->kind != YamlNode::Kind::scalar) return true;
  const auto& row = *find_option("reporters[].reporter");
  const auto expanded = expand_environment(kind->text, environment_);
  if (expanded && check_value(row, *expanded)) return true;
  // The keys of a reporter that is not known cannot be judged.
  read_row(*kind, join(path, "reporter"), row);
  return false;
}

void SectionReader::read_value(const YamlNode& node, const std::string& path,
                               const OptionRow& row) {
  if (row.type == OptionType::name_list && node.kind == YamlNode::Kind::sequence) {
    read_names(node, path, row);
    return;
  }
  if (node.kind != YamlNode::Kind::scalar) {
    add_error(at(node), path,
              fmt::format("found {}, expected {}", describe(node), expected_of(row)),
              row.default_text.empty() ? "" : "remove the key to get the default");
    return;
  }
  auto expanded = expand_environment(node.text, environment_);
  const auto status = expanded ? check_value(row, *expanded) : Status(expanded.error());
  if (!status) {
    add_error(at(node), path, status.error().message, status.error().hint);
    return;
  }
  found_[path] = *std::move(expanded);
}

void SectionReader::read_names(const YamlNode& node, const std::string& path,
                               const OptionRow& row) {
  if (node.items.empty()) {
    add_error(at(node), path, "found an empty list, expected at least one name");
    return;
  }
  std::string names;
  bool good = true;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const auto& item = node.items[i];
    const auto item_path = fmt::format("{}[{}]", path, i);
    marks_[item_path] = at(item);
    if (item.kind != YamlNode::Kind::scalar) {
      add_error(at(item), item_path, fmt::format("found {}, expected a name", describe(item)));
      good = false;
      continue;
    }
    const auto expanded = expand_environment(item.text, environment_);
    const auto status = expanded ? check_value(row, *expanded) : Status(expanded.error());
    if (!status) add_error(at(item), item_path, status.error().message, status.error().hint);
    good = good && status;
    if (expanded) names += (names.empty() ? "" : ",") + *expanded;
  }
  if (good) found_[path] = std::move(names);
}

void SectionReader::read_option(const YamlEntry& entry, const std::string& path) {
  auto& options = options_[path];
  options.marks[entry.key] = {file_, entry.line, entry.column};
  options.value_marks[entry.key] = at(entry.value);
  const auto complain_at = [&](const YamlNode& node, const Error& error) {
    add_error(at(node), join(path, entry.key), error.message, error.hint);
  };
  options.values[entry.key] = to_option_value(entry.value, environment_, complain_at);
}

void SectionReader::unknown_key(const YamlEntry& entry, const std::string& path,
                                const std::vector<const OptionRow*>& rows) {
  const auto names = names_of(rows);
  std::string hint;
  if (const auto near = closest(entry.key, names)) {
    hint = fmt::format("did you mean '{}'?", *near);
  } else if (const auto others = elsewhere(entry.key); !others.empty()) {
    hint = fmt::format("there is {}", others);
  } else {
    hint = fmt::format("known here: {}", fmt::join(names, ", "));
  }
  const auto key = printable(entry.key, 80);
  add_error({file_, entry.line, entry.column}, join(path, key),
            fmt::format("unknown key '{}'", key), std::move(hint));
}

void SectionReader::missing_key(const YamlNode& node, const std::string& path,
                                const OptionRow& row) {
  const auto name = std::string(last_word(row.path));
  std::string hint = row.example.empty() ? fmt::format("it is {}", row.summary)
                                         : fmt::format("for example {}: {}", name, row.example);
  for (const auto& entry : node.entries) {
    const bool is_known = find_option(join(generic_path(path), entry.key)) != nullptr;
    if (!is_known && closest(entry.key, {name})) {
      hint = fmt::format("did you mean '{}' by '{}'?", name, printable(entry.key, 80));
    }
  }
  add_error(at(node), join(path, name), fmt::format("is missing, expected {}", expected_of(row)),
            std::move(hint));
}

std::string SectionReader::text(const std::string& path) const {
  if (const auto found = found_.find(path); found != found_.end()) return found->second;
  const auto* row = find_option(generic_path(path));
  return row == nullptr ? std::string() : std::string(row->default_text);
}

std::size_t SectionReader::count(const std::string& path) const {
  const auto found = counts_.find(path);
  return found == counts_.end() ? 0 : found->second;
}

const PluginOptions& SectionReader::options(const std::string& path) const {
  static const PluginOptions kNone;
  const auto found = options_.find(path);
  return found == options_.end() ? kNone : found->second;
}

SourceMark SectionReader::mark(const std::string& path) const {
  for (auto key = path;; key = key.substr(0, key.rfind('.'))) {
    if (const auto found = marks_.find(key); found != marks_.end()) return found->second;
    if (key.find('.') == std::string::npos) return {file_, 0, 0};
  }
}

void SectionReader::complain(const std::string& path, std::string message, std::string hint) {
  add_error(mark(path), path, std::move(message), std::move(hint));
}

void SectionReader::add_error(const SourceMark& where, const std::string& path, std::string message,
                              std::string hint) {
  errors_.push_back(
      {.at = where, .key = path, .message = std::move(message), .hint = std::move(hint)});
}

}  // namespace rad
