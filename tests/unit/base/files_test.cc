#include "agent/base/files.h"

#include <filesystem>
#include <set>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_dir.h"

namespace rad {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

TEST(ReadFile, GivesTheContentUpToTheLimit) {
  const TempDir dir;
  const std::string content("a\0b\n", 4);
  const fs::path path = dir.write("f", content);
  EXPECT_EQ(*read_file(path), content);
  EXPECT_EQ(*read_file(path, 4), content);
  const auto cut = read_file(path, 3);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().reason, Reason::config_invalid);
}

TEST(ReadFile, NamesWhatIsMissing) {
  const auto missing = read_file("/nonexistent/file");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().reason, Reason::config_invalid);
  EXPECT_EQ(missing.error().message, "cannot read '/nonexistent/file': No such file or directory");
}

TEST(ReadFile, NeverWaitsForAFifoNorReadsADirectory) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(read_file(dir / "fifo"));
  EXPECT_FALSE(read_file(dir.path()));
}

TEST(WriteFileAtomic, ReplacesContentAndModeAndLeavesNothingBeside) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir / "f", "one", 0600));
  ASSERT_TRUE(write_file_atomic(dir / "f", "two", 0640));
  EXPECT_EQ(*read_file(dir / "f"), "two");
  EXPECT_EQ(fs::status(dir / "f").permissions(), fs::perms(0640));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(WriteFileAtomic, LeavesTheOldFileWhenItCannotWrite) {
  const TempDir dir;
  dir.write("d/inner", "x");
  EXPECT_FALSE(write_file_atomic(dir / "d", "a directory is in the way"));
  EXPECT_FALSE(write_file_atomic(dir / "missing/f", "x"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(WriteFileAtomic, SaysThatTheDiskIsFull) {
  // /dev/full cannot be renamed over, so the limit of the process stands in for the disk.
  const TempDir dir;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{10, 10};
    ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::_exit(write_file_atomic(dir / "f", std::string(100, 'x')) ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(RemoveTree, TakesMissingFilesAndTrees) {
  const TempDir dir;
  EXPECT_TRUE(remove_tree(dir / "missing"));
  EXPECT_TRUE(remove_tree(dir / "missing/deeper"));
  dir.write("t/a/b/c", "x");
  dir.write("t/f", "x");
  EXPECT_TRUE(remove_tree(dir / "t/"));
  EXPECT_FALSE(fs::exists(dir / "t"));
}

TEST(RemoveTree, FollowsNoLink) {
  const TempDir dir;
  dir.write("outside/kept", "x");
  fs::create_directories(dir / "t/sub");
  fs::create_directory_symlink(dir / "outside", dir / "t/sub/link");
  fs::create_directory_symlink(dir / "outside", dir / "top");
  EXPECT_TRUE(remove_tree(dir / "t"));
  EXPECT_TRUE(remove_tree(dir / "top"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(dir / "top")));
  EXPECT_TRUE(fs::exists(dir / "outside/kept"));
}

/// Runs `body` in a child without root, and with few descriptors. \return whether it answered true
template <class Body>
bool as_nobody(const fs::path& home, Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0) {
      if (::chown(home.c_str(), 65534, 65534) != 0 || ::setgid(65534) != 0 ||
          ::setuid(65534) != 0) {
        ::_exit(2);
      }
    }
    const rlimit limit{128, 128};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::_exit(body() ? 0 : 1);
  }
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

TEST(RemoveTree, GoesThroughDirectoriesWithoutRights) {
  const TempDir dir;
  EXPECT_TRUE(as_nobody(dir.path(), [&] {
    dir.write("t/closed/inner/f", "x");
    dir.write("t/readonly/f", "x");
    fs::permissions(dir / "t/closed/inner", fs::perms::none);
    fs::permissions(dir / "t/closed", fs::perms::none);
    fs::permissions(dir / "t/readonly", fs::perms::owner_read | fs::perms::owner_exec);
    fs::permissions(dir / "t", fs::perms::none);
    return remove_tree(dir / "t").has_value() && fs::is_empty(dir.path());
  }));
}

TEST(RemoveTree, TakesAnyDepthWithFewDescriptors) {
  const TempDir dir;
  EXPECT_TRUE(as_nobody(dir.path(), [&] {
    if (::mkdir((dir / "t").c_str(), 0700) != 0 || ::chdir((dir / "t").c_str()) != 0) return false;
    for (int i = 0; i < 3000; ++i) {
      if (::mkdir("name_of_a_directory", 0700) != 0 || ::chdir("name_of_a_directory") != 0) {
        return false;
      }
      const UniqueFd file(::open("f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    if (::chdir("/") != 0) return false;
    return remove_tree(dir / "t").has_value() && fs::is_empty(dir.path());
  }));
}

TEST(RemoveTree, NamesTheFirstTroubleAndRemovesTheRest) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to make what another user cannot remove";
  const TempDir dir;
  dir.write("t/a/mine", "x");
  dir.write("t/z/f", "x");
  for (const char* name : {"t", "t/z", "t/z/f"}) {
    ASSERT_EQ(::chown((dir / name).c_str(), 65534, 65534), 0);
  }
  ASSERT_EQ(::chmod((dir / "t/a").c_str(), 0755), 0);
  EXPECT_TRUE(as_nobody(dir.path(), [&] {
    const Status status = remove_tree(dir / "t");
    return !status && status.error().reason == Reason::host_unfit &&
           status.error().message.find("t/a/mine") != std::string::npos &&
           !fs::exists(dir / "t/z") && fs::exists(dir / "t/a/mine");
  }));
}

TEST(TreeBytes, CountsAFileWithTwoNamesOnce) {
  const TempDir dir;
  EXPECT_EQ(tree_bytes(dir / "missing"), 0U);
  const fs::path big = dir.write("t/big", std::string(1U << 20U, 'x'));
  const std::uint64_t before = tree_bytes(dir / "t");
  EXPECT_GE(before, 1U << 20U);
  fs::create_hard_link(big, dir / "t/again");
  fs::create_symlink("/usr", dir / "t/link");
  EXPECT_LT(tree_bytes(dir / "t"), before + (1U << 16U));
}

TEST(TreeBytes, TakesAHoleForNothing) {
  const TempDir dir;
  const fs::path path = dir.write("sparse", "");
  fs::resize_file(path, 200ULL << 30U);
  EXPECT_LT(tree_bytes(path), 1U << 20U);
}

TEST(FreeBytes, AsksTheFileSystemOfThePath) {
  const TempDir dir;
  EXPECT_GT(*free_bytes(dir.path()), 0U);
  EXPECT_GT(*free_bytes(dir / "missing" / "deeper"), 0U);
  EXPECT_FALSE(free_bytes(dir.write("file", "") / "below"));
}

TEST(LockFile, HoldsAcrossProcessesUntilTheDescriptorGoes) {
  const TempDir dir;
  const auto busy_elsewhere = [&] {
    return as_nobody(dir.path(), [&] {
      const auto lock = lock_file(dir / "lock");
      return !lock && lock.error().reason == Reason::target_busy;
    });
  };
  {
    const auto lock = lock_file(dir / "lock");
    ASSERT_TRUE(lock);
    EXPECT_TRUE(busy_elsewhere());
    EXPECT_EQ(lock_file(dir / "lock").error().reason, Reason::target_busy);
  }
  EXPECT_FALSE(busy_elsewhere());
  EXPECT_TRUE(lock_file(dir / "lock"));
}

TEST(LockFile, LocksTheFileThatOthersFind) {
  const TempDir dir;
  const auto old = lock_file(dir / "lock");
  ASSERT_TRUE(old);
  fs::remove(dir / "lock");
  EXPECT_TRUE(lock_file(dir / "lock"));
  fs::create_symlink("/etc/passwd", dir / "link");
  EXPECT_FALSE(lock_file(dir / "link"));
}

TEST(RandomHex, GivesDifferentDigitsOfTheWishedLength) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_hex());
  EXPECT_EQ(seen.size(), 1000U);
  EXPECT_EQ(random_hex(300).size(), 300U);
  EXPECT_EQ(random_hex(300).find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_TRUE(random_hex(0).empty());
}

}  // namespace
}  // namespace rad
