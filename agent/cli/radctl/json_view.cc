#include "agent/cli/radctl/json_view.h"

#include <cmath>

#include <boost/json/array.hpp>

#include "agent/base/text.h"

namespace rad::radctl {

namespace bj = boost::json;

const bj::value* JsonView::find(std::string_view key) const {
  return object_ == nullptr ? nullptr : object_->if_contains(key);
}

std::string JsonView::text(std::string_view key) const {
  const bj::value* value = find(key);
  if (value == nullptr || !value->is_string()) return {};
  const bj::string& text = value->get_string();
  return printable({text.data(), text.size()}, 4000);
}

std::uint64_t JsonView::number(std::string_view key) const {
  const bj::value* value = find(key);
  if (value == nullptr) return 0;
  if (const auto* positive = value->if_uint64()) return *positive;
  if (const auto* whole = value->if_int64(); whole != nullptr && *whole > 0) {
    return static_cast<std::uint64_t>(*whole);
  }
  return 0;
}

bool JsonView::flag(std::string_view key) const {
  const bj::value* value = find(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<TimePoint> JsonView::time(std::string_view key) const {
  const bj::value* value = find(key);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  const bj::string& text = value->get_string();
  const auto time = parse_time({text.data(), text.size()});
  if (!time) return std::nullopt;
  return *time;
}

std::optional<std::chrono::milliseconds> JsonView::seconds(std::string_view key) const {
  const bj::value* value = find(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const auto number = value->to_number<double>();
  constexpr double kLongest = 1e12;
  if (!std::isfinite(number) || number < 0 || number > kLongest) return std::nullopt;
  return std::chrono::milliseconds(std::llround(number * 1000));
}

bool JsonView::has(std::string_view key) const {
  const bj::value* value = find(key);
  return value != nullptr && !value->is_null();
}

JsonView JsonView::object(std::string_view key) const {
  const bj::value* value = find(key);
  return value != nullptr && value->is_object() ? JsonView(value->get_object()) : JsonView();
}

std::vector<JsonView> JsonView::list(std::string_view key) const {
  std::vector<JsonView> members;
  const bj::value* value = find(key);
  if (value == nullptr || !value->is_array()) return members;
  for (const bj::value& member : value->get_array()) {
    if (member.is_object()) members.emplace_back(member.get_object());
  }
  return members;
}

std::vector<std::string> JsonView::texts(std::string_view key) const {
  std::vector<std::string> found;
  const bj::value* value = find(key);
  if (value == nullptr || !value->is_array()) return found;
  for (const bj::value& member : value->get_array()) {
    if (!member.is_string()) continue;
    const bj::string& text = member.get_string();
    found.push_back(printable({text.data(), text.size()}, 400));
  }
  return found;
}

}  // namespace rad::radctl
