#include "agent/base/json.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <boost/json/stream_parser.hpp>
#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::json {
namespace {

constexpr std::size_t kMaxDepth = 32;

Error type_error(std::string_view key, std::string_view wanted, const bj::value& found) {
  return fail(Reason::plugin_protocol,
              fmt::format("field '{}' is {} where {} is expected", printable(key, 100),
                          std::string_view(bj::to_string(found.kind())), wanted));
}

Error missing_error(std::string_view key) {
  return fail(Reason::plugin_protocol, fmt::format("field '{}' is missing", printable(key, 100)));
}

/// The value of `key`, or nothing where it is missing or null.
const bj::value* find(const bj::object& object, std::string_view key) {
  const bj::value* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

/// Whether every number can be written again: 1e999 is read as infinite, which JSON cannot say.
bool finite(const bj::value& value) {
  if (const double* number = value.if_double()) return std::isfinite(*number);
  if (const bj::array* array = value.if_array()) return std::ranges::all_of(*array, finite);
  const bj::object* object = value.if_object();
  return object == nullptr || std::ranges::all_of(*object, [](const bj::key_value_pair& member) {
           return finite(member.value());
         });
}

void write_pretty(const bj::value& value, const std::string& indent, std::string& out);

template <class Range, class Write>
void write_list(const Range& range, char open, char close, const std::string& indent,
                std::string& out, Write write) {
  out += open;
  bool first = true;
  for (const auto& member : range) {
    out += first ? "\n" : ",\n";
    first = false;
    out += indent + "  ";
    write(member);
  }
  if (!first) out += "\n" + indent;
  out += close;
}

void write_pretty(const bj::value& value, const std::string& indent, std::string& out) {
  if (const bj::object* object = value.if_object()) {
    write_list(*object, '{', '}', indent, out, [&](const bj::key_value_pair& member) {
      out += bj::serialize(bj::string(member.key()));
      out += ": ";
      write_pretty(member.value(), indent + "  ", out);
    });
  } else if (const bj::array* array = value.if_array()) {
    write_list(*array, '[', ']', indent, out,
               [&](const bj::value& member) { write_pretty(member, indent + "  ", out); });
  } else {
    out += bj::serialize(value);
  }
}

}  // namespace

Result<bj::value> parse(std::string_view text, std::string_view what, Reason reason) {
  bj::parse_options options;
  options.max_depth = kMaxDepth;
  bj::error_code code;
  bj::stream_parser parser(bj::storage_ptr(), options);
  const std::size_t read = parser.write_some(text.data(), text.size(), code);
  if (!code) parser.finish(code);
  if (!code && read < text.size() &&
      text.find_first_not_of(" \t\r\n", read) != std::string_view::npos) {
    code = bj::error::extra_data;
  }
  if (code) {
    return fail(reason, fmt::format("{} is not JSON: {} at byte {}", what, code.message(), read));
  }
  bj::value value = parser.release();
  if (!finite(value)) return fail(reason, fmt::format("{} holds a number out of range", what));
  return value;
}

Result<std::string> get_string(const bj::object& object, std::string_view key,
                               std::optional<std::string> fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) {
    if (fallback) return *std::move(fallback);
    return missing_error(key);
  }
  if (const bj::string* text = value->if_string()) return std::string(text->data(), text->size());
  return type_error(key, "a string", *value);
}

Result<std::int64_t> get_int(const bj::object& object, std::string_view key,
                             std::optional<std::int64_t> fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing_error(key);
  }
  if (const std::int64_t* number = value->if_int64()) return *number;
  return type_error(key, "an integer", *value);
}

Result<std::uint64_t> get_uint(const bj::object& object, std::string_view key,
                               std::optional<std::uint64_t> fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing_error(key);
  }
  if (const std::uint64_t* number = value->if_uint64()) return *number;
  if (const std::int64_t* number = value->if_int64(); number != nullptr && *number >= 0) {
    return static_cast<std::uint64_t>(*number);
  }
  return type_error(key, "an integer of at least 0", *value);
}

Result<double> get_double(const bj::object& object, std::string_view key,
                          std::optional<double> fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing_error(key);
  }
  if (!value->is_number()) return type_error(key, "a number", *value);
  bj::error_code code;
  const auto number = value->to_number<double>(code);
  if (code) return type_error(key, "a number", *value);
  return number;
}

Result<bool> get_bool(const bj::object& object, std::string_view key,
                      std::optional<bool> fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing_error(key);
  }
  if (const bool* flag = value->if_bool()) return *flag;
  return type_error(key, "true or false", *value);
}

Result<bj::object> get_object(const bj::object& object, std::string_view key) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return bj::object();
  if (const bj::object* member = value->if_object()) return *member;
  return type_error(key, "an object", *value);
}

Result<bj::array> get_array(const bj::object& object, std::string_view key) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return bj::array();
  if (const bj::array* member = value->if_array()) return *member;
  return type_error(key, "an array", *value);
}

bj::string safe_string(std::string_view text, std::size_t max_bytes) {
  const std::string fit = printable(text, max_bytes);
  return bj::string(fit.data(), fit.size());
}

std::string pretty(const bj::value& value) {
  std::string out;
  write_pretty(value, "", out);
  out += '\n';
  return out;
}

}  // namespace rad::json
