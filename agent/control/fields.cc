#include "agent/control/fields.h"

#include <algorithm>
#include <charconv>

#include <boost/url/params_encoded_view.hpp>
#include <boost/url/parse_query.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rad {
namespace {

namespace bj = boost::json;
namespace urls = boost::urls;

constexpr std::size_t kMaxReason = 500;
constexpr std::size_t kMaxParameters = 32;

Error invalid(std::string message, std::string hint = {}) {
  return fail(Reason::config_invalid, std::move(message), std::move(hint));
}

std::string listed(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

Result<Fields> Fields::from_body(std::string_view body) {
  Fields fields;
  fields.kind_ = "field";
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return fields;
  RAD_TRY(const bj::value value,
          json::parse(body, "the body of the request", Reason::config_invalid));
  const bj::object* const object = value.if_object();
  if (object == nullptr) return invalid("the body of the request is not a JSON object");
  for (const auto& member : *object) {
    fields.values_.insert_or_assign(std::string(member.key()), member.value());
  }
  return fields;
}

Result<Fields> Fields::from_query(std::string_view query) {
  Fields fields;
  fields.kind_ = "parameter";
  if (query.empty()) return fields;
  // Boost.URL 1.81 reads to the first zero byte, whatever the size says.
  const std::string terminated(query);
  const bool has_zero = terminated.find('\0') != std::string::npos;
  const auto parsed = urls::parse_query(terminated);
  if (has_zero || !parsed) {
    return invalid(fmt::format("'{}' is not a query", printable(query, 100)),
                   "write name=value&name=value, with %20 for a space");
  }
  if (parsed->size() > kMaxParameters) return invalid("the query has too many parameters");
  for (const auto& param : *parsed) {
    const auto key = param.key.decode();
    const auto value = param.value.decode();
    const std::string name(key.begin(), key.end());
    if (!fields.values_.try_emplace(name, bj::string(std::string_view(value))).second) {
      return invalid(fmt::format("parameter '{}' is here twice", printable(name, 100)));
    }
  }
  return fields;
}

const bj::value* Fields::find(std::string_view name) {
  known_.emplace_back(name);
  const auto found = values_.find(name);
  return found == values_.end() || found->second.is_null() ? nullptr : &found->second;
}

void Fields::complain(std::string_view name, std::string message, std::string hint) {
  if (!first_error_) {
    first_error_ = invalid(fmt::format("{} '{}' {}", kind_, name, message), std::move(hint));
  }
}

std::optional<std::string> Fields::text(std::string_view name) {
  const bj::value* const value = find(name);
  if (value == nullptr) return std::nullopt;
  const bj::string* const found = value->if_string();
  if (found == nullptr) {
    complain(name, fmt::format("is {}, expected a text", to_string(value->kind()).data()));
    return std::nullopt;
  }
  std::string text(found->data(), found->size());
  if (text.find_first_not_of(' ') == std::string::npos) {
    complain(name, "is empty, expected a text");
    return std::nullopt;
  }
  if (text.size() > kMaxText || printable(text, kMaxText) != text) {
    complain(name, fmt::format("is not one line of at most {} printable bytes", kMaxText));
    return std::nullopt;
  }
  return text;
}

std::string Fields::needed_text(std::string_view name, std::string_view why) {
  const bool had_error = first_error_.has_value();
  auto found = text(name);
  if (!found && !had_error && !first_error_) {
    complain(name, "is missing", std::string(why));
  }
  return std::move(found).value_or("");
}

std::string Fields::reason() {
  std::string found = needed_text("reason", "say why: it stands in the audit and in the report");
  if (found.size() > kMaxReason) {
    complain("reason", fmt::format("has {} bytes, expected at most {}", found.size(), kMaxReason));
  }
  return found;
}

std::optional<std::string> Fields::one_of(std::string_view name,
                                          const std::vector<std::string>& words) {
  auto found = text(name);
  if (!found || std::find(words.begin(), words.end(), *found) != words.end()) return found;
  const auto close = closest(*found, words);
  complain(name, fmt::format("is '{}', expected one of {}", printable(*found, 100), listed(words)),
           close ? fmt::format("did you mean '{}'?", *close) : std::string());
  return std::nullopt;
}

std::uint64_t Fields::number(std::string_view name, std::uint64_t least, std::uint64_t most,
                             std::uint64_t otherwise) {
  const bj::value* const value = find(name);
  if (value == nullptr) return otherwise;
  std::optional<std::uint64_t> found;
  if (value->is_string() && kind_ == "parameter") {
    const std::string_view text = value->get_string();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) found = number;
  } else if (value->is_int64() && value->get_int64() >= 0) {
    found = static_cast<std::uint64_t>(value->get_int64());
  } else if (value->is_uint64()) {
    found = value->get_uint64();
  }
  if (found && *found >= least && *found <= most) return *found;
  complain(name, fmt::format("is {}, expected a number from {} to {}",
                             printable(bj::serialize(*value), 100), least, most));
  return otherwise;
}

std::optional<std::chrono::milliseconds> Fields::duration(std::string_view name,
                                                          std::chrono::milliseconds most) {
  const auto found = text(name);
  if (!found) return std::nullopt;
  const auto duration = parse_duration(*found);
  if (duration && *duration > std::chrono::milliseconds(0) && *duration <= most) return *duration;
  complain(name,
           fmt::format("is '{}', expected a duration of at most {}", printable(*found, 100),
                       format_duration(most)),
           "for example 90s, 15m, 4h or 1d12h");
  return std::nullopt;
}

TimePoint Fields::instant(std::string_view name) {
  const auto time = parse_time(needed_text(name, "an instant as RFC 3339, in UTC"));
  if (!time) complain(name, "is no instant", "for example 2026-11-01T00:00:00Z");
  return time ? *time : TimePoint{};
}

Status Fields::check() const {
  if (first_error_) return *first_error_;
  for (const auto& [name, value] : values_) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const auto close = closest(name, known_);
    std::string hint = close            ? fmt::format("did you mean '{}'?", *close)
                       : known_.empty() ? "nothing is taken here"
                                        : "understood here: " + listed(known_);
    return invalid(fmt::format("{} '{}' is not known", kind_, printable(name, 100)),
                   std::move(hint));
  }
  return {};
}

}  // namespace rad
