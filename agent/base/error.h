// Error and Result: how every module says that something did not work.
//
// A bad backup travels as an Error whose reason blames the backup (see reason.h); whether that is
// a verdict is decided by agent/run alone. Exceptions cross module seams only for bugs and
// std::bad_alloc; the exceptions of a library are translated in the file that includes it.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <boost/system/result.hpp>

#include "agent/base/reason.h"

namespace rad {

/// Why something could not be done. `message` names the thing, what was found and what was
/// expected, lower case, no full stop; `hint` says what to do next, or is empty.
struct Error {
  Reason reason = Reason::internal_error;
  std::string message;
  std::string hint;
  std::string object;                   ///< object, file or relation at fault; "" if none
  std::optional<std::uint64_t> offset;  ///< byte offset in `object` as stored, where known
  bool retryable = false;               ///< whether trying the same again can help
  std::string detail;                   ///< text of gpg, PostgreSQL or a plugin: untrusted

  /// The same error with "context: " put before the message, once per layer.
  Error within(std::string_view context) && {
    message.insert(0, std::string(context) + ": ");
    return std::move(*this);
  }
};

/// Thrown by Result::value() on an error; its what() is the message.
class ErrorException : public std::runtime_error {
 public:
  explicit ErrorException(Error error)
      : std::runtime_error(error.message), error_(std::move(error)) {}
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw ErrorException(error);
}

template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

/// Shorthand: `return fail(Reason::truncated, "object 'x' ends after 3 of 9 bytes", "hint")`.
inline Error fail(Reason reason, std::string message, std::string hint = {},
                  std::string object = {}) {
  return Error{.reason = reason,
               .message = std::move(message),
               .hint = std::move(hint),
               .object = std::move(object),
               .offset = std::nullopt,
               .retryable = false,
               .detail = {}};
}

}  // namespace rad

/// `RAD_TRY(auto x, f());` : binds the value, or returns the error from the enclosing function.
/// `RAD_CHECK(f());`       : the same for a Status.
#define RAD_TRY_CAT2(a, b) a##b
#define RAD_TRY_CAT(a, b) RAD_TRY_CAT2(a, b)
#define RAD_TRY_IMPL(tmp, decl, expr)      \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  decl = *std::move(tmp)
#define RAD_TRY(decl, ...) RAD_TRY_IMPL(RAD_TRY_CAT(rad_try_, __LINE__), decl, (__VA_ARGS__))
#define RAD_CHECK(...)                                           \
  do {                                                           \
    auto rad_check_tmp = (__VA_ARGS__);                          \
    if (!rad_check_tmp) return std::move(rad_check_tmp).error(); \
  } while (false)
/// The same two inside a coroutine.
#define RAD_CO_TRY_IMPL(tmp, decl, expr)      \
  auto tmp = (expr);                          \
  if (!tmp) co_return std::move(tmp).error(); \
  decl = *std::move(tmp)
#define RAD_CO_TRY(decl, ...) RAD_CO_TRY_IMPL(RAD_TRY_CAT(rad_try_, __LINE__), decl, (__VA_ARGS__))
#define RAD_CO_CHECK(...)                                           \
  do {                                                              \
    auto rad_check_tmp = (__VA_ARGS__);                             \
    if (!rad_check_tmp) co_return std::move(rad_check_tmp).error(); \
  } while (false)
