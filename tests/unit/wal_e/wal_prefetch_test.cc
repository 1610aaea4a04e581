// Which segments are decoded ahead, what is kept and what is tried again.
#include "plugins/wal_e/wal_prefetch.h"

#include <atomic>
#include <set>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace rad::wal_e {
namespace {

constexpr std::uint64_t kFirst = 10;
constexpr std::uint64_t kCount = 200;

bool never() {
  return false;
}

/// Stands for the storage: a segment's content is its number.
class Decoder {
 public:
  Result<UniqueFd> operator()(const WalStep& step, bool wanted) {
    std::unique_lock lock(mutex_);
    asked_.push_back({step.number, wanted});
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_.contains(step.number); });
    const auto fault = faults_.find({step.number, wanted});
    if (fault != faults_.end()) return fault->second;
    UniqueFd fd(::memfd_create("segment", MFD_CLOEXEC));
    EXPECT_EQ(::pwrite(fd.get(), &step.number, sizeof step.number, 0),
              static_cast<ssize_t>(sizeof step.number));
    return fd;
  }

  void fail_with(std::uint64_t number, bool wanted, Reason reason) {
    const std::lock_guard lock(mutex_);
    faults_.insert_or_assign(std::pair(number, wanted), fail(reason, "planted"));
  }
  void mend() {
    const std::lock_guard lock(mutex_);
    faults_.clear();
  }
  void hold(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    held_.insert(number);
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_.clear();
    changed_.notify_all();
  }
  void wait_until_asked(std::uint64_t number, int times = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count(number) >= times; });
  }
  int times(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    return count(number);
  }
  std::uint64_t greatest() {
    const std::lock_guard lock(mutex_);
    std::uint64_t result = 0;
    for (const auto& [number, wanted] : asked_) result = std::max(result, number);
    return result;
  }

 private:
  int count(std::uint64_t number) {
    return static_cast<int>(std::count_if(asked_.begin(), asked_.end(),
                                          [&](const auto& one) { return one.first == number; }));
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<std::uint64_t, bool>> asked_;
  std::map<std::pair<std::uint64_t, bool>, Error> faults_;
  std::set<std::uint64_t> held_;
};

class Prefetch : public testing::Test {
 protected:
  Prefetch() {
    path_.first = kFirst;
    path_.timeline = 1;
    for (std::uint64_t i = 0; i < kCount; ++i) path_.steps.push_back({kFirst + i, 1, 100, {}});
    options_.scratch = dir_.path();
    options_.threads = 2;
    options_.reserved_bytes = 0;
  }
  WalPrefetch& begin() {
    prefetch_.emplace(
        path_, [this](const WalStep& step, bool wanted) { return decoder_(step, wanted); },
        options_);
    return *prefetch_;
  }
  Result<UniqueFd> take(std::uint64_t number) {
    return prefetch_->take(*path_.find(number), never);
  }
  void expect_taken(std::uint64_t number) {
    auto content = take(number);
    ASSERT_TRUE(content) << content.error().message;
    std::uint64_t found = 0;
    EXPECT_EQ(::pread(content->get(), &found, sizeof found, 0), static_cast<ssize_t>(sizeof found));
    EXPECT_EQ(found, number);
  }

  test::TempDir dir_;
  WalPath path_;
  WalPrefetch::Options options_;
  Decoder decoder_;
  std::optional<WalPrefetch> prefetch_;
};

TEST_F(Prefetch, BeginsBeforeAnythingIsAskedFor) {
  begin().expect(kFirst);
  for (std::uint64_t number = kFirst; number < kFirst + 4; ++number) {
    decoder_.wait_until_asked(number);
  }
  expect_taken(kFirst);
  EXPECT_EQ(decoder_.times(kFirst), 1);
}

TEST_F(Prefetch, DecodesEachSegmentOnceWhileRecoveryGoesOn) {
  begin().expect(kFirst);
  for (std::uint64_t number = kFirst; number < kFirst + kCount; ++number) expect_taken(number);
  for (std::uint64_t number = kFirst; number < kFirst + kCount; ++number) {
    EXPECT_EQ(decoder_.times(number), 1) << number;
  }
  EXPECT_EQ(prefetch_->statistics().taken, kCount);
}

TEST_F(Prefetch, KeepsTheSegmentBeforeTheFirstThatIsAskedFor) {
  // The checkpoint is read first, and may lie in a later segment than where redo begins.
  begin().expect(kFirst);
  decoder_.wait_until_asked(kFirst);
  for (const auto number : {kFirst + 1, kFirst, kFirst + 1, kFirst + 2}) expect_taken(number);
  EXPECT_EQ(decoder_.times(kFirst), 1);
  EXPECT_EQ(decoder_.times(kFirst + 1), 2) << "what was handed out is decoded again";
}

TEST_F(Prefetch, GoesBackAndJumps) {
  begin().expect(kFirst);
  for (const auto number : {kFirst + 100, kFirst + 7, kFirst + 7, kFirst, kFirst + kCount - 1}) {
    expect_taken(number);
  }
}

TEST_F(Prefetch, HoldsNoMoreThanItMay) {
  options_.max_bytes = 6 * path_.segment_bytes;
  begin().expect(kFirst);
  // Every one is waited for, which asks for more ahead.
  for (std::uint64_t number = kFirst; number < kFirst + 50; ++number) {
    expect_taken(number);
    EXPECT_LE(decoder_.greatest(), number + 6);
    EXPECT_LE(prefetch_->statistics().ahead, 6U);
  }
}

TEST_F(Prefetch, LeavesTheSpaceThatRecoveryNeeds) {
  options_.reserved_bytes = ~std::uint64_t{0} / 4;
  begin().expect(kFirst);
  expect_taken(kFirst);
  expect_taken(kFirst + 1);
  EXPECT_EQ(decoder_.greatest(), kFirst + 1) << "only what is asked for";
}

TEST_F(Prefetch, GivesUpWhatLiesReadyForWhatIsAskedFor) {
  begin().expect(kFirst);
  decoder_.wait_until_asked(kFirst + 3);
  decoder_.fail_with(kFirst + 50, true, Reason::scratch_full);
  const auto content = take(kFirst + 50);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().reason, Reason::scratch_full);
  EXPECT_GE(decoder_.times(kFirst + 50), 1);
  decoder_.mend();
  expect_taken(kFirst + 50);
}

TEST_F(Prefetch, AFullDiskAheadIsNoFault) {
  for (std::uint64_t number = kFirst; number < kFirst + kCount; ++number) {
    decoder_.fail_with(number, false, Reason::scratch_full);
  }
  begin().expect(kFirst);
  for (std::uint64_t number = kFirst; number < kFirst + 20; ++number) expect_taken(number);
}

TEST_F(Prefetch, TriesAgainWhatTheStorageRefusedAhead) {
  decoder_.fail_with(kFirst + 1, false, Reason::storage_unreachable);
  begin().expect(kFirst);
  decoder_.wait_until_asked(kFirst + 1);
  expect_taken(kFirst);
  expect_taken(kFirst + 1);
}

TEST_F(Prefetch, SaysWhatTheStorageSaidLast) {
  decoder_.fail_with(kFirst, false, Reason::storage_unreachable);
  decoder_.fail_with(kFirst, true, Reason::storage_unreachable);
  begin().expect(kFirst);
  EXPECT_EQ(take(kFirst).error().reason, Reason::storage_unreachable);
  decoder_.mend();
  expect_taken(kFirst);
}

TEST_F(Prefetch, DamageStaysDamage) {
  decoder_.fail_with(kFirst, false, Reason::wal_damaged);
  begin().expect(kFirst);
  decoder_.wait_until_asked(kFirst);
  EXPECT_EQ(take(kFirst).error().reason, Reason::wal_damaged);
}

TEST_F(Prefetch, KeepsWhatNobodyWaitedFor) {
  decoder_.hold(kFirst);
  begin();
  std::atomic<bool> gone = false;
  std::thread asker([&] {
    const auto content = prefetch_->take(*path_.find(kFirst), [&] { return gone.load(); });
    EXPECT_EQ(content.error().reason, Reason::cancelled);
  });
  decoder_.wait_until_asked(kFirst);
  gone = true;
  asker.join();
  decoder_.release();
  expect_taken(kFirst);
  EXPECT_EQ(decoder_.times(kFirst), 1);
}

TEST_F(Prefetch, OneSlowSegmentDoesNotHoldUpWhatIsAskedFor) {
  for (std::uint64_t number = kFirst; number < kFirst + 4; ++number) decoder_.hold(number);
  begin().expect(kFirst);
  decoder_.wait_until_asked(kFirst + 1);
  expect_taken(kFirst + 100);
  decoder_.release();
}

}  // namespace
}  // namespace rad::wal_e
