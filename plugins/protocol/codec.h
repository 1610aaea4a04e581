// Lines of JSON-RPC 2.0 to messages and back. Pure: no I/O, no state but LineSplitter's buffer.
// Hostile input is expected on both sides; every reader answers Reason::plugin_protocol.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "agent/base/error.h"
#include "plugins/protocol/messages.h"

namespace rad::protocol {

// JSON-RPC's own error codes; every other failure is kFailed with an Error in "data".
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kFailed = -32000;

struct Request {
  std::int64_t id = 0;
  std::string method;
  boost::json::object params;
};
struct Notification {
  std::string method;
  boost::json::object params;
};
struct Response {
  std::int64_t id = 0;
  std::optional<boost::json::object> result;
  std::optional<Error> error;  ///< exactly one of the two is set
  int error_code = 0;
};
using Message = std::variant<Request, Notification, Response>;

/// One line (without its newline) to a message. A null or missing id in an error answer is 0.
Result<Message> decode(std::string_view line);
/// With the closing newline.
std::string encode(const Request& message);
std::string encode(const Notification& message);
std::string encode(const Response& message);

/// Cuts a byte stream into lines of at most kMaxLineBytes.
class LineSplitter {
 public:
  /// \return plugin_protocol once a line is too long; then the splitter takes nothing more.
  Status feed(std::string_view bytes);
  std::optional<std::string> next();  ///< the next whole line, without its newline

 private:
  std::string buffer_;
  std::size_t start_ = 0;
  std::size_t scanned_ = 0;
  bool broken_ = false;
};

boost::json::object to_json(const PluginInfo& value);
boost::json::object to_json(const InitializeParams& value);
boost::json::object to_json(const PreflightResult& value);
boost::json::object to_json(const ReadResult& value);
boost::json::object to_json(const RestoreResult& value);
boost::json::object to_json(const StartResult& value);
boost::json::object to_json(const CheckParams& value);
boost::json::object to_json(const CheckResult& value);
boost::json::object to_json(const DiagnoseParams& value);
boost::json::object to_json(const DiagnoseResult& value);
boost::json::object to_json(const CleanupResult& value);
boost::json::object to_json(const GcParams& value);
boost::json::object to_json(const GcResult& value);
boost::json::object to_json(const Progress& value);
boost::json::object to_json(const LogLine& value);

/// from_json<T>(object) for every T above.
template <class T>
Result<T> from_json(const boost::json::object& object);

}  // namespace rad::protocol
