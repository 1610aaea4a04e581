// The control API of the agent (agent/control/openapi.yaml) as radctl uses it: HTTP/1.1 on a unix
// socket, by libcurl. Blocking; one thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
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
  std::string detail{};  ///< more lines, to be shown before; "" mostly
};
template <class T>
using Answered = boost::system::result<T, Refusal>;

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
  /// \param limit for an answer; longer for what is known to take longer
  explicit ControlClient(std::filesystem::path socket,
                         std::chrono::milliseconds limit = std::chrono::seconds(30));
  ~ControlClient();
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  /// \param path with its query, encoded: "/v1/runs?limit=1"
  /// \param at_least of time that this answer may take
  Answered<boost::json::object> get(const std::string& path,
                                    std::chrono::milliseconds at_least = {});
  Answered<boost::json::object> post(const std::string& path, const boost::json::object& body,
                                     std::chrono::milliseconds at_least = {});
  /// Asked about once a second while an answer is awaited; true ends the wait with kInterrupted.
  void give_up_when(std::function<bool()> question) { give_up_ = std::move(question); }
  const std::filesystem::path& socket() const noexcept { return socket_; }

 private:
  struct Impl;
  Answered<boost::json::object> call(const std::string& path, const std::string* body,
                                     std::chrono::milliseconds limit);
  std::filesystem::path socket_;
  std::chrono::milliseconds limit_;
  std::function<bool()> give_up_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace rad::radctl
