#include "plugins/wal_e/tar_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/wal_e/member_ledger.h"

namespace rad::wal_e {
namespace {

using ::testing::HasSubstr;

TarMember member(std::string name, TarType type = TarType::file, std::string link = {}) {
  TarMember out;
  out.name = std::move(name);
  out.type = type;
  out.link = std::move(link);
  return out;
}

MemberDecision decided(const TarMember& in) {
  const Result<MemberDecision> decision = decide(in, 0);
  EXPECT_TRUE(decision) << in.name << ": " << decision.error().message;
  return decision ? *decision : MemberDecision{};
}

TEST(TarRules, TakesOrdinaryMembers) {
  EXPECT_EQ(decided(member("base/1/2")).path, "base/1/2");
  EXPECT_EQ(decided(member("./base//1/")).path, "base/1");
  EXPECT_EQ(decided(member("base/", TarType::directory)).action, MemberAction::make_directory);
  EXPECT_EQ(decided(member("..name")).path, "..name");
}

TEST(TarRules, TakesTheRootInEveryForm) {
  for (const char* name : {"/", "", ".", "./"}) {
    EXPECT_EQ(decided(member(name, TarType::directory)).action, MemberAction::root) << name;
  }
  EXPECT_FALSE(decide(member("/", TarType::file), 0));
  EXPECT_FALSE(decide(member("/", TarType::symlink, "/etc"), 0));
}

TEST(TarRules, RefusesNamesThatLeadOut) {
  for (const char* name : {"../x", "a/../../x", "a/..", "/etc/passwd", "//x", "..", "/.."}) {
    const auto decision = decide(member(name), 0);
    ASSERT_FALSE(decision) << name;
    EXPECT_EQ(decision.error().reason, Reason::unsafe_content);
  }
  EXPECT_FALSE(decide(member(std::string("a\0b", 3)), 0));
  EXPECT_FALSE(decide(member(std::string(256, 'a')), 0));
  EXPECT_TRUE(decide(member(std::string(255, 'a')), 0));
}

TEST(TarRules, ShowsAHostileNameHarmlessly) {
  const auto decision = decide(member("../\x1b[2J\nx"), 0);
  ASSERT_FALSE(decision);
  EXPECT_EQ(decision.error().message.find('\x1b'), std::string::npos);
  EXPECT_EQ(decision.error().message.find('\n'), std::string::npos);
}

TEST(TarRules, RefusesDevicesHolesAndHugeClaims) {
  EXPECT_EQ(decide(member("dev", TarType::other), 0).error().reason, Reason::unsafe_content);
  TarMember holes = member("base/1/2");
  holes.sparse = true;
  EXPECT_EQ(decide(holes, 0).error().reason, Reason::unsafe_content);
  TarMember huge = member("base/1/2");
  huge.size = 200ULL << 30U;
  EXPECT_TRUE(decide(huge, 0));
  const auto decision = decide(huge, 2ULL << 30U);
  ASSERT_FALSE(decision);
  EXPECT_THAT(decision.error().message, HasSubstr("200.0 GiB"));
}

TEST(TarRules, LeavesSymbolicLinksOutAndListsThem) {
  const MemberDecision decision = decided(member("conf", TarType::symlink, "/etc/pg.conf"));
  EXPECT_EQ(decision.action, MemberAction::leave_out);
  EXPECT_EQ(decision.left_out, "conf -> /etc/pg.conf");
  EXPECT_TRUE(decision.blocks_path);
}

TEST(TarRules, MakesADirectoryOfALinkInPlaceOfPgWal) {
  for (const char* name : {"pg_wal", "pg_xlog", "pg_log", "pg_replslot"}) {
    const MemberDecision decision = decided(member(name, TarType::symlink, "/fast/wal"));
    EXPECT_EQ(decision.action, MemberAction::make_directory) << name;
    EXPECT_FALSE(decision.left_out.empty());
  }
  EXPECT_EQ(decided(member("base/pg_wal", TarType::symlink, "/x")).action, MemberAction::leave_out);
}

TEST(TarRules, LetsFilesOfATablespaceLieBelowItsLink) {
  EXPECT_FALSE(decided(member("pg_tblspc/16400", TarType::symlink, "/ts")).blocks_path);
  EXPECT_TRUE(decided(member("pg_tblspc/16400/x", TarType::symlink, "/ts")).blocks_path);
  EXPECT_EQ(tablespace_of("pg_tblspc/16400/PG_15/1/2"), "16400");
  EXPECT_EQ(tablespace_of("pg_tblspc/16400"), "16400");
  EXPECT_EQ(tablespace_of("pg_tblspc/x/1"), "");
  EXPECT_EQ(tablespace_of("base/1"), "");
}

TEST(TarRules, KeepsHardLinksInside) {
  const MemberDecision decision = decided(member("a/b", TarType::hardlink, "./c/d"));
  EXPECT_EQ(decision.action, MemberAction::link_file);
  EXPECT_EQ(decision.link_target, "c/d");
  for (const char* target : {"/etc/shadow", "../x", "c/../../x", "", "a/b"}) {
    EXPECT_FALSE(decide(member("a/b", TarType::hardlink, target), 0)) << target;
  }
}

Result<bool> add(MemberLedger& ledger, std::uint32_t partition, const TarMember& in) {
  return ledger.add(partition, decided(in));
}

TEST(MemberLedger, RefusesAMemberThroughALinkInEitherOrder) {
  MemberLedger after;
  EXPECT_TRUE(add(after, 0, member("out", TarType::symlink, "/etc")));
  EXPECT_EQ(add(after, 0, member("out/x")).error().reason, Reason::unsafe_content);
  EXPECT_EQ(add(after, 1, member("out/deep/x")).error().reason, Reason::unsafe_content);
  EXPECT_TRUE(add(after, 1, member("outside")));
  MemberLedger before;
  EXPECT_TRUE(add(before, 0, member("out/deep/x")));
  EXPECT_EQ(add(before, 1, member("out", TarType::symlink, "/etc")).error().reason,
            Reason::unsafe_content);
}

TEST(MemberLedger, RefusesAFileThatIsADirectoryToo) {
  MemberLedger ledger;
  EXPECT_TRUE(add(ledger, 0, member("a")));
  EXPECT_EQ(add(ledger, 0, member("a/b")).error().reason, Reason::unsafe_content);
  EXPECT_TRUE(add(ledger, 0, member("c/d/e")));
  EXPECT_EQ(add(ledger, 0, member("c/d")).error().reason, Reason::unsafe_content);
}

TEST(MemberLedger, RefusesANameTwiceInOnePartition) {
  MemberLedger ledger;
  EXPECT_TRUE(*add(ledger, 0, member("a")));
  EXPECT_EQ(add(ledger, 0, member("./a")).error().reason, Reason::metadata_invalid);
}

/// Partition `number` of a backup of three: names of `content`'s members.
void fill(MemberLedger& ledger, std::uint32_t number, int content, int members = 10) {
  if (content == 0) {
    ASSERT_TRUE(add(ledger, number, member("/", TarType::directory)));
  }
  for (int at = 0; at < members; ++at) {
    ASSERT_TRUE(
        add(ledger, number, member("base/" + std::to_string(content) + "/" + std::to_string(at))));
  }
}

std::vector<PartitionShape> shapes_of(std::vector<std::pair<bool, std::uint64_t>> in) {
  std::vector<PartitionShape> out;
  for (const auto& [root, members] : in) {
    out.push_back({.object = "part_" + std::to_string(out.size()),
                   .members = members,
                   .bytes = 0,
                   .has_root = root});
  }
  return out;
}

TEST(MemberLedger, TellsTheCopyFromTheOriginal) {
  struct Case {
    int contents[3];
    std::vector<std::pair<bool, std::uint64_t>> shapes;
    const char* copy;
  };
  const std::vector<Case> cases{
      {{0, 0, 2}, {{true, 6144}, {true, 6144}, {false, 10}}, "part_1"},
      {{1, 1, 2}, {{false, 6144}, {false, 6144}, {false, 10}}, "part_0"},
      {{0, 2, 2}, {{true, 6144}, {false, 10}, {false, 10}}, "part_1"},
      {{0, 1, 1}, {{true, 6144}, {false, 6144}, {false, 6144}}, "part_2"},
      {{0, 1, 0}, {{true, 6144}, {false, 6144}, {true, 6144}}, "part_2"},
  };
  for (const Case& one : cases) {
    MemberLedger ledger;
    for (std::uint32_t number = 0; number < 3; ++number) {
      fill(ledger, number, one.contents[number], 6144);
    }
    const auto errors = ledger.duplicates(shapes_of(one.shapes));
    ASSERT_EQ(errors.size(), 1U) << one.copy;
    EXPECT_EQ(errors[0].second.reason, Reason::missing_object);
    EXPECT_EQ(errors[0].second.object, one.copy);
  }
}

TEST(MemberLedger, CallsASingleCommonMemberAContradiction) {
  MemberLedger ledger;
  fill(ledger, 0, 0);
  fill(ledger, 1, 1);
  EXPECT_FALSE(*add(ledger, 1, member("base/0/3")));
  const auto errors = ledger.duplicates(shapes_of({{true, 11}, {false, 11}}));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].second.reason, Reason::metadata_invalid);
  EXPECT_THAT(errors[0].second.message, HasSubstr("base/0/3"));
}

}  // namespace
}  // namespace rad::wal_e
