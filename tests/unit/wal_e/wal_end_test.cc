#include "plugins/wal_e/wal_end.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

constexpr Lsn kBegin = 0x5000000;
constexpr std::size_t kSegment = 3 * 8192;

/// A segment of three pages, filled with records by hand.
class Segment {
 public:
  Segment() : bytes_(kSegment, '\0') {}
  Segment& record(std::size_t at, std::uint32_t length, Lsn previous, std::uint8_t info = 0,
                  std::uint8_t manager = 10) {
    std::memcpy(bytes_.data() + at, &length, sizeof length);
    std::memcpy(bytes_.data() + at + 8, &previous, sizeof previous);
    bytes_[at + 16] = static_cast<char>(info);
    bytes_[at + 17] = static_cast<char>(manager);
    return *this;
  }
  Segment& continued(std::uint32_t bytes) {
    std::memcpy(bytes_.data() + 16, &bytes, sizeof bytes);
    return *this;
  }
  WalEnd judge(std::size_t last) const { return judge_lsn(kBegin + last); }
  WalEnd judge_lsn(Lsn last) const {
    return judge_end(std::as_bytes(std::span(bytes_)), kBegin, last);
  }

 private:
  std::string bytes_;
};

TEST(WalEnd, BySwitchIsClean) {
  EXPECT_EQ(Segment().record(40, 24, 1, 0x40, 0).judge(40).kind, EndKind::switched);
}

TEST(WalEnd, WithTheSegmentIsClean) {
  const std::size_t last = kSegment - 48;
  EXPECT_EQ(Segment().record(last, 48, 1).judge(last).kind, EndKind::full);
  EXPECT_EQ(Segment().record(last, 41, 1).judge(last).kind, EndKind::full)
      << "padding is not a record";
}

TEST(WalEnd, InARecordThatCrossesIsClean) {
  const std::size_t last = kSegment - 128;
  const auto end = Segment().record(last, 64, 1).record(last + 64, 300, kBegin + last).judge(last);
  EXPECT_EQ(end.kind, EndKind::crosses);
  EXPECT_EQ(end.next, kBegin + last + 64);
}

TEST(WalEnd, InARecordWithASuccessorIsDamage) {
  const std::size_t last = kSegment - 512;
  const auto end = Segment()
                       .record(last, 64, 1)
                       .record(last + 64, 100000, kBegin + last)
                       .record(last + 128, 32, kBegin + last + 64)
                       .judge(last);
  EXPECT_EQ(end.kind, EndKind::damaged);
  EXPECT_EQ(end.next, kBegin + last + 64);
}

TEST(WalEnd, InASwitchThatClaimsMoreIsDamage) {
  const std::size_t last = kSegment - 512;
  EXPECT_EQ(Segment()
                .record(last, 64, 1)
                .record(last + 64, 24 + 4096, kBegin + last, 0x40, 0)
                .judge(last)
                .kind,
            EndKind::damaged);
}

TEST(WalEnd, SkipsPageHeaders) {
  // 96 bytes to the end of the first page, 24 of header, 8136 in the second.
  const auto end = Segment().record(8096, 8232, 1).judge(8096);
  EXPECT_EQ(end.next, kBegin + 8192 + 24 + 8136);
}

TEST(WalEnd, AfterARecordOfTheSegmentBefore) {
  const auto end = Segment().continued(100).judge_lsn(kBegin - 200);
  EXPECT_EQ(end.next, kBegin + 144);
  EXPECT_EQ(Segment().continued(3 * 8192).judge_lsn(kBegin - 200).kind, EndKind::full);
}

TEST(WalEnd, TakesHostileLengths) {
  EXPECT_EQ(Segment().record(40, 0xFFFFFFFF, 1).judge(40).kind, EndKind::full);
  EXPECT_EQ(judge_end({}, kBegin, kBegin).kind, EndKind::damaged);
}

}  // namespace
}  // namespace rad::wal_e
