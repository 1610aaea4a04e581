#include "agent/cli/radctl/event_stream.h"

#include <charconv>
#include <cstdint>

#include <curl/curl.h>
#include <fmt/format.h>

namespace rad::radctl {
namespace {

constexpr std::size_t kLongestLine = 16U << 20U;

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<ServerEvent> EventParser::feed(std::string_view bytes) {
  std::vector<ServerEvent> out;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > kLongestLine) {
      too_long_ = true;
    } else {
      line_ += piece;
    }
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    if (!too_long_) take_line(line_, out);
    line_.clear();
    too_long_ = false;
  }
  return out;
}

void EventParser::take_line(std::string_view line, std::vector<ServerEvent>& out) {
  if (line.empty()) {
    if (has_data_) out.push_back(std::move(event_));
    event_ = {};
    has_data_ = false;
    return;
  }
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value =
      colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") {
    event_.type = value;
  } else if (field == "id") {
    event_.number = read_number(value);
  } else if (field == "data" && event_.data.size() + value.size() <= kLongestLine) {
    if (has_data_) event_.data += '\n';
    event_.data += value;
    has_data_ = true;
  }
}

struct EventStream::Impl {
  const Clock& clock;
  std::filesystem::path socket;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{curl_easy_init(), &curl_easy_cleanup};
  std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi{curl_multi_init(),
                                                              &curl_multi_cleanup};
  EventParser parser;
  std::vector<ServerEvent> events;
  std::string body;  ///< of an answer other than 200
  SteadyPoint heard_at;

  long status() const {
    long code = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

  static std::size_t take(char* data, std::size_t size, std::size_t count, void* self) {
    auto& impl = *static_cast<Impl*>(self);
    const std::string_view bytes(data, size * count);
    impl.heard_at = impl.clock.steady_now();
    if (impl.status() != 200) {
      if (impl.body.size() + bytes.size() > (1U << 20U)) return 0;
      impl.body += bytes;
    } else {
      for (ServerEvent& event : impl.parser.feed(bytes)) impl.events.push_back(std::move(event));
    }
    return bytes.size();
  }
};

EventStream::EventStream(const std::filesystem::path& socket, const std::string& path,
                         const Clock& clock)
    : impl_(new Impl{.clock = clock,
                     .socket = socket,
                     .parser = {},
                     .events = {},
                     .body = {},
                     .heard_at = clock.steady_now()}) {
  CURL* easy = impl_->easy.get();
  const std::string url = "http://rad-agent" + path;
  curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, impl_->socket.c_str());
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10'000L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Impl::take);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, impl_.get());
  curl_multi_add_handle(impl_->multi.get(), easy);
}

EventStream::~EventStream() {
  curl_multi_remove_handle(impl_->multi.get(), impl_->easy.get());
}

EventStream::Turn EventStream::wait(std::span<const int> fds, std::chrono::milliseconds limit) {
  Turn turn;
  int running = 0;
  curl_multi_perform(impl_->multi.get(), &running);
  if (running != 0 && impl_->events.empty()) {
    std::vector<curl_waitfd> also;
    for (const int fd : fds) also.push_back({.fd = fd, .events = CURL_WAIT_POLLIN, .revents = 0});
    curl_multi_poll(impl_->multi.get(), also.data(), static_cast<unsigned>(also.size()),
                    static_cast<int>(limit.count()), nullptr);
    curl_multi_perform(impl_->multi.get(), &running);
  }
  turn.events = std::move(impl_->events);
  impl_->events.clear();
  turn.open = impl_->status() == 200;
  if (running != 0) {
    if (impl_->clock.steady_now() - impl_->heard_at < kSilence) return turn;
    turn.ended = true;
    turn.refusal = unreachable(impl_->socket, "does not answer any more");
    return turn;
  }
  turn.ended = true;
  int left = 0;
  const CURLMsg* message = curl_multi_info_read(impl_->multi.get(), &left);
  const long status = impl_->status();
  if (status != 0 && status != 200) {
    turn.refusal = refusal_of(status, impl_->body);
  } else if (message != nullptr && message->data.result != CURLE_OK) {
    turn.refusal = unreachable(
        impl_->socket, fmt::format("broke off: {}", curl_easy_strerror(message->data.result)));
    // A connection that broke is a matter of the agent, whatever the socket says now.
    if (status == 200) turn.refusal->exit_status = kUnreachable;
  }
  return turn;
}

}  // namespace rad::radctl
