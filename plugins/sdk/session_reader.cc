// The half of Session that runs on the reader's thread.
#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "plugins/sdk/session.h"

namespace rad::sdk {
namespace {

constexpr std::size_t kMaxQueued = 64;

}  // namespace

void Session::read_all() {
  protocol::LineSplitter lines;
  while (true) {
    std::array<pollfd, 3> wanted{
        {{in_fd_, POLLIN, 0}, {signal_.fd(), POLLIN, 0}, {quit_, POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return stop(true);
    }
    if (wanted[2].revents != 0) return;
    if (wanted[1].revents != 0) return stop(false);
    if (wanted[0].revents != 0 && !read_some(lines)) return;
  }
}

bool Session::read_some(protocol::LineSplitter& lines) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(in_fd_, buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) {
    stop(count < 0);
    return false;
  }
  const Status fed = lines.feed({buffer.data(), static_cast<std::size_t>(count)});
  while (const auto line = lines.next()) take(*line);
  if (fed) return true;
  protocol::Response refused;
  refused.error = fed.error();
  refused.error_code = protocol::kParseError;
  output_.write(encode(refused));
  stop(true);
  return false;
}

void Session::take(std::string_view line) {
  protocol::BadLine bad;
  auto message = protocol::decode(line, &bad);
  if (!message) {
    protocol::Response refused;
    refused.id = bad.id;
    refused.error = std::move(message).error();
    refused.error_code = bad.code;
    output_.write(encode(refused));
  } else if (auto* request = std::get_if<protocol::Request>(&*message)) {
    take(std::move(*request));
  } else if (auto* notification = std::get_if<protocol::Notification>(&*message)) {
    if (notification->method == "cancel") cancel(notification->params);
  }
}

void Session::take(protocol::Request request) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() < kMaxQueued) {
      queue_.push_back({std::move(request), false});
      wake_.notify_one();
      return;
    }
  }
  protocol::Response refused;
  refused.id = request.id;
  refused.error_code = protocol::kInvalidRequest;
  refused.error =
      fail(Reason::plugin_protocol, fmt::format("more than {} requests are waiting", kMaxQueued));
  output_.write(encode(refused));
}

void Session::cancel(const boost::json::object& params) {
  const boost::json::value* id = params.if_contains("id");
  const std::int64_t* wanted = id != nullptr ? id->if_int64() : nullptr;
  std::stop_source running(std::nostopstate);
  {
    const std::lock_guard lock(mutex_);
    const auto meant = [wanted](std::int64_t other) {
      return wanted == nullptr || *wanted == other;
    };
    if (current_ != 0 && cancellable_ && meant(current_)) running = stop_;
    for (Queued& item : queue_) {
      if (meant(item.request.id)) item.cancelled = true;
    }
  }
  // Without the lock: what a handler has hung on its token may call back.
  running.request_stop();
}

void Session::stop(bool broken) {
  output_.hurry();
  std::stop_source running(std::nostopstate);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    broken_ = broken_ || broken;
    if (current_ != 0 && cancellable_) running = stop_;
    wake_.notify_one();
  }
  running.request_stop();
}

}  // namespace rad::sdk
