#include "plugins/wal_e/suspect_pages.h"

#include <gtest/gtest.h>

namespace rad::wal_e {
namespace {

SuspectPage page(std::string path, std::uint64_t block, bool partial = false) {
  return {.path = std::move(path), .block = block, .partial = partial};
}

// As pg_waldump of PostgreSQL 15 prints them.
constexpr std::string_view kHeap =
    "rmgr: Heap        len (rec/tot):     54/  8150, tx:        735, lsn: 0/03000110, prev "
    "0/030000D8, "
    "desc: INSERT off 1 flags 0x08, blkref #0: rel 1663/16384/16385 blk 7 FPW";
constexpr std::string_view kTwoBlocks =
    "rmgr: Heap2       len (rec/tot):     64/  8256, tx:          0, lsn: 0/07009FE0, prev "
    "0/07009FA8, "
    "desc: VISIBLE cutoff xid 0 flags 0x03, blkref #0: rel 1663/16384/16385 fork vm blk 0 FPW, "
    "blkref "
    "#1: rel 1663/16384/16385 blk 9";
constexpr std::string_view kCommit =
    "rmgr: Transaction len (rec/tot):   2501/  2501, tx:        979, lsn: 0/0721AB68, prev "
    "0/0721AB18, "
    "desc: COMMIT 2026-11-20 18:44:51.219390 UTC; rels: base/16384/16711 "
    "pg_tblspc/16400/PG_15_202209061/"
    "5/16714 base/16384/16715; dropped stats: 2/16384/16999; inval msgs: catcache 55";
constexpr std::string_view kTruncate =
    "rmgr: Storage     len (rec/tot):     46/    46, tx:        980, lsn: 0/07279A28, prev "
    "0/072799F8, "
    "desc: TRUNCATE base/16384/16755 to 0 blocks flags 7";
constexpr std::string_view kDropDatabase =
    "rmgr: Database    len (rec/tot):     38/    38, tx:        981, lsn: 0/07279B28, prev "
    "0/07279A28, "
    "desc: DROP dir 1663/16999";

std::size_t left(const std::vector<SuspectPage>& pages,
                 std::initializer_list<std::string_view> lines,
                 const std::vector<std::string>& init_forks = {}) {
  SuspectJudge judge(pages, init_forks);
  for (const auto line : lines) judge.feed(line);
  return judge.unexplained().size();
}

TEST(RelationPath, IsUnderstood) {
  const auto file = parse_relation_path("pg_tblspc/16400/PG_15_202209061/5/16403_fsm.1");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->relation.tablespace, 16400U);
  EXPECT_EQ(file->relation.database, 5U);
  EXPECT_EQ(file->relation.relation, 16403U);
  EXPECT_EQ(file->fork, Fork::fsm);
  EXPECT_EQ(parse_relation_path("global/1262")->relation.tablespace, 1664U);
  EXPECT_EQ(parse_relation_path("base/5/16384_init")->fork, Fork::init);
  for (const char* path :
       {"", "base/5", "base/5/", "base/x/1", "global/pg_control", "base/5/t3_16384",
        "base/5/16384.", "pg_tblspc/1/5/2", "base/5/16384_main"}) {
    EXPECT_FALSE(parse_relation_path(path)) << path;
  }
}

TEST(Suspect, IsExcusedByAReferenceToThatBlockOnly) {
  EXPECT_EQ(left({page("base/16384/16385", 7)}, {kHeap}), 0U);
  EXPECT_EQ(left({page("base/16384/16385", 8)}, {kHeap}), 1U);
  EXPECT_EQ(left({page("base/16384/16386", 7)}, {kHeap}), 1U);
  EXPECT_EQ(left({page("base/5/16385", 7)}, {kHeap}), 1U);
  EXPECT_EQ(left({page("base/16384/16385", 7)}, {}), 1U);
}

TEST(Suspect, IsFoundAmongSeveralReferencesOfARecord) {
  EXPECT_EQ(left({page("base/16384/16385", 9), page("base/16384/16385_vm", 0)}, {kTwoBlocks}), 0U);
}

TEST(Suspect, OfAMapIsExcusedByAnyChangeOfItsRelation) {
  EXPECT_EQ(left({page("base/16384/16385_vm", 3), page("base/16384/16385_fsm", 2)}, {kHeap}), 0U);
  EXPECT_EQ(left({page("base/16384/16386_vm", 3)}, {kHeap}), 1U);
}

TEST(Suspect, OfARelationThatWasDroppedOrTruncatedIsExcused) {
  EXPECT_EQ(
      left({page("base/16384/16711", 70), page("pg_tblspc/16400/PG_15_202209061/5/16714.2", 1),
            page("base/16384/16715_fsm", 0)},
           {kCommit}),
      0U);
  EXPECT_EQ(left({page("base/16384/16999", 0)}, {kCommit}), 1U)
      << "only its statistics are dropped";
  EXPECT_EQ(left({page("base/16384/16755", 4)}, {kTruncate}), 0U);
}

TEST(Suspect, OfADatabaseThatWasDroppedIsExcused) {
  EXPECT_EQ(left({page("base/16999/1249", 1)}, {kDropDatabase}), 0U);
  EXPECT_EQ(left({page("base/16998/1249", 1), page("global/1262", 0)}, {kDropDatabase}), 2U);
}

TEST(Suspect, OfAnUnloggedRelationIsNeverJudgedButItsInitForkIs) {
  EXPECT_EQ(left({page("base/16384/16390", 1), page("base/16384/16390_fsm", 0)}, {},
                 {"base/16384/16390"}),
            0U);
  EXPECT_EQ(left({page("base/16384/16390_init", 0)}, {}, {"base/16384/16390"}), 1U);
}

TEST(Suspect, ThatIsPartialIsExcusedByLaterBlocks) {
  constexpr std::string_view kLater =
      "rmgr: Heap        len (rec/tot): 1/1, tx: 1, lsn: 0/03000110, prev 0/030000D8, "
      "desc: INSERT+INIT off 1, blkref #0: rel 1663/16384/16385 blk 12";
  EXPECT_EQ(left({page("base/16384/16385", 7, true)}, {kLater}), 0U);
  EXPECT_EQ(left({page("base/16384/16385", 7, false)}, {kLater}), 1U);
}

TEST(SuspectJudge, TellsWhatReplayRepairsFromWhatIsExcused) {
  SuspectJudge judge(
      {page("base/16384/16385", 7), page("base/16384/16711", 1), page("global/1262", 0)}, {});
  judge.feed(kHeap);
  judge.feed(kCommit);
  ASSERT_EQ(judge.replayed().size(), 1U);
  EXPECT_EQ(judge.replayed()[0].block, 7U);
  ASSERT_EQ(judge.unexplained().size(), 1U);
  EXPECT_EQ(judge.unexplained()[0].path, "global/1262");
  EXPECT_EQ(judge.dropped_relations(), 3U);
}

TEST(SuspectJudge, TakesAnyLine) {
  SuspectJudge judge({page("base/16384/16385", 7)}, {});
  for (const char* line :
       {"", "desc: ", "rmgr: Heap desc: blkref #", "desc: blkref #0: rel ",
        "desc: blkref #0: rel 1/2", "desc: blkref #0: rel 1/2/3 fork x blk",
        "rmgr: Storage desc: TRUNCATE", "rmgr: Database desc: DROP dir",
        "rmgr: Database desc: DROP dir 1663/", "rmgr: Transaction desc: rels: ;"}) {
    judge.feed(line);
  }
  EXPECT_EQ(judge.unexplained().size(), 1U);
}

TEST(FindSuspects, TakesPagesWithAWrongSumOrNone) {
  BaseBackupContent content;
  content.suspects = {{.path = "base/5/1", .block = 1}};
  content.unset = {{.path = "base/5/2", .block = 2}};
  const Suspects found = find_suspects(content, true);
  ASSERT_EQ(found.pages.size(), 2U);
  EXPECT_EQ(found.pages[1].path, "base/5/2");
  EXPECT_FALSE(found.cut);
  content.suspects_cut = true;
  EXPECT_TRUE(find_suspects(content, true).cut);
}

TEST(FindSuspects, SuspectsNothingOfAClusterWithoutChecksums) {
  BaseBackupContent content;
  content.unset = {{.path = "base/5/2", .block = 2}};
  content.suspects_cut = true;
  const Suspects found = find_suspects(content, false);
  EXPECT_TRUE(found.pages.empty());
  EXPECT_FALSE(found.cut);
}

}  // namespace
}  // namespace rad::wal_e
