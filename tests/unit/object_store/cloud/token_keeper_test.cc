#include "plugins/object_store/token_keeper.h"

#include <atomic>
#include <barrier>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace rad::object_store {
namespace {

using namespace std::chrono_literals;

class TokenKeeping : public ::testing::Test {
 protected:
  Result<AccessToken> fetch() {
    ++fetched_;
    if (refusal_) return *refusal_;
    return AccessToken{.value = "t" + std::to_string(fetched_),
                       .place = {},
                       .expires = clock_.steady_now() + life_};
  }

  test::FakeClock clock_;
  std::chrono::milliseconds life_ = 1h;
  std::optional<Error> refusal_;
  int fetched_ = 0;
  TokenKeeper keeper_{[this](std::stop_token) { return fetch(); }, clock_};
};

TEST_F(TokenKeeping, FetchesOnceAndRenewsBeforeTheEnd) {
  EXPECT_EQ(keeper_.get({}).value()->value, "t1");
  clock_.advance(54min);
  EXPECT_EQ(keeper_.get({}).value()->value, "t1");
  clock_.advance(1min);
  EXPECT_EQ(keeper_.get({}).value()->value, "t2");
}

TEST_F(TokenKeeping, UsesAShortLivedTokenForMostOfItsLife) {
  life_ = 20s;
  keeper_.get({}).value();
  clock_.advance(14s);
  EXPECT_EQ(keeper_.get({}).value()->value, "t1");
  clock_.advance(1s);
  EXPECT_EQ(keeper_.get({}).value()->value, "t2");
}

TEST_F(TokenKeeping, FetchesAnotherWhenOneWasRefused) {
  keeper_.get({}).value();
  keeper_.drop();
  EXPECT_EQ(keeper_.get({}).value()->value, "t2");
}

TEST_F(TokenKeeping, KeepsAValidTokenThatCannotBeRenewedYet) {
  keeper_.get({}).value();
  refusal_ = fail(Reason::storage_unreachable, "down");
  clock_.advance(56min);
  EXPECT_EQ(keeper_.get({}).value()->value, "t1");
  EXPECT_EQ(keeper_.get({}).value()->value, "t1");
  EXPECT_EQ(fetched_, 2);  // not asked again at once
  clock_.advance(4min);
  const auto ended = keeper_.get({});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().reason, Reason::storage_unreachable);
}

TEST_F(TokenKeeping, AnErrorIsNotKept) {
  refusal_ = fail(Reason::access_denied, "no");
  EXPECT_FALSE(keeper_.get({}));
  refusal_.reset();
  EXPECT_EQ(keeper_.get({}).value()->value, "t2");
}

TEST(TokenKeeper, IsAskedByManyThreadsAndFetchesOnce) {
  std::atomic<int> fetched = 0;
  TokenKeeper keeper([&](std::stop_token) -> Result<AccessToken> {
    ++fetched;
    return AccessToken{.value = "t", .place = {}, .expires = SteadyPoint::max()};
  });
  std::barrier together(8);
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      together.arrive_and_wait();
      if (keeper.get({}).value()->value == "t") ++good;
    });
  }
  threads.clear();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(fetched, 1);
}

TEST(TokenKeeper, WhoWaitsCanBeStopped) {
  std::barrier inside(2);
  std::barrier done(2);
  TokenKeeper keeper([&](std::stop_token) -> Result<AccessToken> {
    inside.arrive_and_wait();
    done.arrive_and_wait();
    return fail(Reason::storage_unreachable, "down");
  });
  std::jthread fetcher([&] { EXPECT_FALSE(keeper.get({})); });
  inside.arrive_and_wait();
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = keeper.get(stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().reason, Reason::cancelled);
  done.arrive_and_wait();
}

TEST(OauthToken, IsReadWithEitherKindOfNumber) {
  const SteadyPoint now{5h};
  const auto google =
      read_oauth_token(R"({"access_token":"ya29","expires_in":3599,"token_type":"Bearer"})", now);
  ASSERT_TRUE(google);
  EXPECT_EQ(google->value, "ya29");
  EXPECT_EQ(google->expires, now + 3599s);
  const auto azure = read_oauth_token(
      R"({"access_token":"eyJ0","expires_in":"86399","resource":"https://storage.azure.com/"})",
      now);
  ASSERT_TRUE(azure);
  EXPECT_EQ(azure->expires, now + 86399s);
}

TEST(OauthToken, IsNeverQuotedInAnError) {
  for (const char* body :
       {"", "<html>", "[]", R"({"expires_in":1})", R"({"access_token":""})",
        R"({"access_token":"hunter2","expires_in":"soon"})",
        R"({"access_token":"hunter2","expires_in":{}})", R"({"access_token":{"a":"hunter2"}})"}) {
    const auto token = read_oauth_token(body, {});
    ASSERT_FALSE(token) << body;
    EXPECT_EQ(token.error().reason, Reason::access_denied);
    const Error& error = token.error();
    EXPECT_EQ((error.message + error.hint + error.detail).find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(read_oauth_token(R"({"access_token":"x","expires_in":-7})", SteadyPoint{5h})->expires,
            SteadyPoint{5h});
}

}  // namespace
}  // namespace rad::object_store
