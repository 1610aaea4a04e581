// Lines of JSON-RPC 2.0 to messages and back. Pure: no I/O, no state but LineSplitter's buffer.
// Hostile input is expected on both sides; every reader answers Reason::plugin_protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

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

/// What to answer to a line that is no message.
struct BadLine {
  int code = kParseError;  ///< kParseError or kInvalidRequest
  std::int64_t id = 0;     ///< the id that the line named, 0 if it cannot be told
};

/// One line (without its newline) to a message. A null or missing id in an error answer is 0.
/// \param bad  filled in when the result is an error, if given.
Result<Message> decode(std::string_view line, BadLine* bad = nullptr);
/// With the closing newline; text that is not UTF-8 is made valid. The result may be longer than
/// kMaxLineBytes: who sends it has to look.
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
  std::size_t start_ = 0;  ///< of the next line to hand out
  std::size_t tail_ = 0;   ///< of the line that has no newline yet
  bool broken_ = false;
};

boost::json::object to_json(const PluginInfo& value);
boost::json::object to_json(const InitializeParams& value);
boost::json::object to_json(const PreflightResult& value);
boost::json::object to_json(const ReadResult& value);
boost::json::object to_json(const RestoreResult& value);
boost::json::object to_json(const StartResult& value);
boost::json::object to_json(const ListedBackup& value);
boost::json::object to_json(const BackupsResult& value);
boost::json::object to_json(const CheckParams& value);
boost::json::object to_json(const CheckResult& value);
boost::json::object to_json(const DiagnoseParams& value);
boost::json::object to_json(const DiagnoseResult& value);
boost::json::object to_json(const CleanupResult& value);
boost::json::object to_json(const GcParams& value);
boost::json::object to_json(const GcResult& value);
boost::json::object to_json(const Progress& value);
boost::json::object to_json(const LogLine& value);

/// from_json<T>(object) for every T above. Missing or null fields get their default unless
/// PROTOCOL.md calls them required; texts of plugins are cut and made printable.
template <class T>
Result<T> from_json(const boost::json::object& object);

/// Content of CheckResult::outcomes_file: a JSON array of outcomes, at most kMaxFileOutcomes.
inline constexpr std::size_t kMaxFileOutcomes = 100'000;
std::string encode_outcomes(const std::vector<CheckOutcome>& outcomes);
Result<std::vector<CheckOutcome>> decode_outcomes(std::string_view text);

}  // namespace rad::protocol
