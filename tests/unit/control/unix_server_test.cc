// The server on a unix socket: the socket file, peers, streams.
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/unique_fd.h"
#include "agent/control/caller_lookup.h"
#include "agent/control/http_server.h"
#include "tests/support/temp_dir.h"

namespace rad::test {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// One blocking connection. Everything gives up after 10 s.
class Client {
 public:
  explicit Client(const fs::path& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  void send(std::string_view text) {
    (void)!::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  /// Until `text` has come, or the connection ends.
  std::string until(std::string_view text) {
    while (received_.find(text) == std::string::npos && receive()) {
    }
    return received_;
  }
  std::string rest() {
    while (receive()) {
    }
    return received_;
  }

 private:
  bool receive() {
    char buffer[16384];
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size > 0) received_.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  }

  UniqueFd fd_;
  bool connected_ = false;
  std::string received_;
};

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
constexpr std::string_view kStream = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

class UnixServerTest : public testing::Test {
 protected:
  UnixServerTest() : path_(dir_.path() / "control.sock") {}

  asio::awaitable<void> ticks(HttpStream& out) {
    ++streams_;
    const std::shared_ptr<void> end(nullptr, [this](void*) { --streams_; });
    asio::steady_timer timer(io_.get_executor());
    for (int i = 1; i <= 3 || endless_; ++i) {
      if (!co_await out.write("tick " + std::to_string(i) + "\n")) co_return;
      timer.expires_after(5ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
  asio::awaitable<void> flood(HttpStream& out) {
    const std::string block(1U << 20U, 'x');
    while (co_await out.write(block)) {
    }
    flood_ended_ = true;
  }
  asio::awaitable<HttpResponse> route(const HttpRequest& request) {
    HttpResponse response;
    if (request.path == "/stream") {
      response.content_type = "text/event-stream";
      response.body = "start\n";
      response.stream = [this](HttpStream& out) { return ticks(out); };
    } else if (request.path == "/flood") {
      response.stream = [this](HttpStream& out) { return flood(out); };
    } else if (request.path == "/throw") {
      response.stream = [](HttpStream&) -> asio::awaitable<void> {
        throw std::runtime_error("x");
        co_return;
      };
    } else if (request.path == "/big") {
      response.body = std::string(4U << 20U, 'b');
    } else {
      response.body = "uid " + std::to_string(request.peer ? request.peer->uid : 99999) + " id " +
                      request.last_event_id;
    }
    co_return response;
  }

  Status listen(HttpLimits limits = {}, HttpHooks hooks = {}) {
    server_ = std::make_unique<HttpServer>(
        io_.get_executor(), UnixSocket{path_, 0660},
        HttpCoroutine([this](const HttpRequest& request) { return route(request); }), limits,
        std::move(hooks));
    return server_->start();
  }
  void start(HttpLimits limits = {}, HttpHooks hooks = {}) {
    const Status started = listen(limits, std::move(hooks));
    ASSERT_TRUE(started) << started.error().message;
    thread_ = std::thread([this] {
      io_.run();
      ran_out_ = true;
    });
  }
  void stop() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] { server_->stop(); });
    thread_.join();
    EXPECT_TRUE(ran_out_) << "something is left waiting after stop()";
  }
  void TearDown() override { stop(); }
  std::string ask(std::string_view request) {
    Client client(path_);
    client.send(request);
    return client.rest();
  }

  TempDir dir_;
  fs::path path_;
  asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
  std::atomic<bool> ran_out_ = false;
  std::atomic<bool> endless_ = false;
  std::atomic<bool> flood_ended_ = false;
  std::atomic<int> streams_ = 0;
};

TEST_F(UnixServerTest, KnowsThePeerAndTheLastEvent) {
  start();
  EXPECT_THAT(ask("GET /x HTTP/1.1\r\nConnection: close\r\nLast-Event-ID: 7\r\n\r\n"),
              EndsWith("uid " + std::to_string(::geteuid()) + " id 7"));
}

TEST_F(UnixServerTest, TheSocketHasItsModeAndGoesWithTheServer) {
  start();
  struct stat found {};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_TRUE(S_ISSOCK(found.st_mode));
  EXPECT_EQ(found.st_mode & 07777U, 0660U);
  stop();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(UnixServerTest, AStaleSocketIsReplaced) {
  {
    const UniqueFd stale(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(stale.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ASSERT_TRUE(fs::exists(path_));
  start();
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(UnixServerTest, ASocketThatIsServedIsLeftAlone) {
  start();
  HttpServer second(io_.get_executor(), UnixSocket{path_, 0600},
                    HttpHandler([](const HttpRequest&) { return HttpResponse(); }));
  const Status started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().reason, Reason::host_unfit);
  EXPECT_THAT(started.error().message, HasSubstr("another program listens"));
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(UnixServerTest, AnythingElseOfThatNameIsLeftAlone) {
  dir_.write("control.sock", "mine");
  const Status started = listen();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("is not a socket"));
  EXPECT_EQ(fs::file_size(path_), 4U);
}

TEST_F(UnixServerTest, AFileThatTookItsPlaceIsNotRemoved) {
  start();
  fs::remove(path_);
  dir_.write("control.sock", "mine");
  stop();
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(UnixServerTest, APathThatIsTooLongIsNamed) {
  path_ = dir_.path() / std::string(120, 'x');
  const Status started = listen();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().reason, Reason::config_invalid);
  EXPECT_THAT(started.error().message, HasSubstr("expected at most 107"));
}

TEST_F(UnixServerTest, ADirectoryThatIsMissingIsNamed) {
  path_ = dir_.path() / "none" / "control.sock";
  const Status started = listen();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("No such file or directory"));
}

TEST_F(UnixServerTest, StreamsInChunks) {
  start();
  const std::string answer = ask(kStream);
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n6\r\nstart\n\r\n7\r\ntick 1\n\r\n7\r\ntick 2\n\r\n"
                               "7\r\ntick 3\n\r\n0\r\n\r\n"));
}

TEST_F(UnixServerTest, StreamsPlainlyToHttp10AndNothingToHead) {
  start();
  EXPECT_THAT(ask("GET /stream HTTP/1.0\r\n\r\n"),
              EndsWith("\r\n\r\nstart\ntick 1\ntick 2\ntick 3\n"));
  EXPECT_THAT(ask("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n"), EndsWith("\r\n\r\n"));
}

TEST_F(UnixServerTest, AHalfClosedClientGetsItsStream) {
  start();
  Client client(path_);
  client.send(kStream);
  client.finish_sending();
  EXPECT_THAT(client.rest(), EndsWith("tick 3\n\r\n0\r\n\r\n"));
}

TEST_F(UnixServerTest, AStreamEndsWhenItsClientGoes) {
  endless_ = true;
  start();
  {
    Client client(path_);
    client.send(kStream);
    EXPECT_THAT(client.until("tick 2"), HasSubstr("tick 2"));
    EXPECT_EQ(streams_, 1);
  }
  for (int i = 0; i < 500 && streams_ != 0; ++i) ::poll(nullptr, 0, 10);
  EXPECT_EQ(streams_, 0);
}

TEST_F(UnixServerTest, AStreamEndsWhenTheServerStops) {
  endless_ = true;
  start();
  Client client(path_);
  client.send(kStream);
  client.until("tick 2");
  Client half_closed(path_);
  half_closed.send(kStream);
  half_closed.finish_sending();
  half_closed.until("tick 2");
  stop();
  EXPECT_EQ(streams_, 0);
  EXPECT_THAT(client.rest(), Not(EndsWith("0\r\n\r\n")));
}

TEST_F(UnixServerTest, AClientThatDoesNotTakeItsStreamIsDropped) {
  start({.response_time = 200ms});
  Client client(path_);
  client.send("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
  for (int i = 0; i < 500 && !flood_ended_; ++i) ::poll(nullptr, 0, 10);
  EXPECT_TRUE(flood_ended_);
}

TEST_F(UnixServerTest, AStreamThatThrowsIsCutOff) {
  start();
  EXPECT_THAT(ask("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(UnixServerTest, WhoIsNotAdmittedIsNotEvenParsed) {
  HttpHooks hooks;
  hooks.admit = [](Peer) -> asio::awaitable<std::optional<HttpResponse>> {
    HttpResponse no;
    no.status = 403;
    no.body = "no";
    co_return no;
  };
  start({}, std::move(hooks));
  EXPECT_THAT(ask("\x01\x02 this is no request"), EndsWith("no"));
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 403"));
}

TEST_F(UnixServerTest, ErrorsOfTheServerAreInTheWordsOfTheHook) {
  HttpHooks hooks;
  hooks.error = [](unsigned status, std::string_view) {
    HttpResponse response;
    response.status = status;
    response.body = "hooked";
    return response;
  };
  start({}, std::move(hooks));
  EXPECT_THAT(ask("garbage\r\n\r\n"), EndsWith("hooked"));
}

TEST_F(UnixServerTest, AUserWhoTakesNoAnswersGetsNoMore) {
  start({.response_time = 5s, .unsent_bytes_per_user = 6U << 20U});
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 2; ++i) {
    slow.push_back(std::make_unique<Client>(path_));
    slow.back()->send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(slow.back()->until("\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 503"));
  slow.clear();
  std::string answer;
  for (int i = 0; i < 500 && !answer.starts_with("HTTP/1.1 200"); ++i) {
    answer = ask(kGet);
    ::poll(nullptr, 0, 5);
  }
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
}

TEST_F(UnixServerTest, ConnectionsOfAUserAreLimited) {
  endless_ = true;
  start({.connections = 100, .connections_per_user = 4});
  std::vector<std::unique_ptr<Client>> followers;
  for (int i = 0; i < 4; ++i) {
    followers.push_back(std::make_unique<Client>(path_));
    followers.back()->send(kStream);
    followers.back()->until("tick 1");
  }
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 503"));
}

TEST(Identify, RootAndOneselfMayAct) {
  const AccessRules rules{"no-such-group", "no-such-group-either"};
  EXPECT_EQ(identify({::geteuid(), ::getegid()}, rules).access, Access::manager);
  const Caller root = identify({0, 0}, rules);
  EXPECT_EQ(root.access, Access::manager);
  EXPECT_EQ(root.user, "root");
}

TEST(Identify, MembersByPrimaryGroup) {
  // uid 1 is daemon in group daemon on every Debian.
  EXPECT_EQ(identify({1, 65534}, {"daemon", "no-such-group"}).access, Access::viewer);
  EXPECT_EQ(identify({1, 65534}, {"no-such-group", "daemon"}).access, Access::manager);
  EXPECT_EQ(identify({1, 65534}, {"daemon", "daemon"}).access, Access::manager);
  EXPECT_EQ(identify({1, 65534}, {"adm", "adm"}).access, Access::none);
  EXPECT_EQ(identify({1, 65534}, {"", ""}).access, Access::none);
}

TEST(Identify, SomebodyWithoutANameHasTheGroupHeCameWith) {
  const Caller caller = identify({4000123, 1}, {"daemon", "adm"});
  EXPECT_EQ(caller.user, "uid 4000123");
  EXPECT_EQ(caller.access, Access::viewer);
  EXPECT_EQ(identify({4000123, 4000123}, {"daemon", "adm"}).access, Access::none);
}

TEST(CallerLookupTest, AnswersManyAtOnceOnTheLoop) {
  asio::io_context io;
  CallerLookup lookup(io.get_executor(), {"daemon", "adm"});
  int answered = 0;
  for (int i = 0; i < 200; ++i) {
    asio::co_spawn(
        io,
        [&, i]() -> asio::awaitable<void> {
          const uid_t uid = i % 2 == 0 ? 1 : 4000123;
          const auto caller = co_await lookup.find({uid, 65534});
          EXPECT_TRUE(caller);
          if (caller) {
            EXPECT_EQ(caller->access, uid == 1 ? Access::viewer : Access::none);
            ++answered;
          }
        },
        asio::detached);
  }
  io.run();
  EXPECT_EQ(answered, 200);
}

TEST(CallerLookupTest, AnswersWithoutDescriptorsAndAsksAnewOnceThereAreSome) {
  asio::io_context io;
  CallerLookup lookup(io.get_executor(), {"daemon", "adm"});
  std::optional<Result<Caller>> root;
  std::optional<Result<Caller>> other;
  const auto ask = [&](uid_t uid, std::optional<Result<Caller>>& into) {
    asio::co_spawn(
        io,
        [&lookup, &into, uid]() -> asio::awaitable<void> {
          into = co_await lookup.find({uid, 65534});
        },
        asio::detached);
    io.restart();
    io.run_for(10s);
  };
  ask(4000123, other);  // the loop has its own descriptors from now on
  {
    std::vector<UniqueFd> taken;
    for (UniqueFd fd(::dup(0)); fd; fd = UniqueFd(::dup(0))) taken.push_back(std::move(fd));
    for (int free = 0; free < 3; ++free) {
      root.reset();
      ask(0, root);
      ASSERT_TRUE(root) << "whoever asks waits for ever with " << free << " descriptors";
      EXPECT_TRUE(*root);
      taken.pop_back();
    }
  }
  ask(1, other);
  ASSERT_TRUE(other && *other);
  EXPECT_EQ((*other)->access, Access::viewer);
}

}  // namespace
}  // namespace rad::test
