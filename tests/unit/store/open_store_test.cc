// The agent has a store to work with whatever has become of the file.
#include "agent/store/open_store.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "tests/unit/store/raw_sql.h"
#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t kPage = 4096;

class OpenStore : public testing::Test {
 protected:
  OpenStore() { std::filesystem::create_directory(run_); }
  OpenedStore open() { return must(open_or_set_aside(path_, run_, at(1'700'000'000))); }
  /// 300 runs, a ledger, an issue, a request.
  void fill() {
    Store store = must(Store::open(path_));
    for (int i = 0; i < 300; ++i) {
      must(store.end_run(ended(begun("r" + std::to_string(1000 + i), 1000 + i), Verdict::pass)));
    }
    for (int i = 0; i < 5; ++i) {
      must(store.ledger_add(
          {.run_id = "r100" + std::to_string(i), .path = "/s/" + std::to_string(i)}));
    }
    must(store.put_issue({.reporter = "gitlab", .target = "t", .open = true}));
    must(store.put_request({.id = "waiting", .target = "t"}));
  }
  void overwrite(std::uintmax_t offset, const std::string& bytes) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file << bytes;
  }
  /// Pages (from 1) of one table or index.
  std::vector<std::uintmax_t> pages_of(const std::string& name) {
    std::vector<std::uintmax_t> pages;
    const std::string rows =
        sql(path_, "SELECT pageno FROM dbstat WHERE name = '" + name + "' AND pagetype = 'leaf'");
    for (std::size_t at = 0; at < rows.size(); at = rows.find('\n', at) + 1) {
      pages.push_back(std::stoull(rows.substr(at)));
    }
    return pages;
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      found.push_back(entry.path().filename());
    }
    return found;
  }

  TempDir dir_;
  std::filesystem::path path_ = dir_ / "rad.db";
  std::filesystem::path run_ = dir_ / "run";
};

TEST_F(OpenStore, AGoodFileIsOpenedAsItIs) {
  fill();
  OpenedStore opened = open();
  EXPECT_EQ(opened.place, StorePlace::file);
  EXPECT_EQ(opened.trouble, StoreTrouble::none);
  EXPECT_FALSE(opened.error);
  EXPECT_TRUE(opened.store.durable());
  EXPECT_EQ(must(opened.store.list_summaries({.limit = 1000})).size(), 300U);
}

TEST_F(OpenStore, OneDamagedPageCostsOnlyWhatIsOnIt) {
  fill();
  const auto pages = pages_of("runs");
  ASSERT_GT(pages.size(), 20U);
  overwrite((pages[10] - 1) * kPage, std::string(kPage, '\xff'));
  OpenedStore opened = open();
  EXPECT_EQ(opened.trouble, StoreTrouble::damaged);
  EXPECT_EQ(opened.place, StorePlace::file);
  EXPECT_TRUE(opened.store.durable());
  EXPECT_EQ(opened.moved_to, dir_ / "rad.db.damaged-20231114T221320Z");
  EXPECT_TRUE(std::filesystem::exists(opened.moved_to));
  EXPECT_THAT(opened.damaged_tables, Contains("runs"));
  EXPECT_EQ(opened.ledger_entries, 5U);
  EXPECT_GE(opened.runs, 285U);
  EXPECT_LT(opened.runs, 300U);
  const auto runs = must(opened.store.list_runs({.limit = 1000}));
  EXPECT_EQ(runs.size(), opened.runs);
  EXPECT_EQ(runs.front().id, "r1299");
  EXPECT_EQ(runs.back().id, "r1000");
  EXPECT_EQ(must(opened.store.ledger()).size(), 5U);
  EXPECT_EQ(must(opened.store.list_issues()).size(), 1U);
  EXPECT_EQ(must(opened.store.list_requests()).size(), 1U);
  EXPECT_EQ(must(opened.store.counters()).runs[0].count, 300U);
  EXPECT_EQ(open().trouble, StoreTrouble::none) << "the new file is good";
  EXPECT_EQ(sql(path_, "PRAGMA integrity_check"), "ok\n");
}

TEST_F(OpenStore, ManyDamagedPagesLeaveTheOthers) {
  fill();
  const auto pages = pages_of("runs");
  for (std::size_t i = 3; i < pages.size(); i += 7) {
    overwrite((pages[i] - 1) * kPage, std::string(kPage, '\0'));
  }
  OpenedStore opened = open();
  EXPECT_EQ(opened.trouble, StoreTrouble::damaged);
  EXPECT_GT(opened.runs, 300U * 3 / 4);
  EXPECT_EQ(must(opened.store.ledger()).size(), 5U);
}

TEST_F(OpenStore, TheLastRunOfAScheduleIsFoundAgain) {
  fill();
  const auto pages = pages_of("latest_runs");
  ASSERT_EQ(pages.size(), 1U);
  overwrite((pages[0] - 1) * kPage, std::string(kPage, '\xff'));
  OpenedStore opened = open();
  EXPECT_THAT(opened.damaged_tables, Contains("latest_runs"));
  const auto latest = must(opened.store.latest_runs());
  ASSERT_EQ(latest.size(), 1U);
  EXPECT_EQ(latest[0].report.id, "r1299");
  EXPECT_EQ(latest[0].last_success, at(1299 + 60));
}

TEST_F(OpenStore, GarbageIsKeptAndANewFileStarted) {
  const std::string garbage(100'000, 'x');
  dir_.write("rad.db", garbage);
  OpenedStore opened = open();
  EXPECT_EQ(opened.trouble, StoreTrouble::damaged);
  ASSERT_TRUE(opened.error);
  EXPECT_THAT(opened.error->message, HasSubstr("damaged"));
  EXPECT_EQ(opened.runs, 0U);
  EXPECT_THAT(opened.damaged_tables, Contains("all"));
  EXPECT_EQ(must(read_file(opened.moved_to)), garbage);
  must(opened.store.begin_run(begun("r1")));
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(OpenStore, TwiceDamagedInASecondOverwritesNothing) {
  dir_.write("rad.db", std::string(5000, 'x'));
  const auto first = open().moved_to;
  std::filesystem::remove(dir_ / "rad.db-wal");
  dir_.write("rad.db", std::string(5000, 'y'));
  const auto second = open().moved_to;
  EXPECT_NE(first, second);
  EXPECT_EQ(must(read_file(first)), std::string(5000, 'x'));
  EXPECT_EQ(must(read_file(second)), std::string(5000, 'y'));
}

TEST_F(OpenStore, TheLogOfADamagedFileGoesWithIt) {
  fill();
  Store store = must(Store::open(path_));
  must(store.begin_run(begun("in-the-log")));
  // A crash leaves the log; the pages of the file itself are damaged then.
  for (const char* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(path_.string() + suffix, (dir_ / "copy.db").string() + suffix);
  }
  path_ = dir_ / "copy.db";
  overwrite(20 * kPage, std::string(kPage, '\xff'));
  OpenedStore opened = open();
  EXPECT_EQ(opened.trouble, StoreTrouble::damaged);
  EXPECT_TRUE(std::filesystem::exists(opened.moved_to.string() + "-wal"));
  EXPECT_FALSE(must(opened.store.load_run("r1000"))->ended_at == std::nullopt);
  EXPECT_TRUE(must(opened.store.load_run("in-the-log")));
}

TEST_F(OpenStore, AnotherProgramsAndANewerFileAreErrors) {
  sql(path_, "CREATE TABLE recipes (name TEXT)");
  EXPECT_FALSE(open_or_set_aside(path_, run_, at(1)));
  std::filesystem::remove(path_);
  fill();
  sql(path_, "PRAGMA user_version=99");
  const auto newer = open_or_set_aside(path_, run_, at(1));
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().message, HasSubstr("schema version 99"));
  EXPECT_FALSE(open_or_set_aside(dir_ / "none" / "rad.db", run_, at(1)));
}

TEST_F(OpenStore, AFileThatIsRemovedUnderAnOpenStoreIsNoticed) {
  fill();
  Store store = must(Store::open(path_));
  std::filesystem::remove(path_);
  const auto begin = store.begin_run(begun("r1"));
  ASSERT_FALSE(begin);
  EXPECT_EQ(store.trouble(), StoreTrouble::moved);
  EXPECT_THAT(begin.error().message, HasSubstr("moved or removed"));
  store = open().store;
  must(store.begin_run(begun("r1")));
  EXPECT_EQ(store.trouble(), StoreTrouble::none);
}

/// A file system of its own for the store, so that it can be filled and made read-only.
class OpenStoreOnSmallDisk : public OpenStore {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(mount_);
    if (::mount("tmpfs", mount_.c_str(), "tmpfs", 0, "size=16m") != 0) {
      GTEST_SKIP() << "a file system of its own needs root";
    }
    mounted_ = true;
    path_ = mount_ / "rad.db";
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(::umount(mount_.c_str()), 0);
    }
  }
  void fill_disk() {
    std::ofstream file(mount_ / "ballast", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void make_space() { std::filesystem::remove(mount_ / "ballast"); }
  void remount(unsigned long flags) {
    ASSERT_EQ(::mount("tmpfs", mount_.c_str(), "tmpfs", MS_REMOUNT | flags, "size=16m"), 0);
  }

  std::filesystem::path mount_ = dir_ / "small";
  bool mounted_ = false;
};

TEST_F(OpenStoreOnSmallDisk, AFullDiskHasAStandInWithEverythingInIt) {
  fill();
  fill_disk();
  OpenedStore opened = open();
  EXPECT_EQ(opened.place, StorePlace::stand_in);
  EXPECT_EQ(opened.trouble, StoreTrouble::full);
  ASSERT_TRUE(opened.error);
  EXPECT_THAT(opened.error->hint, HasSubstr("space"));
  EXPECT_FALSE(opened.store.durable());
  EXPECT_EQ(opened.runs, 300U);
  EXPECT_EQ(must(opened.store.ledger()).size(), 5U);
  EXPECT_EQ(must(opened.store.list_requests()).size(), 1U);
}

TEST_F(OpenStoreOnSmallDisk, NothingIsRestoredOrKeptWithoutTheFile) {
  fill();
  fill_disk();
  OpenedStore opened = open();
  RunReport restore = begun("restore");
  restore.depth = Depth::restore;
  const auto begin = opened.store.begin_run(restore);
  ASSERT_FALSE(begin);
  EXPECT_EQ(begin.error().reason, Reason::host_unfit);
  EXPECT_THAT(begin.error().hint, HasSubstr("verify go on"));
  EXPECT_FALSE(opened.store.ledger_add({.run_id = "r", .kind = LedgerKind::kept, .path = "/s"}));
  must(opened.store.begin_run(begun("verify")));
  must(opened.store.ledger_add({.run_id = "verify", .path = "/s/verify"}));
  must(opened.store.end_run(ended(begun("verify"), Verdict::pass)));
}

TEST_F(OpenStoreOnSmallDisk, WhatHappenedMeanwhileComesBackToTheFile) {
  fill();
  fill_disk();
  {
    OpenedStore opened = open();
    ASSERT_EQ(opened.place, StorePlace::stand_in);
    must(opened.store.end_run(ended(begun("meanwhile", 5000), Verdict::fail)));
    must(opened.store.ledger_add({.run_id = "meanwhile", .path = "/s/meanwhile"}));
    must(opened.store.remove_request("waiting"));
    must(opened.store.append_audit({.action = "run.cancel"}));
    // Killed here: the stand-in outlives the process.
  }
  {
    OpenedStore opened = open();
    EXPECT_EQ(opened.place, StorePlace::stand_in);
    EXPECT_TRUE(must(opened.store.load_run("meanwhile"))) << "the same stand-in again";
  }
  make_space();
  OpenedStore opened = open();
  EXPECT_EQ(opened.place, StorePlace::file);
  EXPECT_TRUE(opened.store.durable());
  EXPECT_TRUE(must(opened.store.load_run("meanwhile")));
  EXPECT_EQ(must(opened.store.ledger()).size(), 6U);
  EXPECT_THAT(must(opened.store.list_requests()), IsEmpty());
  EXPECT_EQ(must(opened.store.list_audit({})).size(), 1U);
  std::uint64_t counted = 0;
  for (const auto& row : must(opened.store.counters()).runs) counted += row.count;
  EXPECT_EQ(counted, 301U);
  EXPECT_EQ(must(opened.store.latest_runs())[0].report.id, "meanwhile");
  EXPECT_EQ(must(opened.store.latest_runs())[0].last_success, at(1299 + 60));
  EXPECT_TRUE(std::filesystem::is_empty(run_));
}

TEST_F(OpenStoreOnSmallDisk, AStandInThatIsOpenIsReplacedInPlace) {
  fill();
  Store store = must(Store::open(path_));
  fill_disk();
  std::optional<Error> error;
  for (int i = 0; i < 500 && !error; ++i) {
    if (auto begin = store.begin_run(begun("x" + std::to_string(i))); !begin) error = begin.error();
  }
  ASSERT_TRUE(error) << "the disk never filled up";
  EXPECT_EQ(store.trouble(), StoreTrouble::full);
  store = open().store;
  EXPECT_FALSE(store.durable());
  must(store.begin_run(begun("meanwhile")));
  make_space();
  store = open().store;
  EXPECT_TRUE(store.durable());
  EXPECT_TRUE(must(store.load_run("meanwhile")));
}

TEST_F(OpenStoreOnSmallDisk, AReadOnlyDiskHasAStandIn) {
  {
    fill();
    // As after a power cut: with a log that is not in the file yet.
    Store store = must(Store::open(path_));
    must(store.begin_run(begun("in-the-log")));
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy_file(path_.string() + suffix, (mount_ / "copy.db").string() + suffix);
    }
  }
  path_ = mount_ / "copy.db";
  remount(MS_RDONLY);
  {
    OpenedStore opened = open();
    EXPECT_EQ(opened.place, StorePlace::stand_in);
    EXPECT_EQ(opened.trouble, StoreTrouble::read_only);
    EXPECT_EQ(opened.runs, 301U);
    EXPECT_TRUE(must(opened.store.load_run("in-the-log")));
  }
  remount(0);
  EXPECT_EQ(open().place, StorePlace::file);
}

TEST_F(OpenStoreOnSmallDisk, WithoutAPlaceForAStandInThereIsMemory) {
  fill();
  fill_disk();
  OpenedStore opened = must(open_or_set_aside(path_, {}, at(1)));
  EXPECT_EQ(opened.place, StorePlace::memory);
  EXPECT_EQ(opened.runs, 300U);
  EXPECT_FALSE(opened.store.durable());
  must(opened.store.end_run(ended(begun("meanwhile", 5000), Verdict::pass)));
  make_space();
  OpenedStore file = must(open_or_set_aside(path_, {}, at(1)));
  ASSERT_EQ(file.place, StorePlace::file);
  must(file.store.adopt(opened.store));
  EXPECT_TRUE(must(file.store.load_run("meanwhile")));
}

TEST_F(OpenStoreOnSmallDisk, ADamagedFileOnAFullDiskStaysWhereItIs) {
  fill();
  overwrite(20 * kPage, std::string(kPage, '\xff'));
  fill_disk();
  OpenedStore opened = open();
  EXPECT_EQ(opened.place, StorePlace::stand_in);
  EXPECT_NE(opened.trouble, StoreTrouble::none) << "which of the two is found first is no matter";
  EXPECT_EQ(must(opened.store.ledger()).size(), 5U);
  make_space();
  OpenedStore again = open();
  EXPECT_EQ(again.place, StorePlace::file);
  EXPECT_EQ(again.trouble, StoreTrouble::damaged);
  EXPECT_EQ(must(again.store.ledger()).size(), 5U);
}

/// The file or its log goes while the store is open.
class MovedStore : public OpenStore {
 protected:
  MovedStore() { fill(); }  // by another connection
  OpenedStore open_again() { return must(open_moved(path_, run_, at(1'700'000'000), store_)); }
  void remove(std::initializer_list<const char*> suffixes) {
    for (const char* suffix : suffixes) std::filesystem::remove(path_.string() + suffix);
  }
  static void expect_all(Store& store) {
    RunFilter all;
    all.limit = 1000;
    EXPECT_EQ(must(store.list_summaries(all)).size(), 300U);
    EXPECT_EQ(must(store.ledger()).size(), 5U);
    EXPECT_EQ(must(store.list_requests()).size(), 1U);
  }
  Store store_ = must(Store::open(path_));
};

TEST_F(MovedStore, IsWhereItWas) {
  EXPECT_TRUE(store_.in_place());
  EXPECT_EQ(store_.trouble(), StoreTrouble::none);
}

TEST_F(MovedStore, AllGoesToANewFileWhenTheOldOneIsGone) {
  remove({""});
  EXPECT_FALSE(store_.in_place());
  EXPECT_EQ(store_.trouble(), StoreTrouble::moved);
  OpenedStore again = open_again();
  EXPECT_EQ(again.place, StorePlace::file);
  store_ = std::move(again.store);
  expect_all(store_);
  EXPECT_TRUE(store_.in_place());
  must(store_.begin_run(begun("r1")));
  Store reread = must(Store::open(path_));
  EXPECT_TRUE(must(reread.load_run("r1")));
}

TEST_F(MovedStore, AllGoesToANewFileWhenTheLogIsGoneToo) {
  remove({"", "-wal", "-shm"});
  EXPECT_FALSE(store_.in_place());
  OpenedStore again = open_again();
  EXPECT_EQ(again.place, StorePlace::file);
  expect_all(again.store);
}

TEST_F(MovedStore, ALostLogIsNoticedAndItsContentIsNotLost) {
  must(store_.begin_run(begun("r1")));
  remove({"-wal", "-shm"});
  EXPECT_FALSE(store_.in_place());
  EXPECT_FALSE(store_.update_run(begun("r1")));
  OpenedStore again = open_again();
  EXPECT_EQ(again.place, StorePlace::file);
  EXPECT_TRUE(must(again.store.load_run("r1")));
  EXPECT_TRUE(again.store.in_place());
  must(again.store.update_run(begun("r1")));
}

TEST_F(MovedStore, AnotherFileInItsPlaceIsTakenAsItIs) {
  std::filesystem::rename(path_, dir_ / "was.db");
  remove({"-wal", "-shm"});
  {
    Store other = must(Store::open(path_));
    must(other.put_request({.id = "other", .target = "t"}));
  }
  EXPECT_FALSE(store_.in_place());
  OpenedStore again = open_again();
  EXPECT_TRUE(must(again.store.ledger()).empty());
  EXPECT_EQ(must(again.store.list_requests()).front().id, "other");
}

TEST_F(MovedStore, MemoryKeepsAllWhenNothingCanBeOpened) {
  std::filesystem::rename(dir_.path(), dir_.path().string() + ".away");
  OpenedStore again = open_again();
  std::filesystem::rename(dir_.path().string() + ".away", dir_.path());
  EXPECT_EQ(again.place, StorePlace::memory);
  ASSERT_TRUE(again.error);
  EXPECT_FALSE(again.store.durable());
  expect_all(again.store);
}

}  // namespace
}  // namespace rad::test
