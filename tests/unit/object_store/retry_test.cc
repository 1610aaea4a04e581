#include "plugins/object_store/retry.h"

#include <gtest/gtest.h>

namespace rad::object_store {
namespace {

using namespace std::chrono_literals;

TEST(RetryPacer, WaitsLongerEachTimeWithinBounds) {
  const SteadyPoint start{};
  RetryPacer pacer(10min, 100ms, start);
  for (int i = 0; i < 12; ++i) {
    const auto pause = pacer.pause(start);
    ASSERT_TRUE(pause);
    const auto middle = std::min<std::chrono::milliseconds>(100ms * (1 << i), 20s);
    EXPECT_GE(*pause, middle / 2 - 1ms);
    EXPECT_LE(*pause, middle * 3 / 2 + 1ms);
  }
  EXPECT_EQ(pacer.failures(), 12U);
}

TEST(RetryPacer, EndsWhenNothingNewCame) {
  const SteadyPoint start{};
  RetryPacer pacer(1min, 100ms, start);
  EXPECT_TRUE(pacer.pause(start + 59s));
  EXPECT_FALSE(pacer.pause(start + 61s));
  pacer.progress(start + 61s);
  EXPECT_EQ(pacer.failures(), 0U);
  EXPECT_TRUE(pacer.pause(start + 100s));
}

TEST(RetryPacer, WaitsAsLongAsAskedButNotBeyondTheLimit) {
  const SteadyPoint start{};
  RetryPacer pacer(1min, 100ms, start);
  EXPECT_EQ(pacer.pause(start, 30s), 30s);
  EXPECT_FALSE(pacer.pause(start, 61s));
}

TEST(RetryPacer, DoesNotGrowWhileSomethingComes) {
  const SteadyPoint start{};
  RetryPacer pacer(1min, 100ms, start);
  for (int i = 0; i < 50; ++i) EXPECT_LE(pacer.short_pause(start), 150ms);
  EXPECT_FALSE(pacer.short_pause(start + 1min));
}

TEST(RateLimit, SpreadsWhatIsAskedFor) {
  RateLimit limit(1000);
  const SteadyPoint start{};
  EXPECT_EQ(limit.reserve(500, start), start);
  EXPECT_EQ(limit.reserve(1000, start), start + 500ms);
  EXPECT_EQ(limit.reserve(1, start), start + 1500ms);
  EXPECT_EQ(limit.reserve(1, start + 1h), start + 1h) << "what was not used is not saved up";
  RateLimit none(0);
  none.reserve(1'000'000'000, start);
  EXPECT_EQ(none.reserve(1, start), start);
}

}  // namespace
}  // namespace rad::object_store
