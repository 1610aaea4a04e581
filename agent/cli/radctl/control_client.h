// The control API of the agent (agent/control/openapi.yaml) as radctl uses it: HTTP/1.1 on a unix
// socket, by libcurl. Blocking; one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>
#include <boost/system/result.hpp>

namespace rad::radctl {

/// Exit statuses beside those of an ended run (agent/model/run_report.h).
enum ExitStatus : int {
  kOk = 0,
  kUsage = 2,         ///< usage, or a name that does not exist
  kInconclusive = 3,  ///< the agent could not tell
  kUnreachable = 4,
  kNotPermitted = 5,
  kInterrupted = 130,
};

/// Why there is no answer. Texts from the agent are not yet made printable.
struct Refusal {
  int exit_status = kInconclusive;
  std::string reason;  ///< the agent's, or agent_unreachable, not_permitted
  std::string message;
  std::string hint;
};
template <class T>
using Answered = boost::system::result<T, Refusal>;

constexpr std::chrono::seconds kAnswerLimit{30};
constexpr std::size_t kLargestAnswer = 64U << 20U;

/// Why nobody answers on the socket: kUnreachable, or kNotPermitted with the group that may.
/// \param otherwise what to say if a connection is possible after all
Refusal unreachable(const std::filesystem::path& socket, std::string_view otherwise);
/// What an answer other than 2xx says.
Refusal refusal_of(long status, std::string_view body);
/// A name as a segment of a path or the value of a query.
std::string encode(std::string_view text);

class ControlClient {
 public:
  explicit ControlClient(std::filesystem::path socket);
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  /// \param path with its query, encoded: "/v1/runs?limit=1"
  Answered<boost::json::object> get(const std::string& path,
                                    std::chrono::milliseconds limit = kAnswerLimit);
  Answered<boost::json::object> post(const std::string& path, const boost::json::object& body,
                                     std::chrono::milliseconds limit = kAnswerLimit);
  const std::filesystem::path& socket() const noexcept { return socket_; }

 private:
  struct Impl;
  Answered<boost::json::object> call(const std::string& path, const std::string* body,
                                     std::chrono::milliseconds limit);
  std::filesystem::path socket_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad::radctl
