// Real sockets: the server runs on a thread of its own, clients block.
#include "agent/control/http_server.h"

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/base/unique_fd.h"

namespace rad::test {
namespace {

using namespace std::chrono_literals;
using testing::AnyOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

namespace asio = boost::asio;

/// One blocking connection. Everything gives up after 10 s.
class Client {
 public:
  explicit Client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval limit{10, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    // sockaddr is the C way to say "any address".
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool connected() const { return connected_; }
  bool send(std::string_view text) {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  /// One answer with Content-Length; what is there when the connection ends, else.
  std::string answer(bool head = false) {
    while (true) {
      const auto end = received_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto field = received_.find("Content-Length: ");
        const std::size_t length =
            head || field == std::string::npos ? 0 : std::stoul(received_.substr(field + 16, 20));
        if (received_.size() >= end + 4 + length) {
          std::string first = received_.substr(0, end + 4 + length);
          received_.erase(0, end + 4 + length);
          return first;
        }
      }
      if (!receive()) return std::exchange(received_, {});
    }
  }
  /// Everything until the server ends the connection. Fails the test when it does not.
  std::string rest() {
    while (receive()) {
    }
    EXPECT_TRUE(ended_) << "the server holds the connection";
    return std::exchange(received_, {});
  }
  bool receive() {
    char buffer[16384];
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size <= 0) {
      ended_ = size == 0 || errno == ECONNRESET;
      return false;
    }
    received_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

 private:
  UniqueFd fd_;
  bool connected_ = false;
  bool ended_ = false;
  std::string received_;
};

constexpr std::string_view kGet = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

class HttpServerTest : public testing::Test {
 protected:
  static asio::ip::tcp::endpoint any_port() { return *resolve_listen_address("127.0.0.1:0"); }

  static HttpResponse route(const HttpRequest& request) {
    if (request.path == "/throw") throw std::runtime_error("secret of the handler");
    if (request.path == "/bad") return {.status = 7};
    if (request.path == "/medium") return {.body = std::string(2U << 20U, 'm')};
    if (request.path == "/big") return {.body = std::string(20U << 20U, 'b')};
    if (request.path != "/metrics") return {.status = 404, .body = "not found\n"};
    return {.body = request.method + " " + request.query + " " + request.body};
  }

  void start(HttpLimits limits = {}) {
    server_ = std::make_unique<HttpServer>(io_.get_executor(), any_port(), route, limits);
    const Status started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
    port_ = server_->port();
    thread_ = std::thread([this] {
      io_.run();
      ran_out_ = true;
    });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] { server_->stop(); });
    thread_.join();
    EXPECT_TRUE(ran_out_) << "something is left waiting after stop()";
  }
  std::string ask(std::string_view request) {
    Client client(port_);
    client.send(request);
    return client.answer();
  }

  asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
  std::atomic<bool> ran_out_ = false;
  std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  start();
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.send("GET /metrics?a=1 HTTP/1.1\r\nHost: x\r\n\r\n"));
    const std::string answer = client.answer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; charset=utf-8\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nGET a=1 "));
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  start();
  Client client(port_);
  client.send(
      "GET /metrics?1 HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics?2 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(client.answer(), EndsWith("GET 1 "));
  EXPECT_THAT(client.answer(), EndsWith("GET 2 "));
}

TEST_F(HttpServerTest, GivesABodyToTheHandler) {
  start();
  EXPECT_THAT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
              EndsWith("POST  hello"));
  EXPECT_THAT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"),
              EndsWith("POST  hello"));
}

TEST_F(HttpServerTest, HeadHasTheLengthButNoBody) {
  start();
  Client client(port_);
  client.send("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answer = client.answer(true);
  EXPECT_THAT(answer, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
  client.send(kGet);
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, Http10AndCloseEndTheConnection) {
  start();
  for (const char* request : {"GET /metrics HTTP/1.0\r\n\r\n",
                              "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"}) {
    Client client(port_);
    client.send(request);
    EXPECT_THAT(client.rest(), HasSubstr("200 OK"));
  }
}

TEST_F(HttpServerTest, TakesTheAbsoluteForm) {
  start();
  EXPECT_THAT(ask("GET http://host:1/metrics?q HTTP/1.1\r\nHost: x\r\n\r\n"), EndsWith("GET q "));
}

TEST_F(HttpServerTest, AHandlerThatThrowsIsA500WithoutItsSecret) {
  start();
  for (const char* path : {"/throw", "/bad"}) {
    const std::string answer = ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 500"));
    EXPECT_THAT(answer, Not(HasSubstr("secret")));
  }
}

TEST_F(HttpServerTest, GarbageIsToldAndTheNextClientServed) {
  start();
  std::mt19937 random(20261120);
  for (int round = 0; round < 50; ++round) {
    std::string garbage(1 + random() % 2000, '\0');
    for (auto& c : garbage) c = static_cast<char>(random());
    Client client(port_);
    client.send(garbage);
    client.finish_sending();
    const std::string answer = client.rest();
    EXPECT_THAT(answer, AnyOf(IsEmpty(), StartsWith("HTTP/1.1 4")));
  }
  EXPECT_THAT(ask("\x16\x03\x01\x02garbage\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AnOversizedHeaderIs431) {
  start();
  Client client(port_);
  client.send("GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n");
  EXPECT_THAT(client.rest(), StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, TheLimitOfTheHeaderIsTheOneThatWasAskedFor) {
  start({.header_bytes = 1000});
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nX: " + std::string(700, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("GET /metrics HTTP/1.1\r\nX: " + std::string(1300, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, AnOversizedBodyIs413WhetherAnnouncedOrNot) {
  start();
  Client announced(port_);
  announced.send("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n");
  EXPECT_THAT(announced.rest(), StartsWith("HTTP/1.1 413"));
  Client chunked(port_);
  chunked.send("POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.send("11171\r\n" + std::string(0x11171, 'x') + "\r\n0\r\n\r\n");
  EXPECT_THAT(chunked.rest(), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, ASlowClientIsToldAndHoldsUpNobody) {
  start({.request_time = 300ms});
  Client slow(port_);
  slow.send("GET /metr");
  Client silent(port_);
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(slow.rest(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(silent.rest(), "");
}

TEST_F(HttpServerTest, BytesOneByOneDoNotWinTime) {
  start({.request_time = 300ms});
  Client slow(port_);
  const auto began = std::chrono::steady_clock::now();
  for (const char c : std::string_view("GET /metrics HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxx")) {
    if (!slow.send({&c, 1})) break;
    ::poll(nullptr, 0, 20);
  }
  EXPECT_THAT(slow.rest(), StartsWith("HTTP/1.1 408"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(HttpServerTest, AnIdleConnectionEnds) {
  start({.idle_time = 200ms});
  Client client(port_);
  client.send(kGet);
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(client.rest(), "");
}

TEST_F(HttpServerTest, AClientThatDoesNotReadIsDroppedAndHoldsUpNobody) {
  start({.response_time = 300ms});
  Client client(port_);
  client.send("GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
  ::poll(nullptr, 0, 600);
  EXPECT_LT(client.rest().size(), 20U << 20U);
}

TEST_F(HttpServerTest, ABigAnswerArrivesWhole) {
  start();
  EXPECT_GT(ask("GET /big HTTP/1.1\r\nHost: x\r\n\r\n").size(), 20U << 20U);
}

TEST_F(HttpServerTest, SilentClientsCannotShutOutThoseWhoAsk) {
  start({.connections = 8});
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 50; ++i) {
    silent.push_back(std::make_unique<Client>(port_));
    ASSERT_TRUE(silent.back()->connected());
    if (i % 3 == 0) silent.back()->send("GET /metr");
  }
  for (int i = 0; i < 20; ++i) EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(silent.front()->rest(), "");
}

TEST_F(HttpServerTest, ManyClientsAtOnceAreAllAnswered) {
  start();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        if (ask(kGet).starts_with("HTTP/1.1 200")) ++good;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 400);
}

TEST_F(HttpServerTest, ClientsThatVanishAreForgotten) {
  start();
  for (int i = 0; i < 200; ++i) {
    Client client(port_);
    client.send(i % 2 == 0 ? "GET /medium HTTP/1.1\r\nHost: x\r\n\r\n" : "GET /m");
  }
  EXPECT_THAT(ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, CurlIsContent) {
  const auto curl = find_program("curl");
  if (!curl) GTEST_SKIP() << "curl is not installed";
  start();
  const std::string url = "http://127.0.0.1:" + std::to_string(port_) + "/metrics";
  ChildSpec spec;
  spec.program = *curl;
  spec.args = {"-sS", "--max-time", "10", "--data-binary", std::string(2000, 'x'), url, url};
  const auto output = run_tool(spec);
  ASSERT_TRUE(output);
  EXPECT_TRUE(output->status.ok()) << output->err;
  EXPECT_EQ(output->out.size(), 2 * 2006U);
}

TEST_F(HttpServerTest, StopEndsOpenConnections) {
  start();
  Client client(port_);
  client.send(kGet);
  client.answer();
  asio::post(io_, [this] { server_->stop(); });
  EXPECT_EQ(client.rest(), "");
  EXPECT_FALSE(Client(port_).connected());
}

TEST_F(HttpServerTest, ItsEndEndsItsWork) {
  start();
  Client client(port_);
  client.send("GET /metr");
  asio::post(io_, [this] {
    server_.reset();
    server_ = std::make_unique<HttpServer>(io_.get_executor(), any_port(), route);
  });
  EXPECT_EQ(client.rest(), "");
}

TEST_F(HttpServerTest, AnAddressInUseIsNamed) {
  start();
  asio::ip::tcp::endpoint taken = any_port();
  taken.port(port_);
  HttpServer second(io_.get_executor(), taken, route);
  const Status started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().reason, Reason::host_unfit);
  EXPECT_THAT(started.error().message, HasSubstr(std::to_string(port_)));
  EXPECT_THAT(started.error().hint, HasSubstr("ss -ltnp"));
}

TEST(HttpListenAddress, TakesTheUsualForms) {
  EXPECT_EQ(resolve_listen_address("127.0.0.1:9735")->port(), 9735);
  EXPECT_EQ(resolve_listen_address("localhost:1")->address().to_string(), "127.0.0.1");
  EXPECT_TRUE(resolve_listen_address("[::1]:0")->address().is_v6());
}

TEST(HttpListenAddress, RefusesEverythingElse) {
  for (const char* text :
       {"", ":", "9735", ":9735", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
        "127.0.0.1:-1", "::1:9735", "[127.0.0.1]:1", "example.org:80", "127.0.0.1:80 "}) {
    const auto endpoint = resolve_listen_address(text);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_EQ(endpoint.error().reason, Reason::config_invalid);
    EXPECT_THAT(endpoint.error().hint, HasSubstr("127.0.0.1:9735"));
  }
}

}  // namespace
}  // namespace rad::test
