// Fields of messages, read and written alike everywhere. Internal to plugins/protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "plugins/protocol/messages.h"

namespace rad::protocol::fields {

inline constexpr std::size_t kMaxList = 10'000;  ///< members of any list in a message
inline constexpr std::size_t kMaxPath = 4096;

inline Error wrong(std::string_view key, std::string_view expected) {
  return fail(Reason::plugin_protocol, fmt::format("field '{}' is not {}", key, expected));
}

/// A list, each member read by `read(value) -> Result<T>`. Missing or null is an empty list.
template <class T, class Read>
Result<std::vector<T>> list(const boost::json::object& object, std::string_view key, Read read) {
  RAD_TRY(const boost::json::array array, json::get_array(object, key));
  if (array.size() > kMaxList) {
    return fail(Reason::plugin_protocol, fmt::format("field '{}' has {} members, at most {} go",
                                                     key, array.size(), kMaxList));
  }
  std::vector<T> members;
  members.reserve(array.size());
  for (const boost::json::value& value : array) {
    auto member = read(value);
    if (!member) return std::move(member).error().within(fmt::format("field '{}'", key));
    members.push_back(*std::move(member));
  }
  return members;
}

/// A list of objects, each read by `read(object) -> Result<T>`.
template <class T, class Read>
Result<std::vector<T>> objects(const boost::json::object& object, std::string_view key, Read read) {
  return list<T>(object, key, [&](const boost::json::value& value) -> Result<T> {
    if (!value.is_object()) return wrong(key, "a list of objects");
    return read(value.get_object());
  });
}

/// A list of texts, made printable and cut.
inline Result<std::vector<std::string>> texts(const boost::json::object& object,
                                              std::string_view key, std::size_t max_bytes = 4000) {
  return list<std::string>(object, key,
                           [&](const boost::json::value& value) -> Result<std::string> {
                             if (!value.is_string()) return wrong(key, "a list of texts");
                             return printable(value.get_string(), max_bytes);
                           });
}

/// A list of words, each parsed by `parse(text) -> optional<T>`.
template <class T, class Parse>
Result<std::vector<T>> words(const boost::json::object& object, std::string_view key, Parse parse) {
  return list<T>(object, key, [&](const boost::json::value& value) -> Result<T> {
    if (!value.is_string()) return wrong(key, "a list of words");
    const auto word = parse(value.get_string());
    if (!word) return wrong(key, fmt::format("known: '{}'", printable(value.get_string(), 60)));
    return *word;
  });
}

/// One word, required.
template <class Parse>
auto word(const boost::json::object& object, std::string_view key, Parse parse)
    -> Result<typename decltype(parse(std::string_view()))::value_type> {
  RAD_TRY(const std::string text, json::get_string(object, key));
  const auto parsed = parse(text);
  if (!parsed) return wrong(key, fmt::format("known: '{}'", printable(text, 60)));
  return *parsed;
}

/// Text of the other side for people: printable, cut; missing is "".
inline Result<std::string> text(const boost::json::object& object, std::string_view key,
                                std::size_t max_bytes = 4000) {
  RAD_TRY(const std::string value, json::get_string(object, key, ""));
  return printable(value, max_bytes);
}

template <class T>
boost::json::array to_array(const std::vector<T>& values) {
  boost::json::array array;
  array.reserve(values.size());
  for (const T& value : values) {
    if constexpr (std::is_same_v<T, std::string>) {
      array.push_back(json::safe_string(value));
    } else if constexpr (std::is_enum_v<T>) {
      array.emplace_back(to_string(value));
    } else if constexpr (std::is_integral_v<T>) {
      array.emplace_back(value);
    } else {
      array.push_back(to_json(value));
    }
  }
  return array;
}

}  // namespace rad::protocol::fields
