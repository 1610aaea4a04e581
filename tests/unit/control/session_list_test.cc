#include "agent/control/session_list.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace rad::test {
namespace {

struct Client final : SessionEntry {
  explicit Client(std::int64_t uid, bool busy = false) {
    user = uid;
    answering = busy;
  }
  void close() override { closed = true; }
};

class SessionListTest : public testing::Test {
 protected:
  Client& add(std::int64_t uid, bool busy = false) {
    clients_.push_back(std::make_unique<Client>(uid, busy));
    list_.add(*clients_.back());
    return *clients_.back();
  }
  void add_many(std::size_t count, std::int64_t uid, bool busy) {
    for (std::size_t i = 0; i < count; ++i) add(uid, busy);
  }

  SessionList list_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(SessionListTest, ThereIsRoomUntilTheLimit) {
  add_many(9, 1, true);
  EXPECT_TRUE(list_.make_room(1, 10, 10));
  EXPECT_EQ(list_.size(), 9U);
}

TEST_F(SessionListTest, TheOldestWhoIsNotAnsweredGoes) {
  add(1, true);
  Client& idle = add(1);
  add(1);
  EXPECT_TRUE(list_.make_room(1, 3, 100));
  EXPECT_TRUE(idle.closed);
  EXPECT_EQ(list_.size(), 2U);
}

TEST_F(SessionListTest, AUserAtHisLimitLosesHisOwn) {
  Client& other = add(2);
  Client& own = add(1);
  add_many(3, 1, true);
  EXPECT_TRUE(list_.make_room(1, 100, 4));
  EXPECT_TRUE(own.closed);
  EXPECT_FALSE(other.closed);
}

TEST_F(SessionListTest, AUserAtHisLimitWhoIsAnsweredGetsNoMore) {
  add_many(4, 1, true);
  EXPECT_FALSE(list_.make_room(1, 100, 4));
  EXPECT_EQ(list_.size(), 4U);
}

TEST_F(SessionListTest, WhoTakesManyGivesWayToWhoTakesFewEvenWhenAnswered) {
  Client& first = add(1, true);
  add_many(7, 1, true);
  Client& few = add(2, true);
  add(2, true);
  EXPECT_TRUE(list_.make_room(3, 10, 100));
  EXPECT_TRUE(first.closed);
  EXPECT_FALSE(few.closed);
}

TEST_F(SessionListTest, WhoTakesManyIsNotFedByWhoTakesFew) {
  add_many(8, 1, true);
  Client& few = add(2);
  add(2);
  EXPECT_FALSE(list_.make_room(1, 10, 100));
  EXPECT_FALSE(few.closed);
}

TEST_F(SessionListTest, EveryUserGetsInWhenOneHasTakenAll) {
  add_many(512, 1000, true);
  for (std::int64_t user = 2000; user < 2100; ++user) {
    EXPECT_TRUE(list_.make_room(user, 512, 256));
    add(user, true);
  }
  EXPECT_EQ(list_.of_user(1000), 412U);
}

TEST_F(SessionListTest, UnsentBytesAreCountedByUser) {
  add(1).unsent_bytes = 10;
  add(1).unsent_bytes = 20;
  add(2).unsent_bytes = 40;
  EXPECT_EQ(list_.unsent_bytes(1), 30U);
  EXPECT_EQ(list_.unsent_bytes(3), 0U);
}

}  // namespace
}  // namespace rad::test
