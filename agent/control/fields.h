// Reading what a client sent, strictly: every field is of the right type and in range, and nothing
// is there that is not understood.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "agent/base/clock.h"
#include "agent/base/error.h"

namespace rad {

/// The fields of a body or a query. The getters answer nothing (or a default) for a field that is
/// missing, null or wrong; check() then says what is wrong with the first of these, or which field
/// nobody has asked for. Errors are config_invalid.
class Fields {
 public:
  /// An empty body has no fields.
  static Result<Fields> from_body(std::string_view body);
  /// "a=1&b=x%20y"; each name once.
  static Result<Fields> from_query(std::string_view query);

  /// One line without control characters, at most kMaxText bytes, not empty.
  std::optional<std::string> text(std::string_view name);
  /// The same; its absence is an error that says `why` it is needed.
  std::string needed_text(std::string_view name, std::string_view why);
  /// The reason for what is asked: at most 500 bytes.
  std::string reason();
  std::optional<std::string> one_of(std::string_view name, const std::vector<std::string>& words);
  std::uint64_t number(std::string_view name, std::uint64_t least, std::uint64_t most,
                       std::uint64_t otherwise);
  /// "4h"; at most `most`.
  std::optional<std::chrono::milliseconds> duration(std::string_view name,
                                                    std::chrono::milliseconds most);
  /// A time as RFC 3339; its absence is an error.
  TimePoint instant(std::string_view name);
  /// Says that the value of `name` is wrong.
  void complain(std::string_view name, std::string message, std::string hint = {});

  Status check() const;

  static constexpr std::size_t kMaxText = 1000;

 private:
  const boost::json::value* find(std::string_view name);

  std::string_view kind_;  ///< "field", "parameter"
  std::map<std::string, boost::json::value, std::less<>> values_;
  std::vector<std::string> known_;
  std::optional<Error> first_error_;
};

}  // namespace rad
