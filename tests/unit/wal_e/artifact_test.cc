#include "plugins/wal_e/artifact.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/protocol/codec.h"

namespace rad::wal_e {
namespace {

namespace bj = boost::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

RestoredBackup restored(std::size_t pages, std::size_t links, const std::string& link) {
  RestoredBackup backup;
  for (std::size_t i = 0; i < pages; ++i) {
    backup.evidence.to_judge.push_back({.path = "base/5/16385", .block = i});
  }
  backup.evidence.content.links_left_out.assign(links, link);
  return backup;
}

MadeArtifact make(const RestoredBackup& backup) {
  return make_artifact(backup, PinnedBackup(), RecoverTo(), {"/fetch"});
}

std::size_t listed(const MadeArtifact& made, const char* key) {
  return made.artifact.properties.at(key).as_array().size();
}

/// Size of the answer to `restore`.
std::size_t line_bytes(const MadeArtifact& made) {
  protocol::RestoreResult result;
  result.artifact = made.artifact;
  result.findings = made.findings;
  protocol::Response response;
  response.result = protocol::to_json(result);
  return protocol::encode(response).size();
}

TEST(Artifact, NamesEverythingThatFits) {
  const auto made = make(restored(1000, 1000, "pg_wal -> /mnt/wal"));
  EXPECT_EQ(listed(made, "suspect_pages"), 1000U);
  EXPECT_EQ(listed(made, "links_left_out"), 1000U);
  EXPECT_FALSE(made.artifact.properties.at("suspect_pages_cut").as_bool());
  EXPECT_THAT(made.findings, IsEmpty());
}

TEST(Artifact, SaysWhenSuspectPagesAreCut) {
  const auto made = make(restored(1001, 0, ""));
  EXPECT_EQ(listed(made, "suspect_pages"), 1000U);
  EXPECT_TRUE(made.artifact.properties.at("suspect_pages_cut").as_bool());
  ASSERT_THAT(made.findings, SizeIs(1));
  EXPECT_EQ(made.findings[0].code, "artifact_cut");
  EXPECT_THAT(made.findings[0].message, HasSubstr("1000 of 1001 pages"));
}

TEST(Artifact, SaysWhenTheScanItselfHasCutSuspectPages) {
  auto backup = restored(3, 0, "");
  backup.evidence.suspects_cut = true;
  const auto made = make(backup);
  EXPECT_TRUE(made.artifact.properties.at("suspect_pages_cut").as_bool());
  ASSERT_THAT(made.findings, SizeIs(1));
  EXPECT_THAT(made.findings[0].message, HasSubstr("3 of more than 3 pages"));
}

TEST(Artifact, SaysWhenLinksAreCut) {
  auto backup = restored(0, 1001, "pg_wal -> /mnt/wal");
  backup.evidence.content.links_not_listed = 500;
  const auto made = make(backup);
  EXPECT_EQ(listed(made, "links_left_out"), 1000U);
  EXPECT_FALSE(made.artifact.properties.at("suspect_pages_cut").as_bool());
  ASSERT_THAT(made.findings, SizeIs(1));
  EXPECT_EQ(made.findings[0].code, "artifact_cut");
  EXPECT_THAT(made.findings[0].message, HasSubstr("1000 of 1501 symbolic links"));
}

TEST(Artifact, FitsIntoALineWhateverTheBackupHolds) {
  // The longest path and target that tar rules let pass, of characters that JSON spells longest.
  auto backup = restored(0, 1000, std::string(8000, '\x01'));
  for (std::size_t i = 0; i < 1000; ++i) {
    backup.evidence.to_judge.push_back({.path = std::string(4000, '"'), .block = i});
  }
  const auto made = make(backup);
  EXPECT_LT(line_bytes(made), protocol::kMaxLineBytes);
  EXPECT_GT(listed(made, "suspect_pages"), 0U);
  EXPECT_GT(listed(made, "links_left_out"), 0U);
  EXPECT_TRUE(made.artifact.properties.at("suspect_pages_cut").as_bool());
  EXPECT_THAT(made.findings, SizeIs(2));
}

}  // namespace
}  // namespace rad::wal_e
