#include "agent/run/lost_ledger.h"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/base/text.h"
#include "agent/run/workspace.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRun = "20261121T030000-1a2b3c4d";
constexpr const char* kKeptRun = "20261121T030000-5e6f7a8b";

class LostLedger : public testing::Test {
 protected:
  void SetUp() override {
    options_.state_dir = dir_ / "state";
    options_.scratch_dir = dir_ / "scratch";
    options_.runtime_dir = dir_ / "rt";
    for (const auto& path : {options_.state_dir, options_.scratch_dir, options_.runtime_dir}) {
      fs::create_directories(path);
    }
    std::ofstream(options_.state_dir / "rad.db.damaged-20261121T030000Z") << "x";
  }
  fs::path make(const fs::path& path, const std::string& marker) {
    fs::create_directories(path);
    std::ofstream(path / kMarkerName) << marker;
    return path;
  }
  std::vector<LedgerEntry> recovered() {
    said_ = recover_ledger(options_, store_);
    return *store_.ledger();
  }

  test::TempDir dir_;
  AgentOptions options_;
  Store store_ = *Store::open(dir_ / "rad.db");
  std::vector<std::string> said_;
};

TEST_F(LostLedger, MarkersSayWhatLiesThere) {
  const auto scratch = make(options_.scratch_dir / kRun, kRun);
  const auto runtime = make(options_.runtime_dir / "0a1b2c3d", kRun);
  const auto kept = make(options_.scratch_dir / kKeptRun, kKeptRun);
  const TimePoint until = *parse_time("2026-11-22T00:00:00Z");
  ASSERT_TRUE(mark_kept(kept, until));
  const auto entries = recovered();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(said_.size(), 3U);
  for (const LedgerEntry& entry : entries) {
    EXPECT_EQ(entry.marker, entry.run_id);
    if (entry.path == kept) {
      EXPECT_EQ(entry.kind, LedgerKind::kept);
      EXPECT_EQ(entry.keep_until, until);
    } else {
      EXPECT_EQ(entry.kind,
                entry.path == runtime ? LedgerKind::runtime_dir : LedgerKind::scratch_dir);
      EXPECT_EQ(entry.run_id, kRun);
    }
  }
  // Again: nothing new.
  EXPECT_EQ(recovered().size(), 3U);
  EXPECT_TRUE(said_.empty());
}

TEST_F(LostLedger, NothingWithoutADamagedStore) {
  fs::remove(options_.state_dir / "rad.db.damaged-20261121T030000Z");
  make(options_.scratch_dir / kRun, kRun);
  EXPECT_TRUE(recovered().empty());
}

TEST_F(LostLedger, WhatIsNotSurelyOursIsLeft) {
  make(options_.scratch_dir / "20261121T030000-00000000", kRun);
  make(options_.scratch_dir / "x", "../../etc");
  make(options_.scratch_dir / "long", std::string(5000, 'a'));
  fs::create_directories(options_.scratch_dir / "20261121T030000-11111111");
  const auto outside = make(dir_ / "outside" / kRun, kRun);
  fs::create_directory_symlink(outside, options_.scratch_dir / kRun);
  const auto linked = options_.scratch_dir / kKeptRun;
  fs::create_directories(linked);
  std::ofstream(dir_ / "marker") << kKeptRun;
  fs::create_symlink(dir_ / "marker", linked / kMarkerName);
  if (::geteuid() == 0) {
    const auto foreign =
        make(options_.scratch_dir / "20261121T030000-22222222", "20261121T030000-22222222");
    ASSERT_EQ(::chown(foreign.c_str(), 65534, 65534), 0);
    const auto planted =
        make(options_.scratch_dir / "20261121T030000-33333333", "20261121T030000-33333333");
    ASSERT_EQ(::chown((planted / kMarkerName).c_str(), 65534, 65534), 0);
  }
  EXPECT_TRUE(recovered().empty());
  EXPECT_TRUE(said_.empty());
}

TEST_F(LostLedger, AnEndThatCannotBeReadKeepsNothing) {
  const auto path = make(options_.scratch_dir / kRun, kRun);
  std::ofstream(path / kKeptName) << "for ever";
  EXPECT_FALSE(kept_until(path));
  ASSERT_EQ(recovered().size(), 1U);
  EXPECT_EQ(store_.ledger()->front().kind, LedgerKind::scratch_dir);
}

}  // namespace
}  // namespace rad
