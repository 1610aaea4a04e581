#include "plugins/wal_e/wal_archive.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

constexpr std::uint64_t kSize = kDefaultSegmentBytes;

Lsn lsn_in(std::uint64_t segment) {
  return segment * kSize + 0x100;
}

WalListing listing_of(
    const std::vector<std::pair<std::uint32_t, std::vector<std::uint64_t>>>& segments,
    const std::vector<std::uint32_t>& histories = {}) {
  WalListing wal;
  for (const auto& [timeline, numbers] : segments) {
    for (const auto number : numbers) {
      wal.segments.push_back({segment_name(timeline, number, kSize), 100, {}});
    }
  }
  std::sort(wal.segments.begin(), wal.segments.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (const auto timeline : histories) wal.histories[timeline] = {};
  return wal;
}

std::string names(const WalPath& path) {
  std::string text;
  for (const auto& step : path.steps) {
    text += std::to_string(step.timeline) + ":" + std::to_string(step.number) + " ";
  }
  return text;
}

TEST(WalPath, OfOneTimelineIsItsSegmentsFromTheStart) {
  const auto wal = listing_of({{1, {2, 3, 4, 5}}});
  const auto plan = plan_timelines(wal, {}, 1, lsn_in(3), kSize);
  EXPECT_EQ(plan.timeline, 1U);
  EXPECT_FALSE(plan.missing_history);
  const auto path = follow(wal, plan, 1, 3, kSize);
  EXPECT_EQ(names(path), "1:3 1:4 1:5 ");
  EXPECT_FALSE(first_missing(path, 3, 5));
  EXPECT_EQ(first_missing(path, 2, 5), 2U);
  EXPECT_EQ(first_missing(path, 3, 0xFFFFFFFFFFFF), 6U);
}

TEST(WalPath, TakesTheSegmentOfTheSwitchFromTheNewTimeline) {
  // The old primary goes on archiving after the promotion of a standby.
  const auto wal = listing_of({{1, {3, 4, 5, 6, 7}}, {2, {5, 6}}}, {2});
  const Histories histories{{2, {{1, lsn_in(5)}}}};
  const auto plan = plan_timelines(wal, histories, 1, lsn_in(3), kSize);
  EXPECT_EQ(plan.timeline, 2U);
  const auto path = follow(wal, plan, 1, 3, kSize);
  EXPECT_EQ(names(path), "1:3 1:4 2:5 2:6 ");
  EXPECT_EQ(to_string(path.expected_name(4)), to_string(segment_name(1, 4, kSize)));
  EXPECT_EQ(to_string(path.expected_name(5)), to_string(segment_name(2, 5, kSize)));
}

TEST(WalPath, FallsBackToTheOldTimelinesCopyOfTheSwitch) {
  const auto wal = listing_of({{1, {3, 4, 5}}, {2, {6}}}, {2});
  const auto plan = plan_timelines(wal, {{2, {{1, lsn_in(5)}}}}, 1, lsn_in(3), kSize);
  EXPECT_EQ(names(follow(wal, plan, 1, 3, kSize)), "1:3 1:4 1:5 2:6 ");
}

TEST(WalPath, HasAGapWhereTheOldTimelineWasLeft) {
  const auto wal = listing_of({{1, {3, 4, 5, 6}}, {2, {7}}}, {2});
  const auto plan = plan_timelines(wal, {{2, {{1, lsn_in(5)}}}}, 1, lsn_in(3), kSize);
  const auto path = follow(wal, plan, 1, 3, kSize);
  EXPECT_EQ(first_missing(path, 3, 7), 6U) << "segment 6 of timeline 1 lies behind the switch";
  EXPECT_EQ(path.expected_name(6).timeline, 2U);
}

TEST(WalPath, GoesThroughSeveralTimelines) {
  const auto wal = listing_of({{1, {3, 4}}, {2, {4, 5}}, {3, {5, 6}}}, {2, 3});
  const Histories histories{{2, {{1, lsn_in(4)}}}, {3, {{1, lsn_in(4)}, {2, lsn_in(5)}}}};
  const auto plan = plan_timelines(wal, histories, 1, lsn_in(3), kSize);
  EXPECT_EQ(names(follow(wal, plan, 1, 3, kSize)), "1:3 2:4 3:5 3:6 ");
}

TEST(Timelines, WithoutAHistoryAreAGap) {
  const auto wal = listing_of({{1, {3, 4}}, {2, {5}}});
  const auto plan = plan_timelines(wal, {}, 1, lsn_in(3), kSize);
  ASSERT_TRUE(plan.missing_history);
  EXPECT_EQ(plan.missing_history->reason, Reason::wal_gap);
  EXPECT_EQ(plan.missing_history->object, "wal_005/00000002.history.lzo");
}

TEST(Timelines, AfterOneWithoutAHistoryAreNotFoundByRecovery) {
  const auto wal = listing_of({{1, {3, 4}}, {3, {5}}}, {3});
  const auto plan =
      plan_timelines(wal, {{3, {{1, lsn_in(4)}, {2, lsn_in(5)}}}}, 1, lsn_in(3), kSize);
  ASSERT_TRUE(plan.missing_history);
  EXPECT_EQ(plan.missing_history->object, "wal_005/00000002.history.lzo");
}

TEST(Timelines, ThatDoNotDescendAreLeftAlone) {
  // Somebody promoted a copy restored to a point before this backup.
  const auto wal = listing_of({{1, {3, 4, 5}}, {2, {3, 4}}}, {2});
  const auto plan = plan_timelines(wal, {{2, {{1, lsn_in(2)}}}}, 1, lsn_in(3), kSize);
  EXPECT_EQ(plan.timeline, 1U);
  EXPECT_EQ(plan.strangers, std::vector<std::uint32_t>{2});
  EXPECT_FALSE(plan.missing_history);
  EXPECT_EQ(names(follow(wal, plan, 1, 3, kSize)), "1:3 1:4 1:5 ");
}

TEST(Timelines, OlderThanTheBackupDoNotMatter) {
  const auto wal = listing_of({{1, {1, 2}}, {2, {2, 3, 4}}}, {2});
  const auto plan = plan_timelines(wal, {}, 2, lsn_in(3), kSize);
  EXPECT_EQ(plan.timeline, 2U);
  EXPECT_FALSE(plan.missing_history);
  EXPECT_FALSE(plan.own_history_missing);
  EXPECT_TRUE(plan_timelines(listing_of({{2, {3}}}), {}, 2, lsn_in(3), kSize).own_history_missing);
}

TEST(Timelines, OfAHostileListingDoNotHang) {
  const auto wal = listing_of({{1, {3}}, {0xFFFFFFFF, {4}}}, {0xFFFFFFFF});
  const auto plan = plan_timelines(wal, {{0xFFFFFFFF, {{1, lsn_in(3)}}}}, 1, lsn_in(3), kSize);
  EXPECT_TRUE(plan.missing_history);
}

}  // namespace
}  // namespace rad::wal_e
