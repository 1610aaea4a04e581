#include "agent/model/option_rules.h"

#include <algorithm>
#include <array>
#include <limits>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/base/text.h"

namespace rad {
namespace {

namespace bj = boost::json;

/// Longest part of a name or value of the configuration that a message repeats.
constexpr std::size_t kShownBytes = 80;

/// Bounds come from a plugin; this one fits every integer that they are turned into.
constexpr double kLargestBound = 1e18;

struct OptionType {
  std::string_view name;
  std::string_view expected;
};

constexpr std::array<OptionType, 10> kOptionTypes{{
    {"string", "text"},
    {"path", "an absolute path"},
    {"duration", "a duration such as 90s, 15m or 26h"},
    {"bytes", "a size such as 512, 64KiB or 2GB"},
    {"integer", "a whole number"},
    {"number", "a number"},
    {"boolean", "true or false"},
    {"list", "a list"},
    {"object", "a mapping"},
    {"enum", "one of "},
}};

std::string expected_text(const PluginOption& option) {
  const auto* const type = std::ranges::find(kOptionTypes, option.type, &OptionType::name);
  std::string text(type == kOptionTypes.end() ? option.type : type->expected);
  if (option.type == "enum") text += fmt::format("{}", fmt::join(option.allowed, ", "));
  return text;
}

/// The number that a range applies to, as PluginOption::min has it; nothing: not of that type.
std::optional<double> magnitude(const bj::object& options, const PluginOption& option) {
  if (option.type == "duration") {
    if (const auto value = duration_option(options, option.key)) {
      return std::chrono::duration<double>(*value).count();
    }
  } else if (option.type == "bytes") {
    if (const auto value = bytes_option(options, option.key)) return static_cast<double>(*value);
  } else if (option.type == "integer") {
    if (const auto value = integer_option(options, option.key)) return static_cast<double>(*value);
  } else if (option.type == "number") {
    return number_option(options, option.key);
  }
  return std::nullopt;
}

bool is_quantity(const PluginOption& option) {
  return option.type == "duration" || option.type == "bytes" || option.type == "integer" ||
         option.type == "number";
}

bool right_type(const bj::object& options, const bj::value& value, const PluginOption& option) {
  if (is_quantity(option)) return magnitude(options, option).has_value();
  if (option.type == "boolean") return value.is_bool();
  if (option.type == "list") return value.is_array();
  if (option.type == "object") return value.is_object();
  const auto text = text_option(options, option.key);
  if (option.type == "path") return text && text->starts_with('/');
  if (option.type == "enum") {
    return text && std::ranges::find(option.allowed, *text) != option.allowed.end();
  }
  return text.has_value();
}

std::string bound_text(const PluginOption& option, double bound) {
  if (option.type == "duration") {
    const double milliseconds = std::clamp(bound * 1000, -kLargestBound, kLargestBound);
    return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds)));
  }
  if (option.type == "bytes") {
    return format_bytes(static_cast<std::uint64_t>(std::clamp(bound, 0.0, kLargestBound)));
  }
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
  if (value.is_string()) return fmt::format("'{}'", printable(value.get_string(), kShownBytes));
  return printable(bj::serialize(value), kShownBytes);
}

std::string type_hint(const PluginOption& option, const bj::value& value) {
  if (option.type == "string" && !value.is_structured()) return "put the value in quotes";
  if (option.type == "duration" && value.is_number()) return "add the unit: s, m, h, d or w";
  if (option.type == "enum" && value.is_string()) {
    if (const auto near = closest(value.get_string(), option.allowed)) {
      return fmt::format("did you mean '{}'?", *near);
    }
  }
  return {};
}

std::optional<OptionFault> value_fault(const bj::object& options, const bj::value& value,
                                       const PluginOption& option) {
  OptionFault fault{.kind = OptionFault::Kind::wrong_value, .key = option.key};
  fault.found = option.secret ? "something else" : found_text(value);
  if (!right_type(options, value, option)) {
    fault.expected = expected_text(option);
    fault.hint = type_hint(option, value);
    return fault;
  }
  const auto size = magnitude(options, option);
  if (size && ((option.min && *size < *option.min) || (option.max && *size > *option.max))) {
    fault.expected = range_text(option);
    return fault;
  }
  return std::nullopt;
}

OptionFault unknown_fault(std::string_view key, const std::vector<PluginOption>& known,
                          std::string_view what) {
  std::vector<std::string> keys;
  keys.reserve(known.size());
  for (const PluginOption& option : known) keys.push_back(option.key);
  OptionFault fault{.kind = OptionFault::Kind::unknown, .key = std::string(key)};
  const auto near = closest(key, keys);
  fault.hint = near           ? fmt::format("did you mean '{}'?", *near)
               : keys.empty() ? fmt::format("{} takes no options", what)
                              : fmt::format("its options are {}", fmt::join(keys, ", "));
  return fault;
}

}  // namespace

bool is_option_type(std::string_view type) {
  return std::ranges::find(kOptionTypes, type, &OptionType::name) != kOptionTypes.end();
}

std::vector<OptionFault> find_option_faults(const bj::object& options,
                                            const std::vector<PluginOption>& known,
                                            std::string_view what) {
  std::vector<OptionFault> faults;
  for (const auto& [key, value] : options) {
    const auto option = std::ranges::find(known, std::string_view(key), &PluginOption::key);
    if (option == known.end()) {
      faults.push_back(unknown_fault(key, known, what));
    } else if (!value.is_null()) {
      if (auto fault = value_fault(options, value, *option)) faults.push_back(std::move(*fault));
    }
  }
  for (const PluginOption& option : known) {
    const bj::value* value = options.if_contains(option.key);
    if (!option.required || (value != nullptr && !value->is_null())) continue;
    faults.push_back({.kind = OptionFault::Kind::missing,
                      .key = option.key,
                      .expected = expected_text(option),
                      .hint = option.summary.empty() ? "" : "it is " + option.summary});
  }
  return faults;
}

std::optional<std::string> text_option(const bj::object& options, std::string_view key) {
  const bj::value* value = options.if_contains(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

std::optional<std::chrono::milliseconds> duration_option(const bj::object& options,
                                                         std::string_view key) {
  const auto text = text_option(options, key);
  if (!text) return std::nullopt;
  const auto duration = parse_duration(*text);
  if (!duration) return std::nullopt;
  return *duration;
}

std::optional<std::uint64_t> bytes_option(const bj::object& options, std::string_view key) {
  if (const auto number = integer_option(options, key)) {
    return *number >= 0 ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
  }
  const auto text = text_option(options, key);
  if (!text) return std::nullopt;
  const auto bytes = parse_bytes(*text);
  if (!bytes) return std::nullopt;
  return *bytes;
}

std::optional<std::int64_t> integer_option(const bj::object& options, std::string_view key) {
  const bj::value* value = options.if_contains(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_int64()) return *number;
  const auto* large = value->if_uint64();
  if (large != nullptr && *large <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return static_cast<std::int64_t>(*large);
  }
  return std::nullopt;
}

std::optional<double> number_option(const bj::object& options, std::string_view key) {
  const bj::value* value = options.if_contains(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = value->if_double()) return *number;
  if (const auto number = integer_option(options, key)) return static_cast<double>(*number);
  return std::nullopt;
}

std::optional<bool> boolean_option(const bj::object& options, std::string_view key) {
  const bj::value* value = options.if_contains(key);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->get_bool();
}

}  // namespace rad
