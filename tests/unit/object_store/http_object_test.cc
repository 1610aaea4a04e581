// Reading objects over HTTP from a server that misbehaves as told.
#include <chrono>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/object_store/http_transport.h"
#include "tests/unit/object_store/http_test_server.h"

namespace rad::object_store {
namespace {

using test_support::Answer;
using test_support::HttpTestServer;
using test_support::SeenRequest;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

/// A service without credentials, whose statuses mean what they usually do.
class PlainService final : public HttpService {
 public:
  Status sign(HttpRequest& request, std::stop_token) override {
    request.headers.emplace_back("X-Token", std::to_string(token));
    return {};
  }
  Error judge(const HttpRequest&, const HttpResponse& response) const override {
    return error_of_status(response, response.body);
  }
  bool renew(const HttpResponse&) override {
    if (!renewable) return false;
    ++token;
    return true;
  }
  bool vouches_for_missing(const HttpResponse&) const override { return vouches; }
  bool renewable = false;
  bool vouches = true;
  int token = 1;
};

std::string some_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::minstd_rand random(7);
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

/// For what is to succeed, however slow the machine.
TransportOptions patient() {
  TransportOptions options;
  options.timeout = 60s;
  options.stall = 20s;
  options.first_pause = 10ms;
  return options;
}

/// For what is to fail.
TransportOptions quick() {
  TransportOptions options = patient();
  options.timeout = 1500ms;
  options.stall = 300ms;
  return options;
}

class HttpObjectTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<ObjectReader>> open(const std::string& base, OpenOptions options = {}) {
    if (!transport_) transport_ = HttpTransport::make(options_);
    ObjectRequest request;
    request.request.base = base;
    request.request.path = "/object";
    request.key = "object";
    request.options = std::move(options);
    request.confirm_missing = confirm_;
    return transport_->open(request, service_);
  }

  Result<std::string> read(const std::string& base, OpenOptions options = {}) {
    RAD_TRY(const auto reader, open(base, std::move(options)));
    std::string content;
    std::string buffer(100'000, '\0');
    for (;;) {
      RAD_TRY(const std::size_t got, reader->read(std::as_writable_bytes(std::span(buffer))));
      if (got == 0) return content;
      content.append(buffer, 0, got);
    }
  }

  Error failure(const std::string& base, std::uint64_t listed) {
    transport_ = HttpTransport::make(quick());
    const auto started = std::chrono::steady_clock::now();
    const auto content = read(base, {.expected_size = listed});
    EXPECT_LT(std::chrono::steady_clock::now() - started, 60s);
    if (content) {
      ADD_FAILURE() << "it could be read, " << content->size() << " bytes";
      return {};
    }
    EXPECT_EQ(content.error().object, "object");
    return content.error();
  }

  TransportOptions options_ = patient();
  PlainService service_;
  std::function<Result<ObjectInfo>()> confirm_;
  std::shared_ptr<HttpTransport> transport_;
};

TEST_F(HttpObjectTest, ReadsASmallObjectWithOneRequestWithoutARange) {
  const std::string object = some_bytes(100'000);
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    EXPECT_FALSE(request.range());
    answer.object(request, object);
  });
  EXPECT_EQ(read(server.base(), {.expected_size = object.size()}).value(), object);
  EXPECT_EQ(server.requests(), 1U);
}

TEST_F(HttpObjectTest, ReadsALargeObjectInRangesThatShareConnections) {
  const std::string object = some_bytes(kPartBytes * 5 + 1234);
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    ASSERT_TRUE(request.range());
    EXPECT_LT(request.range()->second - request.range()->first, kPartBytes);
    answer.object(request, object, "ETag: \"a\"\r\n");
  });
  EXPECT_TRUE(read(server.base(), {.expected_size = object.size()}).value() == object);
  EXPECT_EQ(server.requests(), 6U);
  EXPECT_LE(server.connections(), 4U);
}

TEST_F(HttpObjectTest, LearnsTheLengthThatNobodyHasListed) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{70'000},
                                 std::size_t{kPartBytes}, std::size_t{kPartBytes * 2 + 5}}) {
    const std::string object = some_bytes(size);
    HttpTestServer server(
        [&](const SeenRequest& request, Answer& answer) { answer.object(request, object); });
    EXPECT_TRUE(read(server.base()).value() == object) << size;
  }
}

TEST_F(HttpObjectTest, ReadsThePartThatIsWanted) {
  const std::string object = some_bytes(kPartBytes + 500);
  HttpTestServer server(
      [&](const SeenRequest& request, Answer& answer) { answer.object(request, object); });
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    return read(server.base(), {.offset = offset, .length = length, .expected_size = object.size()})
        .value();
  };
  EXPECT_EQ(part(3, 5), object.substr(3, 5));
  EXPECT_EQ(part(object.size() - 2, OpenOptions::kToTheEnd), object.substr(object.size() - 2));
  EXPECT_EQ(part(object.size(), 10), "");
  EXPECT_EQ(part(5, 0), "");
  EXPECT_EQ(read(server.base(), {.offset = 7, .length = 9}).value(), object.substr(7, 9));
}

TEST_F(HttpObjectTest, ReadsFromAServerThatIgnoresRanges) {
  const std::string object = some_bytes(kPartBytes * 2 + 77);
  HttpTestServer server(
      [&](const SeenRequest&, Answer& answer) { answer.reply("200 OK", object); });
  EXPECT_TRUE(read(server.base(), {.expected_size = object.size()}).value() == object);
  EXPECT_EQ(read(server.base(), {.offset = 10, .length = 3}).value(), object.substr(10, 3));
}

TEST_F(HttpObjectTest, ReadsAnEmptyObject) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) { answer.reply("200 OK", ""); });
  EXPECT_EQ(read(server.base(), {.expected_size = 0}).value(), "");
}

TEST_F(HttpObjectTest, ResumesWhereTheConnectionBroke) {
  const std::string object = some_bytes(1'000'000);
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    const auto range =
        request.range().value_or(std::pair<std::uint64_t, std::uint64_t>{0, 999'999});
    if (request.number > 0) {
      EXPECT_EQ(range.first, request.number * 100'000);
      EXPECT_EQ(request.headers.at("if-match"), "\"v1\"");
    }
    answer.send(
        fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\nETag: \"v1\"\r\n"
                    "Content-Range: bytes {}-{}/1000000\r\n\r\n",
                    request.range() ? "206 Partial Content" : "200 OK",
                    range.second - range.first + 1, range.first, range.second));
    answer.send(std::string_view(object).substr(range.first, 100'000));
    answer.close();
  });
  EXPECT_TRUE(read(server.base(), {.expected_size = object.size()}).value() == object);
  EXPECT_EQ(server.requests(), 10U);
}

TEST_F(HttpObjectTest, ResumesWhatStalls) {
  options_.stall = 500ms;
  const std::string object = some_bytes(200'000);
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.number > 0) return answer.object(request, object);
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
    answer.send(std::string_view(object).substr(0, 150'000));
    answer.stall();
  });
  EXPECT_TRUE(read(server.base(), {.expected_size = object.size()}).value() == object);
  EXPECT_EQ(server.requests(), 2U);
}

TEST_F(HttpObjectTest, GivesUpOnWhatAlwaysStalls) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc");
    answer.stall();
  });
  const Error error = failure(server.base(), 500);
  EXPECT_EQ(error.reason, Reason::storage_unreachable);
  EXPECT_THAT(error.message, HasSubstr("stalls"));
  EXPECT_THAT(error.message, HasSubstr("tried"));
  EXPECT_TRUE(error.retryable);
}

TEST_F(HttpObjectTest, GivesUpOnWhatTricklesEndlessly) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n");
    while (!answer.closed()) {
      answer.send("x");
      std::this_thread::sleep_for(20ms);
    }
  });
  EXPECT_EQ(failure(server.base(), 5'000'000).reason, Reason::storage_unreachable);
}

TEST_F(HttpObjectTest, GivesUpOnABrokenConnectionThatBringsNothing) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) { answer.close(); });
  EXPECT_EQ(failure(server.base(), 500).reason, Reason::storage_unreachable);
  EXPECT_GT(server.requests(), 3U);
}

TEST_F(HttpObjectTest, SaysThatNobodyListens) {
  std::string base;
  {
    HttpTestServer server([](const SeenRequest&, Answer&) {});
    base = server.base();
  }
  const Error error = failure(base, 500);
  EXPECT_EQ(error.reason, Reason::storage_unreachable);
  EXPECT_THAT(error.message, HasSubstr(base));
}

TEST_F(HttpObjectTest, WaitsAsLongAsAThrottlingServiceAsks) {
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.number < 2) return answer.reply("429 Too Many", "", "Retry-After: 0\r\n");
    if (request.number == 2) return answer.reply("503 Slow Down", "", "Retry-After: 1\r\n");
    answer.reply("200 OK", "abc");
  });
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(read(server.base(), {.expected_size = 3}).value(), "abc");
  EXPECT_GE(std::chrono::steady_clock::now() - started, 1s);
}

TEST_F(HttpObjectTest, SaysThatItWasThrottled) {
  for (const char* status : {"503 Slow Down", "429 Too Many Requests"}) {
    HttpTestServer server(
        [&](const SeenRequest&, Answer& answer) { answer.reply(status, "SlowDown"); });
    const Error error = failure(server.base(), 3);
    EXPECT_EQ(error.reason, Reason::storage_unreachable);
    EXPECT_THAT(error.message, HasSubstr("throttles"));
    EXPECT_GT(server.requests(), 2U);
  }
}

TEST_F(HttpObjectTest, DoesNotWaitForWhatLiesBeyondTheLimit) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.reply("503 Down", "", "Retry-After: 3600\r\n");
  });
  EXPECT_EQ(failure(server.base(), 3).reason, Reason::storage_unreachable);
  EXPECT_EQ(server.requests(), 1U);
}

TEST_F(HttpObjectTest, TellsAShortenedObjectFromABrokenConnection) {
  const std::string object = some_bytes(1000);
  HttpTestServer with_length([&](const SeenRequest& request, Answer& answer) {
    answer.object(request, std::string_view(object).substr(0, 600));
  });
  HttpTestServer without_length([&](const SeenRequest& request, Answer& answer) {
    if (request.range()) return answer.object(request, std::string_view(object).substr(0, 600));
    answer.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    answer.send(std::string_view(object).substr(0, 600));
    answer.close();
  });
  HttpTestServer cut_in_a_range([&](const SeenRequest& request, Answer& answer) {
    const auto first = request.range() ? request.range()->first : 0;
    answer.reply(request.range() ? "206 Partial" : "200 OK",
                 std::string_view(object).substr(first, first < 600 ? 600 - first : 0),
                 fmt::format("Content-Range: bytes {}-999/1000\r\n", first));
  });
  for (const auto* server : {&with_length, &without_length, &cut_in_a_range}) {
    const Error error = failure(server->base(), 1000);
    EXPECT_EQ(error.reason, Reason::truncated) << error.message;
    EXPECT_THAT(error.message, HasSubstr("the listing says 1000"));
    EXPECT_EQ(error.offset, 600U);
    EXPECT_LT(server->requests(), 10U);
  }
}

TEST_F(HttpObjectTest, PutsTogetherWhatComesInPieces) {
  const std::string object = some_bytes(500'000);
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    const auto first = request.range() ? request.range()->first : 0;
    answer.send(
        fmt::format("HTTP/1.1 206 Partial\r\nContent-Range: bytes {}-499999/500000\r\n"
                    "Content-Length: 20000\r\n\r\n",
                    first));
    answer.send(std::string_view(object).substr(first, 20'000));
  });
  EXPECT_TRUE(read(server.base(), {.expected_size = object.size()}).value() == object);
}

TEST_F(HttpObjectTest, AsksAgainBeforeItBelievesThatAnObjectIsShort) {
  const std::string object = some_bytes(1000);
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    answer.object(request, request.number == 0 ? std::string_view(object).substr(0, 600) : object);
  });
  EXPECT_EQ(read(server.base(), {.expected_size = 1000}).value(), object);
}

TEST_F(HttpObjectTest, NoticesAnObjectThatWasReplaced) {
  HttpTestServer longer(
      [&](const SeenRequest& request, Answer& answer) { answer.object(request, "0123456789"); });
  EXPECT_EQ(failure(longer.base(), 9).reason, Reason::backup_removed);
  EXPECT_EQ(longer.requests(), 1U);

  HttpTestServer another([&](const SeenRequest& request, Answer& answer) {
    if (request.number > 0) return answer.object(request, "0123456789", "ETag: \"two\"\r\n");
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\n01234");
    answer.close();
  });
  EXPECT_EQ(failure(another.base(), 10).reason, Reason::backup_removed);

  HttpTestServer refusing([&](const SeenRequest& request, Answer& answer) {
    if (request.number > 0) return answer.reply("412 Precondition Failed", "");
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"one\"\r\n\r\n01234");
    answer.close();
  });
  EXPECT_EQ(failure(refusing.base(), 10).reason, Reason::backup_removed);
}

TEST_F(HttpObjectTest, TellsMissingFromDenied) {
  HttpTestServer missing(
      [&](const SeenRequest&, Answer& answer) { answer.reply("404 Not Found", "gone"); });
  EXPECT_EQ(failure(missing.base(), 3).reason, Reason::missing_object);
  HttpTestServer denied(
      [&](const SeenRequest&, Answer& answer) { answer.reply("403 Forbidden", "no"); });
  EXPECT_EQ(failure(denied.base(), 3).reason, Reason::access_denied);
  EXPECT_EQ(missing.requests() + denied.requests(), 2U);
}

TEST_F(HttpObjectTest, BelievesThatAnObjectIsMissingOnlyIfTheListingAgrees) {
  service_.vouches = false;
  HttpTestServer server(
      [&](const SeenRequest&, Answer& answer) { answer.reply("404 Not Found", "proxy"); });
  confirm_ = [] { return Result<ObjectInfo>(ObjectInfo{.key = "object", .size = 3}); };
  EXPECT_EQ(failure(server.base(), 3).reason, Reason::storage_unreachable);
  confirm_ = [] { return Result<ObjectInfo>(fail(Reason::missing_object, "not listed")); };
  EXPECT_EQ(failure(server.base(), 3).reason, Reason::missing_object);
  confirm_ = [] {
    return Result<ObjectInfo>(fail(Reason::access_denied, "may not list", {}, "object"));
  };
  EXPECT_EQ(failure(server.base(), 3).reason, Reason::access_denied);
}

TEST_F(HttpObjectTest, RenewsItsCredentialsOnce) {
  service_.renewable = true;
  HttpTestServer server([&](const SeenRequest& request, Answer& answer) {
    if (request.headers.at("x-token") != "2") return answer.reply("401 Unauthorized", "expired");
    answer.reply("200 OK", "abc");
  });
  EXPECT_EQ(read(server.base(), {.expected_size = 3}).value(), "abc");
  service_.token = 5;
  EXPECT_EQ(failure(server.base(), 3).reason, Reason::access_denied);
  EXPECT_EQ(service_.token, 6);
}

TEST_F(HttpObjectTest, DoesNotFollowToAnotherPlace) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.reply("302 Found", "", "Location: http://elsewhere.example/x\r\n");
  });
  const Error error = failure(server.base(), 3);
  EXPECT_EQ(error.reason, Reason::storage_unreachable);
  EXPECT_THAT(error.message, HasSubstr("http://elsewhere.example/x"));
  EXPECT_EQ(server.requests(), 1U);
}

TEST_F(HttpObjectTest, SurvivesWhatIsNoHttp) {
  const std::vector<std::string> answers{
      "\x16\x03\x01garbage\r\n\r\n",
      "HTTP/1.1 999\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "HTTP/1.1 206 P\r\nContent-Length: 3\r\nContent-Range: bytes 9-1/5\r\n\r\nabc",
      "HTTP/1.1 206 P\r\nContent-Length: 3\r\nContent-Range: bytes 100-102/103\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc"};
  for (const std::string& text : answers) {
    HttpTestServer server([&](const SeenRequest&, Answer& answer) {
      answer.send(text);
      answer.close();
    });
    EXPECT_EQ(failure(server.base(), 3).reason, Reason::storage_unreachable) << text;
  }
}

TEST_F(HttpObjectTest, BoundsHeadersAndErrorBodies) {
  HttpTestServer endless([&](const SeenRequest&, Answer& answer) {
    answer.send("HTTP/1.1 200 OK\r\n");
    while (!answer.closed()) answer.send("X-More: " + std::string(4000, 'x') + "\r\n");
  });
  EXPECT_EQ(failure(endless.base(), 3).reason, Reason::storage_unreachable);
  HttpTestServer chatty([&](const SeenRequest&, Answer& answer) {
    answer.send("HTTP/1.1 403 Forbidden\r\n\r\n");
    while (!answer.closed()) answer.send(std::string(4000, 'x'));
  });
  const Error error = failure(chatty.base(), 3);
  EXPECT_EQ(error.reason, Reason::access_denied);
  EXPECT_LT(error.message.size(), 500U);
}

TEST_F(HttpObjectTest, StopsAtOnceWhenCancelled) {
  options_.stall = 1h;
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    answer.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nabc");
    answer.stall();
  });
  const auto reader = open(server.base(), {.expected_size = 500}).value();
  std::string buffer(500, '\0');
  const auto bytes = std::as_writable_bytes(std::span(buffer));
  EXPECT_EQ(reader->read(bytes).value(), 3U);
  std::thread other([&] { reader->cancel(); });
  EXPECT_EQ(reader->read(bytes).error().reason, Reason::cancelled);
  EXPECT_EQ(reader->read(bytes).error().reason, Reason::cancelled);
  other.join();
}

TEST_F(HttpObjectTest, StopsAtOnceWhileItWaitsForTheFirstAnswer) {
  options_.stall = 1h;
  std::stop_source stop;
  HttpTestServer server([&](const SeenRequest&, Answer& answer) {
    stop.request_stop();
    answer.stall();
  });
  EXPECT_EQ(open(server.base(), {.stop = stop.get_token()}).error().reason, Reason::cancelled);
}

TEST_F(HttpObjectTest, KeepsToARate) {
  options_.rate_limit = 1 << 20U;
  const std::string object = some_bytes(1'500'000);
  HttpTestServer server(
      [&](const SeenRequest& request, Answer& answer) { answer.object(request, object); });
  const auto started = std::chrono::steady_clock::now();
  EXPECT_TRUE(read(server.base(), {.expected_size = object.size()}).value() == object);
  EXPECT_GE(std::chrono::steady_clock::now() - started, 1s);
}

TEST_F(HttpObjectTest, ManyReadersShareATransport) {
  const std::string object = some_bytes(kPartBytes * 3);
  HttpTestServer server(
      [&](const SeenRequest& request, Answer& answer) { answer.object(request, object); });
  transport_ = HttpTransport::make(options_);
  std::vector<std::thread> readers;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    readers.emplace_back([&] {
      const auto content = read(server.base(), {.expected_size = object.size()});
      if (content && *content == object) ++good;
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(good.load(), 8);
}

TEST_F(HttpObjectTest, LeavesNothingRunningWhenDropped) {
  const std::string object = some_bytes(kPartBytes * 6);
  HttpTestServer server(
      [&](const SeenRequest& request, Answer& answer) { answer.object(request, object); });
  for (int i = 0; i < 20; ++i) {
    auto reader = open(server.base(), {.expected_size = object.size()}).value();
    if (i % 2 == 0) transport_.reset();  // the reader is the last that needs it
  }
}

TEST_F(HttpObjectTest, RefusesALineEndInASetting) {
  HttpTestServer server([&](const SeenRequest&, Answer& answer) { answer.reply("200 OK", "abc"); });
  transport_ = HttpTransport::make(options_);
  HttpRequest request;
  request.base = server.base();
  request.headers.emplace_back("X-Key", "a\r\nX-Evil: b");
  EXPECT_EQ(transport_->exchange(request, service_).error().reason, Reason::config_invalid);
  EXPECT_EQ(server.requests(), 0U);
}

TEST_F(HttpObjectTest, AnswersAreBounded) {
  HttpTestServer server(
      [&](const SeenRequest&, Answer& answer) { answer.reply("200 OK", std::string(5000, 'x')); });
  transport_ = HttpTransport::make(options_);
  HttpRequest request;
  request.base = server.base();
  request.max_answer = 4999;
  EXPECT_EQ(transport_->exchange(request, service_).error().reason, Reason::storage_unreachable);
  request.max_answer = 5000;
  EXPECT_EQ(transport_->exchange(request, service_)->body.size(), 5000U);
}

}  // namespace
}  // namespace rad::object_store
