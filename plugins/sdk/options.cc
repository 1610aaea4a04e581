#include "plugins/sdk/options.h"

#include <algorithm>
#include <limits>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/base/text.h"

namespace rad::sdk {
namespace {

namespace bj = boost::json;
using protocol::OptionInfo;

/// What is wrong with one section, gathered so that all of it is said at once.
struct Faults {
  std::vector<std::string> messages;
  std::vector<std::string> hints;

  Status status() const {
    if (messages.empty()) return {};
    return fail(Reason::config_invalid, fmt::format("{}", fmt::join(messages, "; ")),
                fmt::format("{}", fmt::join(hints, "; ")));
  }
};

/// The value as a person would recognise it, cut: it may be a whole list.
std::string shown(const bj::value& value) {
  return printable(bj::serialize(value), 60);
}

std::string_view expected(const OptionInfo& option) {
  if (option.type == "string") return "a text";
  if (option.type == "path") return "an absolute path";
  if (option.type == "duration") return "a duration such as 90s, 15m or 26h";
  if (option.type == "bytes") return "a size such as 512, 64KiB or 2GB";
  if (option.type == "integer") return "a whole number";
  if (option.type == "number") return "a number";
  if (option.type == "boolean") return "true or false";
  if (option.type == "list") return "a list";
  if (option.type == "object") return "a mapping";
  return "one of the allowed words";
}

/// The number that a range applies to: seconds, bytes or the value itself.
std::optional<double> magnitude(const bj::object& options, const OptionInfo& option) {
  if (option.type == "duration") {
    if (const auto value = duration_option(options, option.key)) {
      return std::chrono::duration<double>(*value).count();
    }
  } else if (option.type == "bytes") {
    if (const auto value = bytes_option(options, option.key)) return static_cast<double>(*value);
  } else if (option.type == "integer" || option.type == "number") {
    return number_option(options, option.key);
  }
  return std::nullopt;
}

bool right_type(const bj::object& options, const OptionInfo& option) {
  const std::string_view key = option.key;
  if (option.type == "string") return text_option(options, key).has_value();
  if (option.type == "path") return text_option(options, key).value_or("").starts_with('/');
  if (option.type == "duration") return duration_option(options, key).has_value();
  if (option.type == "bytes") return bytes_option(options, key).has_value();
  if (option.type == "integer") return integer_option(options, key).has_value();
  if (option.type == "number") return number_option(options, key).has_value();
  if (option.type == "boolean") return boolean_option(options, key).has_value();
  const bj::value* value = options.if_contains(key);
  if (option.type == "list") return value->is_array();
  if (option.type == "object") return value->is_object();
  return std::ranges::find(option.allowed, text_option(options, key).value_or("")) !=
         option.allowed.end();
}

std::string range_text(const OptionInfo& option) {
  const auto end = [&](double number) {
    if (option.type == "duration") {
      return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(number * 1000)));
    }
    if (option.type == "bytes") return format_bytes(static_cast<std::uint64_t>(number));
    return fmt::format("{}", number);
  };
  if (option.min && option.max) return fmt::format("{} to {}", end(*option.min), end(*option.max));
  return option.min ? "at least " + end(*option.min) : "at most " + end(*option.max);
}

void check_value(const bj::object& options, const OptionInfo& option, std::string_view what,
                 Faults& faults) {
  const bj::value& value = options.at(option.key);
  if (!right_type(options, option)) {
    std::string found = option.secret ? "something else" : shown(value);
    faults.messages.push_back(fmt::format("option '{}' of {} is {}, expected {}", option.key, what,
                                          found, expected(option)));
    if (option.type == "enum") {
      const auto word = text_option(options, option.key);
      const auto near = word ? closest(*word, option.allowed) : std::nullopt;
      faults.hints.push_back(near ? fmt::format("did you mean '{}'? allowed are {}", *near,
                                                fmt::join(option.allowed, ", "))
                                  : fmt::format("allowed are {}", fmt::join(option.allowed, ", ")));
    } else if (option.type == "string" && value.is_number()) {
      faults.hints.push_back(fmt::format("put the value of '{}' in quotes", option.key));
    }
    return;
  }
  const auto size = magnitude(options, option);
  if (size && ((option.min && *size < *option.min) || (option.max && *size > *option.max))) {
    faults.messages.push_back(fmt::format("option '{}' of {} is {}, expected {}", option.key, what,
                                          shown(value), range_text(option)));
  }
}

void check_section(const bj::object& options, const std::vector<OptionInfo>& known,
                   std::string_view what, Faults& faults) {
  std::vector<std::string> keys;
  keys.reserve(known.size());
  for (const OptionInfo& option : known) keys.push_back(option.key);
  for (const auto& [key, value] : options) {
    if (std::ranges::find(keys, std::string_view(key)) != keys.end()) continue;
    faults.messages.push_back(fmt::format("{} has no option '{}'", what, printable(key, 60)));
    if (const auto near = closest(key, keys)) {
      faults.hints.push_back(fmt::format("did you mean '{}'?", *near));
    } else {
      faults.hints.push_back(keys.empty()
                                 ? fmt::format("{} takes no options", what)
                                 : fmt::format("its options are {}", fmt::join(keys, ", ")));
    }
  }
  for (const OptionInfo& option : known) {
    const bj::value* value = options.if_contains(option.key);
    if (value != nullptr && !value->is_null()) {
      check_value(options, option, what, faults);
    } else if (option.required) {
      faults.messages.push_back(fmt::format("option '{}' of {} is missing", option.key, what));
      faults.hints.push_back(fmt::format("'{}' is {}", option.key, expected(option)));
    }
  }
}

}  // namespace

Status check_options(const bj::object& options, const std::vector<OptionInfo>& known,
                     std::string_view what) {
  Faults faults;
  check_section(options, known, what, faults);
  return faults.status();
}

Status check_all_options(const protocol::InitializeParams& params,
                         const protocol::PluginInfo& info) {
  Faults faults;
  check_section(params.options, info.options, fmt::format("plugin '{}'", info.name), faults);
  std::vector<std::string> types;
  types.reserve(info.checks.size());
  for (const protocol::CheckInfo& check : info.checks) types.push_back(check.type);
  for (const protocol::CheckSpec& spec : params.checks) {
    const auto found = std::ranges::find(info.checks, spec.check, &protocol::CheckInfo::type);
    if (found != info.checks.end()) {
      check_section(spec.options, found->options,
                    fmt::format("check '{}'", printable(spec.name, 60)), faults);
      continue;
    }
    faults.messages.push_back(
        fmt::format("plugin '{}' has no check '{}'", info.name, printable(spec.check, 60)));
    const auto near = closest(spec.check, types);
    faults.hints.push_back(near ? fmt::format("did you mean '{}'?", *near)
                                : fmt::format("its checks are {}", fmt::join(types, ", ")));
  }
  return faults.status();
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

}  // namespace rad::sdk
