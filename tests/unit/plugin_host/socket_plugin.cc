#include "tests/unit/plugin_host/socket_plugin.h"

#include <array>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

namespace rad::test {
namespace asio = boost::asio;
namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

UniqueFd duplicate(int fd) {
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

}  // namespace

void ConnectionPeer::kill() noexcept {
  ++killed;
  ::shutdown(connection_.get(), SHUT_RDWR);
}

SocketPlugin::SocketPlugin(Script script) : script_(std::move(script)) {
  ::signal(SIGPIPE, SIG_IGN);  // as in the agent
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  UniqueFd near(ends[0]);
  far_.assign(asio::local::stream_protocol(), ends[1]);
  peer = std::make_shared<ConnectionPeer>(duplicate(near.get()));
  UniqueFd second = duplicate(near.get());
  conversation = PluginConversation::begin(loop_.get_executor(), "far", std::move(near),
                                           std::move(second), peer);
  asio::co_spawn(
      loop_, [this] { return run(); }, asio::detached);
}

asio::awaitable<void> SocketPlugin::run() {
  protocol::LineSplitter lines;
  std::array<char, 4096> buffer;
  for (;;) {
    auto [ec, size] = co_await far_.async_read_some(asio::buffer(buffer), kToken);
    if (ec) break;
    EXPECT_TRUE(lines.feed({buffer.data(), size}));
    while (const auto line = lines.next()) {
      const auto message = protocol::decode(*line);
      EXPECT_TRUE(message) << *line;
      if (!message) co_return;
      std::visit(
          [this](const auto& one) {
            if constexpr (requires { one.method; }) heard.push_back(one.method);
          },
          *message);
      const std::string reply = script_(*message);
      if (!reply.empty() && far_.is_open()) {
        co_await asio::async_write(far_, asio::buffer(reply), kToken);
      }
    }
  }
  input_ended = true;
  boost::system::error_code ignored;
  far_.close(ignored);
}

Result<boost::json::object> SocketPlugin::call(std::string method, CallLimits limits) {
  std::optional<Result<boost::json::object>> result;
  asio::co_spawn(loop_, conversation->call(std::move(method), {}, limits),
                 [&](std::exception_ptr, Result<boost::json::object> answered) {
                   result = std::move(answered);
                 });
  loop_.restart();
  while (!result && loop_.run_one_for(std::chrono::seconds(20)) > 0) {
  }
  if (!result) return fail(Reason::internal_error, "the call did not return");
  return *std::move(result);
}

void SocketPlugin::stop() {
  bool stopped = false;
  asio::co_spawn(loop_, conversation->stop(std::chrono::milliseconds(100)),
                 [&](std::exception_ptr) { stopped = true; });
  loop_.restart();
  while (!stopped && loop_.run_one_for(std::chrono::seconds(20)) > 0) {
  }
  EXPECT_TRUE(stopped);
  settle();
}

void SocketPlugin::settle() {
  loop_.restart();
  loop_.poll();
}

void SocketPlugin::write(std::string_view text) {
  EXPECT_EQ(asio::write(far_, asio::buffer(text)), text.size());
}

std::string answer(const protocol::Message& message) {
  const auto* request = std::get_if<protocol::Request>(&message);
  if (request == nullptr) return {};
  protocol::Response response;
  response.id = request->id;
  response.result = boost::json::object{};
  return protocol::encode(response);
}

}  // namespace rad::test
