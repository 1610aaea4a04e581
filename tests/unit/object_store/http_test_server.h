// A server on 127.0.0.1 that answers as a test tells it, byte by byte.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/base/unique_fd.h"

namespace rad::object_store::test_support {

struct SeenRequest {
  std::string method;
  std::string target;                          ///< path and query as sent
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  unsigned number = 0;  ///< 0 for the first that the server has seen
  /// First and last byte of "Range: bytes=a-b".
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range() const;
};

/// The answering side of one connection.
class Answer {
 public:
  Answer(int fd, const std::atomic<bool>& stopping) : fd_(fd), stopping_(stopping) {}
  void send(std::string_view bytes);
  /// Status line, headers with Content-Length, body; the connection stays open.
  void reply(std::string_view status, std::string_view body, std::string_view headers = "");
  /// As S3 answers a GET of `object` with or without a range.
  void object(const SeenRequest& request, std::string_view object, std::string_view headers = "");
  void close() { closed_ = true; }
  /// Says nothing until the client is gone or the server stops.
  void stall();
  bool closed() const { return closed_; }

 private:
  int fd_;
  const std::atomic<bool>& stopping_;
  bool closed_ = false;
};

class HttpTestServer {
 public:
  using Handler = std::function<void(const SeenRequest&, Answer&)>;
  explicit HttpTestServer(Handler handler);
  ~HttpTestServer();
  HttpTestServer(const HttpTestServer&) = delete;
  HttpTestServer& operator=(const HttpTestServer&) = delete;

  std::string base() const;  ///< "http://127.0.0.1:PORT"
  unsigned port() const { return port_; }
  unsigned requests() const { return requests_.load(); }
  unsigned connections() const { return connections_.load(); }

 private:
  void run();
  void serve(int fd);

  Handler handler_;
  UniqueFd listener_;
  unsigned port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<unsigned> requests_{0};
  std::atomic<unsigned> connections_{0};
  std::mutex mutex_;
  std::list<UniqueFd> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace rad::object_store::test_support
