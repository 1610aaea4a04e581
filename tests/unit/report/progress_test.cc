#include "agent/report/progress.h"

#include <algorithm>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/base/child_process.h"
#include "agent/report/layout.h"
#include "tests/support/fake_clock.h"

namespace rad::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::uint64_t kMiB = 1U << 20U;

ProgressState half_way() {
  return {.stage = Stage::fetch,
          .note = "partition 1 of 3",
          .bytes_done = 25 * kMiB,
          .bytes_total = 50 * kMiB,
          .elapsed = 2s,
          .bytes_per_second = 12.5 * static_cast<double>(kMiB),
          .left = 2s};
}

TEST(ProgressBar, SaysEverythingWhereThereIsRoom) {
  EXPECT_EQ(format_progress_bar(half_way(), 120),
            "fetch    [##########----------]  50%  25.0 MiB of 50.0 MiB  12.5 MiB/s  2.0s left  "
            "partition 1 of 3");
}

TEST(ProgressBar, NeverIsWiderThanTheTerminal) {
  for (std::size_t width = 0; width < 120; ++width) {
    EXPECT_LE(columns(format_progress_bar(half_way(), width)), width);
  }
}

TEST(ProgressBar, HoldsNoControlCharacterOfANote) {
  ProgressState state = half_way();
  state.note = "\x1b[2J\r\n\xff";
  const std::string line = format_progress_bar(state, 200);
  EXPECT_TRUE(std::none_of(line.begin(), line.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
}

TEST(ProgressBar, WithoutATotalThereIsNoBar) {
  ProgressState state = half_way();
  state.bytes_total = 0;
  state.left.reset();
  EXPECT_THAT(format_progress_bar(state, 120), Not(HasSubstr("[")));
  EXPECT_THAT(format_progress_bar(state, 120), HasSubstr("25.0 MiB"));
}

TEST(ProgressBar, MoreThanEverythingIsNotMoreThanFull) {
  ProgressState state = half_way();
  state.bytes_done = 500 * kMiB;
  EXPECT_THAT(format_progress_bar(state, 120), HasSubstr("[####################] 100%"));
}

TEST(ProgressBar, IsNotFullBeforeTheLastByte) {
  ProgressState state = half_way();
  state.bytes_done = state.bytes_total - 1;
  EXPECT_THAT(format_progress_bar(state, 120), HasSubstr(" 99%"));
}

TEST(ProgressLine, SaysTheSameInWords) {
  EXPECT_EQ(format_progress_line(half_way()),
            "fetch: 25.0 MiB of 50.0 MiB (50%), 12.5 MiB/s, 2.0s left, partition 1 of 3");
  EXPECT_EQ(format_progress_line({.stage = Stage::recover}), "recover: started");
  EXPECT_EQ(format_progress_line({.stage = Stage::recover, .elapsed = 90s}), "recover: 1m 30s");
}

TEST(ProgressMeter, FindsRateAndTimeLeft) {
  ProgressMeter meter;
  SteadyPoint now{};
  meter.begin_stage(Stage::fetch, now);
  for (int i = 1; i <= 10; ++i) {
    now += 1s;
    meter.update(static_cast<std::uint64_t>(i) * 10 * kMiB, 1000 * kMiB, "", now);
  }
  const ProgressState state = meter.state(now);
  ASSERT_TRUE(state.bytes_per_second);
  EXPECT_NEAR(*state.bytes_per_second / static_cast<double>(kMiB), 10.0, 0.01);
  ASSERT_TRUE(state.left);
  EXPECT_NEAR(static_cast<double>(state.left->count()), 90'000, 100);
  EXPECT_EQ(state.elapsed, 10s);
}

TEST(ProgressMeter, SaysNothingAboutTheFutureInTheFirstSecond) {
  ProgressMeter meter;
  SteadyPoint now{};
  meter.begin_stage(Stage::fetch, now);
  meter.update(kMiB, 100 * kMiB, "", now += 500ms);
  EXPECT_FALSE(meter.state(now).left);
}

TEST(ProgressMeter, OneSlowSecondDoesNotDoubleTheTimeLeft) {
  ProgressMeter meter;
  SteadyPoint now{};
  meter.begin_stage(Stage::fetch, now);
  std::uint64_t done = 0;
  for (int i = 0; i < 30; ++i) meter.update(done += 10 * kMiB, 1000 * kMiB, "", now += 1s);
  const auto before = *meter.state(now).left;
  meter.update(done, 1000 * kMiB, "", now += 1s);
  const auto after = *meter.state(now).left;
  EXPECT_GT(after, before);
  EXPECT_LT(after, before * 3 / 2);
}

TEST(ProgressMeter, ALongSilenceLetsTheTimeLeftGrowAndThenVanish) {
  ProgressMeter meter;
  SteadyPoint now{};
  meter.begin_stage(Stage::fetch, now);
  meter.update(10 * kMiB, 100 * kMiB, "", now += 2s);
  const auto before = *meter.state(now).left;
  EXPECT_GT(*meter.state(now + 10s).left, before);
  EXPECT_FALSE(meter.state(now + 10min).left);
}

TEST(ProgressMeter, BurstsOfMessagesGiveNoWildRate) {
  ProgressMeter meter;
  SteadyPoint now{};
  meter.begin_stage(Stage::fetch, now);
  meter.update(10 * kMiB, 100 * kMiB, "", now += 1s);
  for (int i = 0; i < 100; ++i) {
    meter.update(10 * kMiB + static_cast<std::uint64_t>(i) * 1000, 100 * kMiB, "", now += 1us);
  }
  EXPECT_NEAR(*meter.state(now).bytes_per_second / static_cast<double>(kMiB), 10.0, 0.5);
}

TEST(ProgressMeter, NumbersThatGoBackwardsStartAnew) {
  ProgressMeter meter;
  SteadyPoint now{};
  meter.begin_stage(Stage::fetch, now);
  meter.update(90 * kMiB, 100 * kMiB, "", now += 3s);
  meter.update(1 * kMiB, 100 * kMiB, "", now += 1s);
  const ProgressState state = meter.state(now);
  EXPECT_EQ(state.bytes_done, kMiB);
  EXPECT_FALSE(state.bytes_per_second);
}

class ProgressWriterTest : public testing::Test {
 protected:
  ProgressWriterTest() : pipe_(*make_pipe()) { ::fcntl(pipe_.read_end.get(), F_SETFL, O_NONBLOCK); }
  std::string written() {
    std::string text(65536, '\0');
    const ssize_t size = ::read(pipe_.read_end.get(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }
  Pipe pipe_;
  FakeClock clock_;
};

TEST_F(ProgressWriterTest, WritesLinesWhereThereIsNoTerminal) {
  ProgressWriter writer(pipe_.write_end.get(), clock_);
  writer.begin_stage(Stage::preflight);
  writer.begin_stage(Stage::fetch);
  EXPECT_EQ(written(), "preflight: started\nfetch: started\n");
  for (int i = 0; i < 99; ++i) {
    clock_.advance(100ms);
    writer.update(static_cast<std::uint64_t>(i) * kMiB, 100 * kMiB);
  }
  EXPECT_EQ(written(), "") << "more than a line in 10 s";
  clock_.advance(100ms);
  writer.update(99 * kMiB, 100 * kMiB);
  EXPECT_THAT(written(), StartsWith("fetch: 99.0 MiB of 100.0 MiB (99%)"));
  writer.finish();
  EXPECT_EQ(written(), "");
}

TEST_F(ProgressWriterTest, RedrawsOneLineAndTakesItAway) {
  ProgressWriter writer(pipe_.write_end.get(), clock_, ProgressWriter::Mode::bar);
  writer.begin_stage(Stage::fetch);
  clock_.advance(50ms);
  writer.update(kMiB, 2 * kMiB);
  clock_.advance(100ms);
  writer.tick();
  writer.finish();
  writer.finish();
  writer.tick();
  const std::string text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), 3);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 0);
  EXPECT_THAT(text, testing::EndsWith("\r\x1b[K"));
}

TEST_F(ProgressWriterTest, ABrokenDescriptorStopsNothing) {
  ProgressWriter writer(-1, clock_, ProgressWriter::Mode::bar);
  writer.begin_stage(Stage::fetch);
  writer.update(1, 2);
}

TEST_F(ProgressWriterTest, OffIsSilent) {
  ProgressWriter writer(pipe_.write_end.get(), clock_, ProgressWriter::Mode::off);
  writer.begin_stage(Stage::fetch);
  writer.finish();
  EXPECT_EQ(written(), "");
}

}  // namespace
}  // namespace rad::test
