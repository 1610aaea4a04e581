// Answers of the agent as radctl reads them: a field that is missing or of another type is empty,
// so that an older or newer agent is still shown. Every text is printable: control characters of
// the agent, of plugins or of backups never reach the terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "agent/base/clock.h"

namespace rad::radctl {

/// Refers to the object, which outlives it.
class JsonView {
 public:
  JsonView() = default;
  explicit JsonView(const boost::json::object& object) : object_(&object) {}

  std::string text(std::string_view key) const;
  std::uint64_t number(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::optional<TimePoint> time(std::string_view key) const;
  /// Of a field that holds seconds.
  std::optional<std::chrono::milliseconds> seconds(std::string_view key) const;
  bool has(std::string_view key) const;  ///< there, and not null
  JsonView object(std::string_view key) const;
  /// The members that are objects.
  std::vector<JsonView> list(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  const boost::json::object* raw() const noexcept { return object_; }

 private:
  const boost::json::value* find(std::string_view key) const;
  const boost::json::object* object_ = nullptr;
};

}  // namespace rad::radctl
