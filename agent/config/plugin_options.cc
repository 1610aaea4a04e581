#include "agent/config/plugin_options.h"

#include <charconv>
#include <cmath>
#include <optional>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "agent/config/option_value.h"

namespace rad {
namespace {

namespace bj = boost::json;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <class Number>
std::optional<Number> whole_text(std::string_view text, auto... format) {
  Number value{};
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, format...);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bj::value> number_of(std::string_view text) {
  auto digits = text;
  if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || (!is_digit(digits.front()) && digits.front() != '.')) return std::nullopt;
  if (text.starts_with("0x")) {
    const auto value = whole_text<std::int64_t>(text.substr(2), 16);
    return value ? std::optional<bj::value>(*value) : std::nullopt;
  }
  // A backup or file name of digits must not lose its zeros.
  if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1])) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  if (const auto value = whole_text<std::int64_t>(text)) return bj::value(*value);
  const auto value = whole_text<double>(text, std::chars_format::general);
  if (!value || !std::isfinite(*value)) return std::nullopt;
  return bj::value(*value);
}

bj::value plain_scalar(const std::string& text) {
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (auto number = number_of(text)) return *number;
  return bj::value(text);
}

}  // namespace

bj::value to_option_value(const YamlNode& node, const Environment& environment,
                          const ComplainAt& complain) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return nullptr;
    case YamlNode::Kind::scalar: {
      const auto expanded = expand_environment(node.text, environment);
      if (!expanded) {
        complain(node, expanded.error());
        return bj::value(node.text);
      }
      if (node.quoted || *expanded != node.text) return bj::value(*expanded);
      return plain_scalar(node.text);
    }
    case YamlNode::Kind::sequence: {
      bj::array array;
      for (const auto& item : node.items) {
        array.push_back(to_option_value(item, environment, complain));
      }
      return array;
    }
    case YamlNode::Kind::mapping: {
      bj::object object;
      for (const auto& entry : node.entries) {
        object[entry.key] = to_option_value(entry.value, environment, complain);
      }
      return object;
    }
  }
  return nullptr;
}

}  // namespace rad
