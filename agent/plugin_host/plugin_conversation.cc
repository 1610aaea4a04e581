#include "agent/plugin_host/plugin_conversation.h"

#include <algorithm>
#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "agent/base/text.h"

namespace rad {
namespace asio = boost::asio;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kLogBytes = 64U << 10U;
/// Notifications of one request beyond this many bytes are a flood, not a conversation.
constexpr std::size_t kFloodBytes = 64U << 20U;
/// A peer that does not take a request in this time does not read.
constexpr std::chrono::seconds kSendLimit(60);
/// Outputs end with the peer; a descriptor that leaked out of it must not hold us for ever.
constexpr std::chrono::seconds kLastWordsLimit(5);

}  // namespace

PluginConversation::PluginConversation(asio::any_io_executor executor, std::string name,
                                       UniqueFd input, UniqueFd output,
                                       std::shared_ptr<PluginPeer> peer)
    : executor_(std::move(executor)),
      name_(std::move(name)),
      input_(executor_, input.release()),
      output_(executor_, output.release()),
      peer_(std::move(peer)),
      changed_(executor_, asio::steady_timer::time_point::max()) {}

std::shared_ptr<PluginConversation> PluginConversation::begin(asio::any_io_executor executor,
                                                              std::string name, UniqueFd input,
                                                              UniqueFd output,
                                                              std::shared_ptr<PluginPeer> peer) {
  std::shared_ptr<PluginConversation> made(new PluginConversation(
      std::move(executor), std::move(name), std::move(input), std::move(output), std::move(peer)));
  const std::weak_ptr<PluginConversation> weak = made;
  made->peer_->watch({.changed =
                          [weak] {
                            if (const auto self = weak.lock()) self->changed_.cancel();
                          },
                      .said =
                          [weak](std::string_view text) {
                            if (const auto self = weak.lock()) self->capture(text);
                          }});
  asio::co_spawn(
      made->executor_, [made] { return made->read_output(); }, asio::detached);
  return made;
}

std::string PluginConversation::captured_log() const {
  return log_.size() > kLogBytes ? log_.substr(log_.size() - kLogBytes) : log_;
}

void PluginConversation::capture(std::string_view text) {
  log_.append(text);
  if (log_.size() > 2 * kLogBytes) log_.erase(0, log_.size() - kLogBytes);
}

std::optional<Error> PluginConversation::early_end() const {
  if (peer_->alive() || input_closed_) return std::nullopt;
  return broken_ ? *broken_ : end_error();
}

void PluginConversation::cancel() {
  cancel_wanted_ = true;
  changed_.cancel();
}

void PluginConversation::abandon() {
  peer_->kill();
  close_input();
}

void PluginConversation::close_input() {
  // Closing one of two descriptors of a socket would not tell the peer that nothing more comes.
  if (input_.is_open() && !peer_->end_input()) ::shutdown(input_.native_handle(), SHUT_WR);
  boost::system::error_code ignored;
  input_.close(ignored);
}

asio::awaitable<void> PluginConversation::wait_change(std::optional<SteadyPoint> until) {
  changed_.expires_at(until.value_or(asio::steady_timer::time_point::max()));
  co_await changed_.async_wait(kToken);
}

void PluginConversation::break_off(Error error) {
  if (!broken_) broken_ = std::move(error);
  peer_->kill();
  changed_.cancel();
}

Error PluginConversation::end_error() const {
  Error error =
      fail(Reason::plugin_crashed,
           fmt::format("plugin '{}' ended {} '{}' with {}", name_, calling_ ? "during" : "after",
                       method_.empty() ? "start" : method_, peer_->end_text()),
           "its last words are in the run's log; if it was not killed by hand, report it");
  error.detail = printable(captured_log(), 4000);
  error.retryable = true;
  // The launcher's own words are safe to repeat: no data has been touched yet.
  constexpr std::string_view kLauncher = "error: rad-launch: ";
  const std::string& said = error.detail;
  if (said.starts_with(kLauncher)) {
    error.reason = Reason::host_unfit;
    error.message = fmt::format("plugin '{}' could not be isolated: {}", name_,
                                said.substr(kLauncher.size(), said.find('\n') - kLauncher.size()));
    error.hint = "this host does not allow what rad-launch needs; see docs/adr/0005-isolation.md";
    error.retryable = false;
  }
  return error;
}

void PluginConversation::take_notification(const protocol::Notification& notification) {
  if (notification.method == "progress") {
    auto progress = protocol::from_json<protocol::Progress>(notification.params);
    if (!progress) return;
    if (progress->bytes_done != last_progress_.bytes_done ||
        progress->bytes_total != last_progress_.bytes_total) {
      last_change_ = clock_.steady_now();
    }
    last_progress_ = *progress;
    if (on_progress_) on_progress_(*progress);
  } else if (notification.method == "log") {
    auto line = protocol::from_json<protocol::LogLine>(notification.params);
    if (!line) return;
    capture(line->level + ": " + line->message + "\n");
    if (on_log_) on_log_(*line);
  }
}

Status PluginConversation::take_line(const std::string& line) {
  auto message = protocol::decode(line);
  if (!message) {
    return std::move(message).error().within(
        fmt::format("plugin '{}' broke the protocol during '{}'", name_, method_));
  }
  if (const auto* notification = std::get_if<protocol::Notification>(&*message)) {
    notified_bytes_ += line.size();
    if (notified_bytes_ > kFloodBytes) {
      return fail(Reason::plugin_protocol,
                  fmt::format("plugin '{}' sent more than {} of notifications during '{}'", name_,
                              format_bytes(kFloodBytes), method_));
    }
    take_notification(*notification);
    return {};
  }
  auto* response = std::get_if<protocol::Response>(&*message);
  if (response == nullptr || !calling_ || response->id != next_id_ || answer_) {
    return fail(Reason::plugin_protocol,
                fmt::format("plugin '{}' sent an answer that nobody asked for: '{}'", name_,
                            printable(line, 200)));
  }
  answer_ = std::move(*response);
  changed_.cancel();
  return {};
}

asio::awaitable<void> PluginConversation::read_output() {
  auto self = shared_from_this();
  protocol::LineSplitter lines;
  std::array<char, 65536> buffer;
  while (!broken_) {
    auto [ec, size] = co_await output_.async_read_some(asio::buffer(buffer), kToken);
    if (ec) break;
    Status status = lines.feed({buffer.data(), size});
    while (status && !broken_) {
      auto line = lines.next();
      if (!line) break;
      status = take_line(*line);
    }
    if (!status) {
      Error error = std::move(status).error();
      error.hint = "the plugin is at fault, not the backup: see its log, update or report it";
      break_off(std::move(error));
    }
  }
  boost::system::error_code ignored;
  output_.close(ignored);
  output_ended_ = true;
  peer_->output_ended();
  changed_.cancel();
}

asio::awaitable<Status> PluginConversation::send(std::string line, SteadyPoint deadline) {
  // A plugin that does not read fills the pipe; the timer breaks the write off by killing it.
  asio::steady_timer guard(executor_, deadline);
  auto self = shared_from_this();
  guard.async_wait([self](boost::system::error_code ec) {
    if (!ec) {
      self->break_off(fail(Reason::timeout,
                           fmt::format("plugin '{}' does not read its requests", self->name_)));
    }
  });
  auto [ec, size] = co_await asio::async_write(input_, asio::buffer(line), kToken);
  guard.cancel();
  if (broken_) co_return *broken_;
  if (ec && !input_closed_) {
    // The reader tells why it is gone; give it a moment to do so.
    while (!output_ended_ || peer_->alive()) {
      peer_->kill();
      co_await wait_change(std::nullopt);
    }
    co_return end_error();
  }
  co_return Status{};
}

void PluginConversation::look_at_limits(Ongoing& ongoing, SteadyPoint now) const {
  const CallLimits& limits = ongoing.limits;
  if (ongoing.limit_error) return;
  if (limits.timeout.count() > 0 && now >= ongoing.begun + limits.timeout) {
    ongoing.limit_error = fail(Reason::timeout,
                               fmt::format("plugin '{}' did not finish '{}' within {}", name_,
                                           method_, format_duration(limits.timeout)),
                               "raise the stage's limit under 'timeouts:' if the backup has grown");
  } else if (limits.stall.count() > 0 && now >= last_change_ + limits.stall) {
    ongoing.limit_error =
        fail(Reason::timeout,
             fmt::format("plugin '{}' made no progress in '{}' for {}", name_, method_,
                         format_duration(limits.stall)),
             "look at the storage and at gpg; agent.stall_timeout sets this limit");
  }
}

std::optional<SteadyPoint> PluginConversation::next_look(const Ongoing& ongoing) const {
  const CallLimits& limits = ongoing.limits;
  if (ongoing.cancelled_at) return *ongoing.cancelled_at + limits.grace;
  std::optional<SteadyPoint> until;
  auto sooner = [&until](SteadyPoint point) { until = until ? std::min(*until, point) : point; };
  if (limits.timeout.count() > 0) sooner(ongoing.begun + limits.timeout);
  if (limits.stall.count() > 0) sooner(last_change_ + limits.stall);
  return until;
}

asio::awaitable<void> PluginConversation::await_answer(Ongoing& ongoing) {
  while (!answer_ && !broken_) {
    if (!peer_->alive() && output_ended_) {
      break_off(end_error());
      co_return;
    }
    const SteadyPoint now = clock_.steady_now();
    look_at_limits(ongoing, now);
    if ((cancel_wanted_ || ongoing.limit_error) && !ongoing.cancelled_at) {
      ongoing.cancelled_at = now;
      // A name of its own: g++ 12 destroys a braced temporary in a co_await expression twice.
      const std::string cancel = protocol::encode(protocol::Notification{"cancel", {}});
      co_await send(cancel, now + ongoing.limits.grace);
      continue;
    }
    if (ongoing.cancelled_at && now >= *ongoing.cancelled_at + ongoing.limits.grace) {
      break_off(ongoing.limit_error.value_or(
          fail(Reason::cancelled,
               fmt::format("plugin '{}' had to be killed: it did not obey 'cancel'", name_))));
      co_return;
    }
    co_await wait_change(next_look(ongoing));
  }
}

asio::awaitable<Result<boost::json::object>> PluginConversation::call(std::string method,
                                                                      boost::json::object params,
                                                                      CallLimits limits) {
  if (broken_) co_return *broken_;
  std::string line = protocol::encode(protocol::Request{++next_id_, method, std::move(params)});
  if (line.size() > protocol::kMaxLineBytes) {
    co_return fail(Reason::internal_error, fmt::format("request '{}' exceeds one line", method));
  }
  auto self = shared_from_this();
  method_ = std::move(method);
  answer_.reset();
  notified_bytes_ = 0;
  last_progress_ = {};
  calling_ = true;
  Ongoing ongoing;
  ongoing.limits = limits;
  ongoing.begun = last_change_ = clock_.steady_now();
  Status sent = co_await send(std::move(line), ongoing.begun + kSendLimit);
  if (!sent) {
    calling_ = false;
    if (!broken_) broken_ = sent.error();
    co_return *broken_;
  }
  co_await await_answer(ongoing);
  calling_ = false;
  cancel_wanted_ = false;
  if (ongoing.limit_error) {
    ongoing.limit_error->retryable = true;
    co_return *ongoing.limit_error;
  }
  if (broken_) co_return *broken_;
  if (answer_->error) co_return std::move(*answer_->error);
  co_return std::move(*answer_->result);
}

asio::awaitable<void> PluginConversation::stop(std::chrono::milliseconds patience) {
  auto self = shared_from_this();
  if (peer_->alive() && !broken_ && !calling_) {
    co_await call("shutdown", {}, CallLimits{patience, std::chrono::milliseconds(0), patience});
  }
  input_closed_ = true;
  close_input();
  enum class Step : std::uint8_t { end_of_input, terminate, kill };
  for (const Step step : {Step::end_of_input, Step::terminate, Step::kill}) {
    if (!peer_->alive()) break;
    if (step == Step::terminate) peer_->terminate();
    if (step == Step::kill) peer_->kill();
    const SteadyPoint until = clock_.steady_now() + patience;
    while (peer_->alive() && (step == Step::kill || clock_.steady_now() < until)) {
      co_await wait_change(until);
    }
  }
  const SteadyPoint until = clock_.steady_now() + kLastWordsLimit;
  while ((!output_ended_ || !peer_->silent()) && clock_.steady_now() < until) {
    co_await wait_change(until);
  }
  boost::system::error_code ignored;
  output_.close(ignored);
  peer_->stop_listening();
}

}  // namespace rad
