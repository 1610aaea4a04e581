#include "agent/config/option_check.h"

#include <algorithm>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad {
namespace {

namespace bj = boost::json;

std::string expected_text(const PluginOption& option) {
  if (option.type == "string") return "text";
  if (option.type == "path") return "an absolute path";
  if (option.type == "duration") return "a duration such as 90s, 15m or 26h";
  if (option.type == "bytes") return "a size such as 512, 64KiB or 2GB";
  if (option.type == "integer") return "a whole number";
  if (option.type == "number") return "a number";
  if (option.type == "boolean") return "true or false";
  if (option.type == "list") return "a list";
  if (option.type == "object") return "a mapping";
  if (option.type == "enum") return fmt::format("one of {}", fmt::join(option.allowed, ", "));
  return option.type;
}

std::string_view text_of(const bj::value& value) {
  return value.is_string() ? std::string_view(value.get_string()) : std::string_view();
}

/// The number that a range applies to, as PluginOption::min has it; nothing: not of that type.
std::optional<double> magnitude(const PluginOption& option, const bj::value& value) {
  if (option.type == "duration" && value.is_string()) {
    const auto duration = parse_duration(text_of(value));
    if (duration) return std::chrono::duration<double>(*duration).count();
  } else if (option.type == "bytes" && value.is_string()) {
    const auto bytes = parse_bytes(text_of(value));
    if (bytes) return static_cast<double>(*bytes);
  } else if (option.type == "bytes" || option.type == "integer") {
    if (value.is_int64() && (option.type == "integer" || value.get_int64() >= 0)) {
      return static_cast<double>(value.get_int64());
    }
  } else if (option.type == "number") {
    if (value.is_double()) return value.get_double();
    if (value.is_int64()) return static_cast<double>(value.get_int64());
  }
  return std::nullopt;
}

bool is_quantity(const PluginOption& option) {
  return option.type == "duration" || option.type == "bytes" || option.type == "integer" ||
         option.type == "number";
}

bool right_type(const PluginOption& option, const bj::value& value) {
  if (is_quantity(option)) return magnitude(option, value).has_value();
  if (option.type == "path") return text_of(value).starts_with('/');
  if (option.type == "boolean") return value.is_bool();
  if (option.type == "list") return value.is_array();
  if (option.type == "object") return value.is_object();
  if (option.type == "enum") {
    return std::find(option.allowed.begin(), option.allowed.end(), text_of(value)) !=
           option.allowed.end();
  }
  return value.is_string();
}

std::string bound_text(const PluginOption& option, double bound) {
  if (option.type == "duration") {
    return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(bound * 1000)));
  }
  if (option.type == "bytes") return format_bytes(static_cast<std::uint64_t>(bound));
  return fmt::format("{}", bound);
}

std::string range_text(const PluginOption& option) {
  if (option.min && option.max) {
    return fmt::format("{} to {}", bound_text(option, *option.min),
                       bound_text(option, *option.max));
  }
  if (option.min) return "at least " + bound_text(option, *option.min);
  return option.max ? "at most " + bound_text(option, *option.max) : std::string();
}

std::string found_text(const bj::value& value) {
  if (value.is_object()) return "a mapping";
  if (value.is_array()) return "a list";
  if (value.is_string()) return fmt::format("'{}'", printable(text_of(value), 80));
  return printable(bj::serialize(value), 80);
}

std::string type_hint(const PluginOption& option, const bj::value& value) {
  if (option.type == "string" && !value.is_structured()) return "put the value in quotes";
  if (option.type == "duration" && value.is_number()) return "add the unit: s, m, h, d or w";
  if (option.type == "enum") {
    if (const auto near = closest(text_of(value), option.allowed)) {
      return fmt::format("did you mean '{}'?", *near);
    }
  }
  return {};
}

SourceMark mark_in(const std::map<std::string, SourceMark>& marks, const std::string& key,
                   const SourceMark& otherwise) {
  const auto found = marks.find(key);
  return found == marks.end() ? otherwise : found->second;
}

}  // namespace

void check_plugin_options(const PluginOptions& options, const std::vector<PluginOption>& known,
                          std::string_view what, const std::string& path, const SourceMark& section,
                          std::vector<Diagnostic>& errors) {
  std::vector<std::string> keys;
  for (const auto& option : known) keys.push_back(option.key);
  for (const auto& [key_view, value] : options.values) {
    const std::string key(key_view);
    const auto option = std::find_if(known.begin(), known.end(),
                                     [&](const PluginOption& row) { return row.key == key; });
    Diagnostic diagnostic;
    diagnostic.key = path + "." + printable(key, 80);
    if (option == known.end()) {
      const auto near = closest(key, keys);
      diagnostic.at = mark_in(options.marks, key, section);
      diagnostic.message = fmt::format("{} has no option '{}'", what, printable(key, 80));
      diagnostic.hint = near           ? fmt::format("did you mean '{}'?", *near)
                        : keys.empty() ? fmt::format("{} takes no options", what)
                                       : fmt::format("its options are {}", fmt::join(keys, ", "));
      errors.push_back(std::move(diagnostic));
      continue;
    }
    // null is "not given", as for a plugin.
    if (value.is_null()) continue;
    diagnostic.at = mark_in(options.value_marks, key, section);
    const auto found = option->secret ? std::string("something else") : found_text(value);
    if (!right_type(*option, value)) {
      diagnostic.message = fmt::format("found {}, expected {}", found, expected_text(*option));
      diagnostic.hint = type_hint(*option, value);
      errors.push_back(std::move(diagnostic));
      continue;
    }
    const auto size = magnitude(*option, value);
    if (size && ((option->min && *size < *option->min) || (option->max && *size > *option->max))) {
      diagnostic.message = fmt::format("found {}, expected {}", found, range_text(*option));
      errors.push_back(std::move(diagnostic));
    }
  }
  for (const auto& option : known) {
    const auto* value = options.values.if_contains(option.key);
    if (!option.required || (value != nullptr && !value->is_null())) continue;
    errors.push_back(
        {.at = section,
         .key = path + "." + option.key,
         .message = fmt::format("is missing, {} needs {}", what, expected_text(option)),
         .hint = option.summary.empty() ? "" : "it is " + option.summary});
  }
}

}  // namespace rad
