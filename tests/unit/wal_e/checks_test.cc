#include "plugins/wal_e/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{std::chrono::sys_days(std::chrono::year(2026) / 11 / 20)};

Evidence evidence_at(Depth depth) {
  Evidence evidence;
  evidence.depth = depth;
  PinnedBackup pinned;
  pinned.chosen.backup.name = *parse_backup_name("base_000000010000000000000003_00000040");
  pinned.chosen.backup.partitions.resize(1);
  pinned.finished_at = kNow - 3h;
  pinned.path.timeline = 1;
  pinned.path.first = 3;
  pinned.path.steps = {{3, 1, 100, kNow - 2h}, {4, 1, 100, kNow - 10min}};
  evidence.pinned = std::move(pinned);
  if (depth == Depth::inspect) return evidence;
  ReadEvidence read;
  read.facts.has_checksums = true;
  read.content.pages_checked = 7;
  read.chain = ChainResult{};
  read.chain->last_record = 0x4000028;
  read.chain->proved = true;
  evidence.read = std::move(read);
  return evidence;
}

CheckOutcome answer(const std::string& type, const Evidence& evidence,
                    boost::json::object options = {}) {
  return answer_check({.name = type, .check = type, .options = std::move(options)}, evidence, kNow);
}

TEST(Checks, AllAnswerAtEachDepth) {
  for (const Depth depth : {Depth::inspect, Depth::verify, Depth::restore}) {
    for (const auto& info : known_checks()) {
      const auto outcome = answer(info.type, evidence_at(depth), {{"max", "1w"}});
      EXPECT_EQ(outcome.check, info.type);
      EXPECT_FALSE(outcome.message.empty()) << info.type;
      EXPECT_TRUE(outcome.outcome == Outcome::pass || outcome.outcome == Outcome::not_applicable)
          << info.type << ": " << outcome.message;
      EXPECT_LE(outcome.proof, info.proof) << info.type;
      EXPECT_EQ(outcome.outcome == Outcome::pass, outcome.proof != Proof::none) << info.type;
    }
  }
}

TEST(BackupAge, CountsFromTheEndOfTheBackup) {
  const auto young = answer("backup_age", evidence_at(Depth::inspect), {{"max", "4h"}});
  EXPECT_EQ(young.outcome, Outcome::pass);
  EXPECT_EQ(young.measured, "3h");
  const auto old = answer("backup_age", evidence_at(Depth::inspect), {{"max", "2h"}});
  EXPECT_EQ(old.outcome, Outcome::fail);
  EXPECT_EQ(old.reason, Reason::stale_backup);
  EXPECT_EQ(old.expected, "at most 2h");
}

TEST(BackupAge, SaysWhenItHasOnlyTheSentinelsTime) {
  auto evidence = evidence_at(Depth::inspect);
  evidence.pinned->finished_by_sentinel = true;
  EXPECT_NE(answer("backup_age", evidence, {{"max", "4h"}}).message.find("sentinel"),
            std::string::npos);
}

TEST(WalAge, OfAnIdleClusterPassesWhenAllowed) {
  const auto evidence = evidence_at(Depth::inspect);
  EXPECT_EQ(answer("wal_age", evidence, {{"max", "15m"}}).outcome, Outcome::pass);
  const auto old = answer("wal_age", evidence, {{"max", "5m"}});
  EXPECT_EQ(old.outcome, Outcome::fail);
  EXPECT_EQ(old.object, "wal_005/000000010000000000000004.lzo");
  const auto idle = answer("wal_age", evidence, {{"max", "5m"}, {"idle_ok", true}});
  EXPECT_EQ(idle.outcome, Outcome::pass);
  EXPECT_NE(idle.message.find("idle_ok"), std::string::npos);
}

TEST(WalContinuity, FailsOnAGapThatRecoveryNeedNotPass) {
  auto evidence = evidence_at(Depth::verify);
  evidence.pinned->gap_after_stop = fail(Reason::wal_gap, "x is missing", "", "wal_005/x.lzo");
  const auto outcome = answer("wal_continuity", evidence);
  EXPECT_EQ(outcome.outcome, Outcome::fail);
  EXPECT_EQ(outcome.reason, Reason::wal_gap);
}

TEST(BackupComplete, ProvesBytesOnlyWhenBytesWereRead) {
  EXPECT_EQ(answer("backup_complete", evidence_at(Depth::inspect)).proof, Proof::metadata);
  EXPECT_EQ(answer("backup_complete", evidence_at(Depth::verify)).proof, Proof::bytes);
  auto unread = evidence_at(Depth::verify);
  unread.read.reset();
  EXPECT_EQ(answer("backup_complete", unread).outcome, Outcome::inconclusive);
}

TEST(BackupComplete, FailsWhenANewerPushHasDied) {
  auto evidence = evidence_at(Depth::verify);
  evidence.pinned->chosen.overdue = fail(Reason::no_backup, "died");
  EXPECT_EQ(answer("backup_complete", evidence).reason, Reason::no_backup);
}

TEST(Checks, OfAFailedReadSayWhy) {
  auto evidence = evidence_at(Depth::verify);
  evidence.read.reset();
  evidence.failure = fail(Reason::decrypt_failed, "x", "", "part");
  for (const char* type : {"backup_complete", "stream_page_checksums", "wal_records"}) {
    EXPECT_EQ(answer(type, evidence).outcome, Outcome::fail) << type;
    EXPECT_EQ(answer(type, evidence).reason, Reason::decrypt_failed) << type;
  }
  evidence.failure = fail(Reason::scratch_full, "x");
  EXPECT_EQ(answer("backup_complete", evidence).outcome, Outcome::inconclusive);
}

TEST(StreamPageChecksums, WithoutChecksumsProveNothing) {
  auto evidence = evidence_at(Depth::verify);
  evidence.read->facts.has_checksums = false;
  const auto outcome = answer("stream_page_checksums", evidence);
  EXPECT_EQ(outcome.outcome, Outcome::not_applicable);
  EXPECT_EQ(outcome.proof, Proof::none);
}

TEST(StreamPageChecksums, FailAtVerifyAndWaitForRecoveryAtRestore) {
  for (const Depth depth : {Depth::verify, Depth::restore}) {
    auto evidence = evidence_at(depth);
    evidence.read->suspects = 2;
    evidence.read->unexplained = {{.path = "base/5/1259", .block = 3, .partial = false}};
    const auto outcome = answer("stream_page_checksums", evidence);
    EXPECT_EQ(outcome.outcome, depth == Depth::verify ? Outcome::fail : Outcome::not_applicable);
    ASSERT_EQ(outcome.details.size(), 1U);
    EXPECT_EQ(outcome.details[0], "base/5/1259 block 3");
  }
}

TEST(StreamPageChecksums, WithTornPagesThatWalReplacesPass) {
  auto evidence = evidence_at(Depth::verify);
  evidence.read->suspects = 2;
  EXPECT_EQ(answer("stream_page_checksums", evidence).outcome, Outcome::pass);
  evidence.read->unproved = fail(Reason::version_unsupported, "no pg_waldump");
  EXPECT_EQ(answer("stream_page_checksums", evidence).outcome, Outcome::inconclusive);
}

TEST(StreamPageChecksums, WithMorePagesThanCanBeListedWaitForRecovery) {
  auto evidence = evidence_at(Depth::restore);
  evidence.read->suspects = 200'000;
  evidence.read->suspects_cut = true;
  const auto outcome = answer("stream_page_checksums", evidence);
  EXPECT_EQ(outcome.outcome, Outcome::not_applicable);
  EXPECT_THAT(outcome.message, ::testing::HasSubstr("more than 200000 pages"));
}

TEST(WalRecords, WithoutPgWaldumpAreInconclusive) {
  auto evidence = evidence_at(Depth::verify);
  evidence.read->unproved = fail(Reason::version_unsupported, "no pg_waldump");
  const auto outcome = answer("wal_records", evidence);
  EXPECT_EQ(outcome.outcome, Outcome::inconclusive);
  EXPECT_EQ(outcome.reason, Reason::version_unsupported);
}

TEST(WalRecords, OfADamagedArchiveFailAtBothDepths) {
  for (const Depth depth : {Depth::verify, Depth::restore}) {
    auto evidence = evidence_at(depth);
    evidence.read->chain->damage = fail(Reason::wal_damaged, "x", "", "wal_005/x.lzo");
    EXPECT_EQ(answer("wal_records", evidence).outcome, Outcome::fail);
  }
}

TEST(Checks, WithoutABackupAreInconclusive) {
  EXPECT_EQ(answer("backup_complete", Evidence{}).outcome, Outcome::inconclusive);
}

}  // namespace
}  // namespace rad::wal_e
