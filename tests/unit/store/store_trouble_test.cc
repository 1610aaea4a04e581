// What befalls a file: damage, other programs, several processes, kill -9, a full disk.
#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "tests/unit/store/raw_sql.h"
#include "tests/unit/store/store_builders.h"

namespace rad::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

Error open_error(const std::filesystem::path& path) {
  auto store = Store::open(path);
  if (store) {
    ADD_FAILURE() << "opened " << path;
    return {};
  }
  return store.error();
}

/// Runs `work` in a child; _exit keeps it from running this process's tests and destructors.
template <class Work>
pid_t in_child(Work work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work() ? 0 : 1);
  return pid;
}

int wait_for(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

TEST(StoreFile, IsPrivateAndKeepsItsChildrenPrivate) {
  const TempDir dir;
  Store store = open_store(dir);
  must(store.begin_run(begun("r1")));
  for (const char* name : {"rad.db", "rad.db-wal", "rad.db-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((dir / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << name;
  }
}

TEST(StoreFile, GarbageIsNamedAndLeftAlone) {
  const TempDir dir;
  const std::string garbage(10'000, 'x');
  const auto path = dir.write("rad.db", garbage);
  const Error error = open_error(path);
  EXPECT_EQ(error.reason, Reason::host_unfit);
  EXPECT_THAT(error.message, HasSubstr(path.string()));
  EXPECT_THAT(error.hint, HasSubstr("aside"));
  EXPECT_EQ(must(read_file(path)), garbage);
}

TEST(StoreFile, ADamagedPageInTheMiddleIsFoundOnOpening) {
  const TempDir dir;
  const auto path = dir / "rad.db";
  {
    Store store = open_store(dir);
    for (int i = 0; i < 300; ++i) {
      must(store.end_run(ended(begun("r" + std::to_string(i)), Verdict::pass)));
    }
  }
  const auto size = std::filesystem::file_size(path);
  ASSERT_GT(size, 100'000U);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    for (std::uintmax_t at = 4096; at + 4096 < size; at += 8192) {
      file.seekp(static_cast<std::streamoff>(at));
      file << std::string(4096, '\xff');
    }
  }
  const Error error = open_error(path);
  EXPECT_EQ(error.reason, Reason::host_unfit);
  EXPECT_THAT(error.message, HasSubstr("damaged"));
  EXPECT_THAT(error.hint, HasSubstr("aside"));
}

TEST(StoreFile, ATruncatedFileIsFoundOnOpening) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    for (int i = 0; i < 50; ++i) {
      must(store.end_run(ended(begun("r" + std::to_string(i)), Verdict::pass)));
    }
  }
  std::filesystem::resize_file(dir / "rad.db", std::filesystem::file_size(dir / "rad.db") / 2);
  EXPECT_THAT(open_error(dir / "rad.db").message, HasSubstr("damaged"));
}

TEST(StoreFile, AnEmptyFileIsANewStore) {
  const TempDir dir;
  dir.write("rad.db", "");
  Store store = open_store(dir);
  must(store.begin_run(begun("r1")));
}

TEST(StoreFile, ThatOfAnotherProgramIsNotTouched) {
  const TempDir dir;
  sql(dir / "rad.db", "CREATE TABLE recipes (name TEXT)");
  const Error error = open_error(dir / "rad.db");
  EXPECT_THAT(error.message, HasSubstr("another program"));
  sql(dir / "rad.db", "INSERT INTO recipes VALUES ('soup')");
}

TEST(StoreFile, ThatOfANewerAgentIsNotTouched) {
  const TempDir dir;
  { Store store = open_store(dir); }
  sql(dir / "rad.db", "PRAGMA user_version=99");
  const Error error = open_error(dir / "rad.db");
  EXPECT_THAT(error.message, HasSubstr("schema version 99"));
}

TEST(StoreFile, AMissingDirectoryIsNamed) {
  const TempDir dir;
  const Error error = open_error(dir / "none" / "rad.db");
  EXPECT_EQ(error.reason, Reason::host_unfit);
  EXPECT_THAT(error.message, HasSubstr("none/rad.db"));
  EXPECT_THAT(error.hint, HasSubstr("directory"));
}

TEST(StoreFile, ADirectoryInItsPlaceIsNamed) {
  const TempDir dir;
  std::filesystem::create_directory(dir / "rad.db");
  EXPECT_THAT(open_error(dir / "rad.db").message, HasSubstr("is a directory"));
}

TEST(StoreFile, AReadOnlyFileIsAnError) {
  const TempDir dir;
  { Store store = open_store(dir); }
  ASSERT_EQ(::chmod((dir / "rad.db").c_str(), 0444), 0);
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  // Root may write everything, so the child gives it up.
  const pid_t child = in_child([&] {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return false;
    auto store = Store::open(dir / "rad.db");
    if (!store) return store.error().reason == Reason::host_unfit;
    auto begin = store->begin_run(begun("r1"));
    return !begin && begin.error().reason == Reason::host_unfit;
  });
  EXPECT_EQ(wait_for(child), 0);
}

TEST(StoreFile, ARecordThatCannotBeReadHidesNoRun) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(store.begin_run(begun("r1")));
    must(store.begin_run(begun("r2", 2000)));
  }
  sql(dir / "rad.db", "UPDATE runs SET report = '{\"id\": 7' WHERE id = 'r1'");
  Store store = open_store(dir);
  const auto runs = must(store.unfinished_runs());
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].id, "r1");
  EXPECT_EQ(runs[0].target, "customers-db");
  EXPECT_EQ(runs[0].depth, Depth::verify);
  ASSERT_EQ(runs[0].findings.size(), 1U);
  EXPECT_EQ(runs[0].findings[0].code, "record_unreadable");
  must(store.end_run(ended(runs[0], Verdict::inconclusive)));
}

TEST(StoreProcesses, ALockThatIsHeldTooLongIsRetryable) {
  const TempDir dir;
  { Store store = open_store(dir); }
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((dir / "rad.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  Store store = must(Store::open(dir / "rad.db", {.busy_timeout = std::chrono::milliseconds(20)}));
  const auto begin = store.begin_run(begun("r1"));
  ASSERT_FALSE(begin);
  EXPECT_EQ(begin.error().reason, Reason::host_unfit);
  EXPECT_TRUE(begin.error().retryable);
  EXPECT_THAT(begin.error().message, HasSubstr("another process"));
  EXPECT_FALSE(must(store.load_run("r1")));  // reading goes on meanwhile
  ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  must(store.begin_run(begun("r1")));
}

TEST(StoreProcesses, ASecondStoreInTheProcessKeepsTheLocksOfTheFirst) {
  const TempDir dir;
  int go[2];
  ASSERT_EQ(::pipe2(go, O_CLOEXEC), 0);
  // Made before this process opens anything: SQLite's memory of open files must not be inherited.
  const pid_t child = in_child([&] {
    char byte = 0;
    if (::read(go[0], &byte, 1) != 1) return false;
    auto other = Store::open(dir / "rad.db");
    return other && other->begin_run(begun("r2"));
  });
  Store first = open_store(dir);
  must(first.begin_run(begun("r1")));
  { Store second = open_store(dir); }
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  EXPECT_EQ(wait_for(child), 0);
  ::close(go[0]);
  ::close(go[1]);
  // The last connection that can be seen removes the log as it closes.
  EXPECT_TRUE(std::filesystem::exists(dir / "rad.db-wal"));
  EXPECT_TRUE(must(first.load_run("r2")));
  must(first.end_run(ended(begun("r1"), Verdict::pass)));
}

TEST(StoreProcesses, SeveralMakeAndFillOneFileAtOnce) {
  const TempDir dir;
  constexpr int kProcesses = 4;
  constexpr int kRuns = 25;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    children.push_back(in_child([&] {
      auto store = Store::open(dir / "rad.db");
      if (!store) return false;
      for (int i = 0; i < kRuns; ++i) {
        const std::string id = std::to_string(p) + "-" + std::to_string(i);
        if (!store->begin_run(begun(id)) || !store->update_run(begun(id)) ||
            !store->end_run(ended(begun(id), i % 2 == 0 ? Verdict::pass : Verdict::fail))) {
          return false;
        }
      }
      return true;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);
  Store store = open_store(dir);
  EXPECT_EQ(must(store.list_runs({.limit = 1000})).size(), std::size_t{kProcesses * kRuns});
  std::uint64_t counted = 0;
  for (const auto& row : must(store.counters()).runs) counted += row.count;
  EXPECT_EQ(counted, std::uint64_t{kProcesses * kRuns});
}

TEST(StoreProcesses, AKilledWriterLeavesWholeRecordsOnly) {
  const TempDir dir;
  { Store store = open_store(dir); }
  for (int round = 0; round < 10; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
    const pid_t child = in_child([&] {
      auto store = Store::open(dir / "rad.db");
      if (!store) return false;
      for (int i = 0;; ++i) {
        const std::string id = std::to_string(round) + "-" + std::to_string(i);
        if (!store->begin_run(begun(id))) return false;
        if (!store->end_run(ended(begun(id), Verdict::pass))) return false;
        if (::write(pipe_ends[1], "x", 1) != 1) return false;
      }
    });
    // The kill comes at another point of the child's work each time.
    char byte = 0;
    for (int i = 0; i <= round * 3; ++i) ASSERT_EQ(::read(pipe_ends[0], &byte, 1), 1);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_TRUE(WIFSIGNALED(wait_for(child)));
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);

    Store store = open_store(dir);
    const auto finished = must(store.list_runs({.ended_only = true, .limit = 100'000})).size();
    std::uint64_t counted = 0;
    for (const auto& row : must(store.counters()).runs) counted += row.count;
    EXPECT_EQ(counted, finished) << "a record without its counters, or the other way round";
    EXPECT_GE(finished, static_cast<std::size_t>(round * 3 + 1)) << "a finished call was lost";
    for (const auto& run : must(store.unfinished_runs())) {
      must(store.end_run(ended(run, Verdict::inconclusive)));
    }
  }
}

TEST(StoreProcesses, AKillInsideATransactionLeavesNothingOfIt) {
  const TempDir dir;
  {
    Store store = open_store(dir);
    must(store.begin_run(begun("r1")));
  }
  const pid_t child = in_child([&] {
    sqlite3* connection = nullptr;
    if (sqlite3_open((dir / "rad.db").c_str(), &connection) != SQLITE_OK) return false;
    // A cache of one page makes SQLite spill into the log before the commit.
    const char* text =
        "PRAGMA cache_size=1; BEGIN IMMEDIATE;"
        "UPDATE runs SET ended_at = 1, verdict = 'pass';"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "INSERT INTO runs (id, target, schedule, depth, created_at, cleanup, report) "
        "SELECT 'x' || i, 't', 's', 'verify', i, 'pending', hex(randomblob(500)) FROM n";
    if (sqlite3_exec(connection, text, nullptr, nullptr, nullptr) != SQLITE_OK) return false;
    ::kill(::getpid(), SIGKILL);
    return false;
  });
  EXPECT_TRUE(WIFSIGNALED(wait_for(child)));
  Store store = open_store(dir);
  const auto runs = must(store.unfinished_runs());
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].id, "r1");
}

TEST(StoreFullDisk, IsAnErrorAndWorkGoesOnAfterwards) {
  const TempDir dir;
  const auto mount_point = dir / "small";
  std::filesystem::create_directory(mount_point);
  if (::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=512k") != 0) {
    GTEST_SKIP() << "a small file system needs root";
  }
  {
    Store store = must(Store::open(mount_point / "rad.db"));
    must(store.begin_run(begun("first")));
    const auto ballast = mount_point / "ballast";
    {
      std::ofstream file(ballast, std::ios::binary);
      const std::string block(4096, 'x');
      while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
      }
    }
    std::optional<Error> error;
    for (int i = 0; i < 500 && !error; ++i) {
      if (auto begin = store.begin_run(begun("r" + std::to_string(i))); !begin) {
        error = begin.error();
      }
    }
    ASSERT_TRUE(error) << "the disk never filled up";
    EXPECT_EQ(error->reason, Reason::host_unfit);
    EXPECT_THAT(error->message, AnyOf(HasSubstr("cannot grow"), HasSubstr("I/O error")));
    EXPECT_THAT(error->hint, HasSubstr("space"));
    EXPECT_TRUE(must(store.load_run("first")));

    std::filesystem::remove(ballast);
    must(store.end_run(ended(begun("first"), Verdict::pass)));
  }
  EXPECT_EQ(must(must(Store::open(mount_point / "rad.db")).load_run("first"))->verdict,
            Verdict::pass);
  EXPECT_EQ(::umount(mount_point.c_str()), 0);
}

}  // namespace
}  // namespace rad::test
