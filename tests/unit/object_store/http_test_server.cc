#include "tests/unit/object_store/http_test_server.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace rad::object_store::test_support {

std::optional<std::pair<std::uint64_t, std::uint64_t>> SeenRequest::range() const {
  const auto found = headers.find("range");
  if (found == headers.end()) return std::nullopt;
  unsigned long long first = 0;
  unsigned long long last = 0;
  if (std::sscanf(found->second.c_str(), "bytes=%llu-%llu", &first, &last) != 2)
    return std::nullopt;
  return std::pair<std::uint64_t, std::uint64_t>{first, last};
}

void Answer::send(std::string_view bytes) {
  while (!bytes.empty() && !closed_) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      closed_ = true;
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void Answer::reply(std::string_view status, std::string_view body, std::string_view headers) {
  send(fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n{}\r\n", status, body.size(), headers));
  send(body);
}

void Answer::object(const SeenRequest& request, std::string_view object, std::string_view headers) {
  const auto range = request.range();
  if (!range) return reply("200 OK", object, headers);
  if (range->first >= object.size()) return reply("416 Range Not Satisfiable", "", headers);
  const std::uint64_t last = std::min<std::uint64_t>(range->second, object.size() - 1);
  reply("206 Partial Content", object.substr(range->first, last - range->first + 1),
        fmt::format("Content-Range: bytes {}-{}/{}\r\n{}", range->first, last, object.size(),
                    headers));
}

void Answer::stall() {
  pollfd wait{.fd = fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
  while (!stopping_.load() && ::poll(&wait, 1, 20) == 0) {
  }
  closed_ = true;
}

HttpTestServer::HttpTestServer(Handler handler) : handler_(std::move(handler)) {
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), plain, size) != 0 || ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), plain, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { run(); });
}

HttpTestServer::~HttpTestServer() {
  stopping_.store(true);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const UniqueFd& fd : open_) ::shutdown(fd.get(), SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string HttpTestServer::base() const {
  return fmt::format("http://127.0.0.1:{}", port_);
}

void HttpTestServer::run() {
  pollfd wait{.fd = listener_.get(), .events = POLLIN, .revents = 0};
  while (!stopping_.load()) {
    if (::poll(&wait, 1, 20) <= 0) continue;
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) continue;
    ++connections_;
    const int number = fd.get();
    const std::lock_guard lock(mutex_);
    open_.push_back(std::move(fd));
    threads_.emplace_back([this, number] { serve(number); });
  }
}

void HttpTestServer::serve(int fd) {
  std::string text;
  Answer answer(fd, stopping_);
  while (!answer.closed()) {
    std::size_t end = 0;
    while ((end = text.find("\r\n\r\n")) == std::string::npos) {
      char buffer[4096];
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      text.append(buffer, static_cast<std::size_t>(got));
    }
    SeenRequest request;
    request.number = requests_++;
    std::size_t line_end = text.find("\r\n");
    const std::string first = text.substr(0, line_end);
    request.method = first.substr(0, first.find(' '));
    request.target =
        first.substr(request.method.size() + 1, first.rfind(' ') - request.method.size() - 1);
    while (line_end < end) {
      const std::size_t begin = line_end + 2;
      line_end = text.find("\r\n", begin);
      const std::string line = text.substr(begin, line_end - begin);
      std::string name = line.substr(0, line.find(':'));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      request.headers[name] = line.substr(std::min(line.find(':') + 2, line.size()));
    }
    text.erase(0, end + 4);
    handler_(request, answer);
  }
  ::shutdown(fd, SHUT_RDWR);
}

}  // namespace rad::object_store::test_support
