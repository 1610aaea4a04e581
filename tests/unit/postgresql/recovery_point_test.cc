#include <gtest/gtest.h>

#include "plugins/postgresql/checks.h"

namespace rad::postgresql {
namespace {

class RecoveryPointCheck : public ::testing::Test {
 protected:
  RecoveryPointCheck() {
    data_.restore_command = {"fetch"};
    data_.archive_end = ArchiveEnd{"000000010000000000000005", 1, *parse_lsn("0/5007C08"), true};
    data_.backup_stop_lsn = "0/2000100";
    reach("0/6000000");
  }
  void reach(const char* lsn) {
    end_.lsn = *parse_lsn(lsn);
    end_.point.lsn = lsn;
    end_.point.timeline = 1;
  }
  std::string judged() const {
    const CheckOutcome outcome = judge_recovery(data_, end_);
    std::string text(to_string(outcome.outcome));
    if (outcome.reason) text += " " + std::string(to_string(*outcome.reason));
    return outcome.object.empty() ? text : text + " " + outcome.object;
  }

  DataDirectory data_;
  RecoveryEnd end_;
};

TEST_F(RecoveryPointCheck, PassesAtTheEndOfTheArchive) {
  EXPECT_EQ(judged(), "pass");
}

TEST_F(RecoveryPointCheck, WantsTheLastRecordReplayed) {
  reach("0/5007C08");
  end_.log.last_restored_segment = "000000010000000000000005";
  EXPECT_EQ(judged(), "fail wal_gap 000000010000000000000006");
  reach("0/5007C30");
  EXPECT_EQ(judged(), "pass");
}

TEST_F(RecoveryPointCheck, NamesTheNextSegmentAtABoundary) {
  reach("0/4000000");
  end_.log.last_restored_segment = "000000010000000000000003";
  EXPECT_EQ(judged(), "fail wal_gap 000000010000000000000004");
}

TEST_F(RecoveryPointCheck, NamesTheSegmentThatARecordCrossesInto) {
  reach("0/3FFFF00");
  end_.log.last_restored_segment = "000000010000000000000003";
  EXPECT_EQ(judged(), "fail wal_gap 000000010000000000000004");
}

TEST_F(RecoveryPointCheck, NamesTheSegmentOfAComplaint) {
  reach("0/3FFFF00");
  end_.log.last_restored_segment = "000000010000000000000004";
  end_.log.end_segment = "000000010000000000000004";
  EXPECT_EQ(judged(), "fail wal_damaged 000000010000000000000004");
}

TEST_F(RecoveryPointCheck, WantsACleanEnd) {
  data_.archive_end->clean = false;
  EXPECT_EQ(judged(), "fail wal_damaged 000000010000000000000005");
}

TEST_F(RecoveryPointCheck, WantsTheTimelineOfTheArchive) {
  data_.archive_end->timeline = 3;
  EXPECT_EQ(judged(), "fail wal_gap 00000003.history");
}

TEST_F(RecoveryPointCheck, RefusesAnotherPast) {
  end_.replaced_segment = "000000020000000000000005";
  EXPECT_EQ(judged(), "fail wal_gap 000000020000000000000005");
}

TEST_F(RecoveryPointCheck, CannotTellWithoutAnEnd) {
  data_.archive_end.reset();
  EXPECT_EQ(judged(), "inconclusive check_error");
  data_.restore_command.clear();
  EXPECT_EQ(judged(), "pass");
}

TEST_F(RecoveryPointCheck, WantsTheTargetReached) {
  data_.recover_to = {RecoverTo::Kind::name, "here"};
  reach("0/4000000");
  EXPECT_EQ(judged(), "fail wal_gap 000000010000000000000004");
  end_.log.target_reached = true;
  EXPECT_EQ(judged(), "pass");
  data_.recover_to = {RecoverTo::Kind::lsn, "0/4000001"};
  EXPECT_EQ(judged(), "fail wal_gap 000000010000000000000004");
  data_.recover_to = {RecoverTo::Kind::immediate, ""};
  EXPECT_EQ(judged(), "pass");
  reach("0/20000FF");
  EXPECT_EQ(judged(), "fail wal_gap 000000010000000000000002");
}

}  // namespace
}  // namespace rad::postgresql
