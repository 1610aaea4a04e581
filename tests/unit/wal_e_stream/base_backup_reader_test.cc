#include "plugins/wal_e/base_backup_reader.h"

#include <atomic>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "plugins/wal_e/page_checksum.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/wal_e_stream/stream_support.h"

namespace rad::wal_e {
namespace {

using test::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string page_file(std::uint32_t pages, std::uint32_t seed) {
  std::string file = noise(static_cast<std::size_t>(pages) * kPageSize, seed);
  for (std::uint32_t number = 0; number < pages; ++number) {
    char* const page = file.data() + static_cast<std::size_t>(number) * kPageSize;
    page[14] = 0x20;
    const std::uint16_t sum = page_checksum(reinterpret_cast<const std::byte*>(page), number);
    std::memcpy(page + 8, &sum, sizeof sum);
  }
  return file;
}

std::string mode_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return "missing";
  return fmt::format("{:o}", status.st_mode & 07777U);
}

class BaseBackup : public ::testing::Test {
 protected:
  /// Three partitions as WAL-E would cut them.
  BaseBackup() {
    parts_.resize(3);
    parts_[0].directory("/").directory("base/").directory("base/1/").directory("pg_xact/");
    parts_[0].file("PG_VERSION", "15\n").file("base/1/100", page_file(40, 1));
    parts_[1].file("base/1/101", page_file(70, 2)).file("base/1/101_init", page_file(1, 3));
    parts_[1].file("backup_label", "START WAL LOCATION: 0/2000028\n").file("base/1/102", "");
    parts_[2].file("pg_tblspc/16400/PG_15_202209061/1/200", page_file(5, 4));
    parts_[2].file("global/pg_control", std::string(8192, 'c'));
    options_.tablespaces["16400"] = dir_ / "ts";
  }

  Result<BaseBackupContent> read(bool write) {
    std::vector<std::string> tars;
    for (const TarBuilder& part : parts_) tars.push_back(part.finish());
    return read_tars(tars, write);
  }

  Result<BaseBackupContent> read_tars(const std::vector<std::string>& tars, bool write) {
    std::vector<std::string> objects;
    for (const std::string& tar : tars) objects.push_back(lzop(tar));
    return read_objects(objects, write);
  }

  Result<BaseBackupContent> read_objects(const std::vector<std::string>& objects, bool write) {
    for (std::size_t at = 0; at < objects.size(); ++at) {
      dir_.write(fmt::format("store/part_{:08}.tar.lzo", at), objects[at]);
    }
    const auto storage = *object_store::open_storage("file://" + (dir_ / "store").string());
    options_.partitions = *storage->list("");
    options_.target = write ? target_ : std::filesystem::path();
    DecodeContext context;
    context.stop = stop_.get_token();
    return read_base_backup(*storage, context, options_);
  }

  /// One fault with this reason, in both depths, and nothing outside of the target.
  void expect_fault(Reason reason, std::string_view text) {
    for (const bool write : {false, true}) {
      const auto content = read(write);
      ASSERT_TRUE(content) << content.error().message;
      ASSERT_FALSE(content->faults.empty());
      EXPECT_EQ(to_string(content->faults[0].reason), to_string(reason))
          << content->faults[0].message;
      EXPECT_THAT(content->faults[0].message, HasSubstr(std::string(text)));
      EXPECT_THAT(content->faults[0].object, HasSubstr("part_"));
    }
    EXPECT_FALSE(std::filesystem::exists(dir_ / "victim"));
    EXPECT_FALSE(std::filesystem::exists("/victim"));
  }

  TempDir dir_;
  std::filesystem::path target_ = dir_ / "scratch/data";
  std::vector<TarBuilder> parts_;
  ReadOptions options_;
  std::stop_source stop_;
};

TEST_F(BaseBackup, CountsEverythingAndWritesNothingInVerify) {
  for (const unsigned parallel : {1U, 2U, 8U}) {
    options_.parallel = parallel;
    const auto content = read(false);
    ASSERT_TRUE(content) << content.error().message;
    EXPECT_TRUE(content->faults.empty());
    EXPECT_EQ(content->members, 12U);
    EXPECT_THAT(content->members_per_partition, ElementsAre(6, 4, 2));
    EXPECT_EQ(content->member_bytes, 3 + 116 * kPageSize + 30 + 8192U);
    EXPECT_EQ(content->pages_checked, 116U);
    EXPECT_TRUE(content->suspects.empty());
    EXPECT_EQ(content->pg_version, "15");
    EXPECT_EQ(content->pg_control, std::string(8192, 'c'));
    EXPECT_THAT(content->backup_label, HasSubstr("0/2000028"));
    EXPECT_THAT(content->tablespaces_seen, ElementsAre("16400"));
    EXPECT_THAT(content->init_forks, ElementsAre("base/1/101"));
    EXPECT_TRUE(content->plain_any);
    EXPECT_FALSE(content->encrypted_any);
    EXPECT_EQ(content->written_bytes, 0U);
  }
  EXPECT_FALSE(std::filesystem::exists(target_));
}

TEST_F(BaseBackup, WritesFilesWithTightModes) {
  const auto content = read(true);
  ASSERT_TRUE(content) << content.error().message;
  ASSERT_TRUE(content->faults.empty()) << content->faults[0].message;
  EXPECT_EQ(*read_file(target_ / "base/1/101"), page_file(70, 2));
  EXPECT_EQ(*read_file(dir_ / "ts/PG_15_202209061/1/200"), page_file(5, 4));
  EXPECT_EQ(std::filesystem::file_size(target_ / "base/1/102"), 0U);
  EXPECT_EQ(mode_of(target_), "700");
  EXPECT_EQ(mode_of(target_ / "base/1"), "700");
  EXPECT_EQ(mode_of(target_ / "base/1/100"), "600");
  EXPECT_EQ(content->written_bytes, content->member_bytes);
}

TEST_F(BaseBackup, MakesTheDirectoriesThatPostgresqlNeeds) {
  ASSERT_TRUE(read(true));
  for (const char* name : {"pg_wal/archive_status", "pg_notify", "pg_replslot", "pg_tblspc",
                           "pg_logical/snapshots", "pg_multixact/offsets", "pg_commit_ts"}) {
    EXPECT_EQ(mode_of(target_ / name), "700") << name;
  }
  EXPECT_FALSE(std::filesystem::exists(target_ / "pg_xlog"));
}

TEST_F(BaseBackup, ReportsSuspectPagesInsteadOfFailing) {
  std::string file = page_file(70, 9);
  file[50 * kPageSize + 4000] = static_cast<char>(file[50 * kPageSize + 4000] ^ 1);
  parts_[1].file("base/1/300.1", file);
  const auto content = read(false);
  ASSERT_TRUE(content);
  EXPECT_TRUE(content->faults.empty());
  // The pages were made for segment 0, so in segment 1 every one is bad.
  EXPECT_EQ(content->suspects.size(), 70U);
  EXPECT_EQ(content->suspects[50].path, "base/1/300.1");
  EXPECT_EQ(content->suspects[50].block, 131072U + 50U);
}

TEST_F(BaseBackup, LeavesLinksOutAndPutsADirectoryInPlaceOfPgWal) {
  parts_[0].symlink("pg_wal", "/fast/wal").symlink("postgresql.conf.link", "/etc/pg.conf");
  parts_[0].symlink("pg_tblspc/16400", "/ts");
  const auto content = read(true);
  ASSERT_TRUE(content);
  EXPECT_TRUE(content->faults.empty());
  EXPECT_THAT(content->links_left_out,
              ElementsAre("pg_wal -> /fast/wal", "postgresql.conf.link -> /etc/pg.conf",
                          "pg_tblspc/16400 -> /ts"));
  EXPECT_TRUE(std::filesystem::is_directory(std::filesystem::symlink_status(target_ / "pg_wal")));
  EXPECT_FALSE(
      std::filesystem::exists(std::filesystem::symlink_status(target_ / "postgresql.conf.link")));
}

TEST_F(BaseBackup, MakesHardLinksAcrossPartitions) {
  parts_[0].hard_link("second", "base/1/101").hard_link("third", "second");
  const auto content = read(true);
  ASSERT_TRUE(content) << content.error().message;
  EXPECT_TRUE(content->faults.empty());
  EXPECT_EQ(*read_file(target_ / "third"), page_file(70, 2));
  EXPECT_EQ(std::filesystem::hard_link_count(target_ / "second"), 3U);
}

TEST_F(BaseBackup, RefusesHardLinksToNothingAndInCircles) {
  parts_[1].hard_link("second", "base/1/gone");
  expect_fault(Reason::metadata_invalid, "base/1/gone");
}

TEST_F(BaseBackup, RefusesHardLinksInCircles) {
  parts_[1].hard_link("a", "b").hard_link("b", "a");
  expect_fault(Reason::metadata_invalid, "leads back to itself");
}

TEST_F(BaseBackup, RefusesAHardLinkToALink) {
  parts_[1].symlink("s", "/etc/passwd").hard_link("h", "s");
  expect_fault(Reason::metadata_invalid, "which is not a file");
}

TEST_F(BaseBackup, RefusesHostileMembers) {
  const auto original = parts_;
  const std::vector<std::pair<TarBuilder, std::string>> cases{
      {TarBuilder().file("../victim", "x"), "'..'"},
      {TarBuilder().file("base/../../victim", "x"), "'..'"},
      {TarBuilder().file("/victim", "x"), "absolute"},
      {TarBuilder().symlink("out", dir_.path().string()).file("out/victim", "x"),
       "through the link"},
      {TarBuilder().hard_link("v", "/etc/passwd"), "outside"},
      {TarBuilder().header("null", '3', 0), "device"},
      {TarBuilder().header("fifo", '6', 0), "pipe"},
  };
  for (const auto& [more, text] : cases) {
    parts_ = original;
    parts_[1].raw(more.unfinished());
    expect_fault(Reason::unsafe_content, text);
    std::filesystem::remove_all(target_);
    std::filesystem::remove_all(dir_ / "ts");
  }
}

TEST_F(BaseBackup, RefusesAClaimAboveTheBound) {
  options_.max_member_bytes = 2ULL << 30U;
  parts_[1].header("base/1/999", '0', 200ULL << 30U);
  expect_fault(Reason::unsafe_content, "200.0 GiB");
}

TEST_F(BaseBackup, RefusesASparseClaim) {
  parts_[1]
      .pax({{"GNU.sparse.major", "1"},
            {"GNU.sparse.minor", "0"},
            {"GNU.sparse.name", "base/1/998"},
            {"GNU.sparse.realsize", std::to_string(200ULL << 30U)}})
      .file("GNUSparseFile.0/2", "1\n0\n5\n" + std::string(506, '\0') + "hello");
  expect_fault(Reason::unsafe_content, "base/1/998");
}

TEST_F(BaseBackup, FindsATarCutAtAMemberBoundary) {
  std::vector<std::string> tars;
  for (const TarBuilder& part : parts_) tars.push_back(part.finish());
  tars[1] = parts_[1].unfinished();
  const auto content = read_tars(tars, false);
  ASSERT_TRUE(content);
  ASSERT_EQ(content->faults.size(), 1U);
  EXPECT_EQ(content->faults[0].reason, Reason::truncated);
  EXPECT_EQ(content->faults[0].object, "part_00000001.tar.lzo");
}

TEST_F(BaseBackup, FindsAPartitionInThePlaceOfAnother) {
  const auto original = parts_;
  parts_[1] = parts_[0];
  expect_fault(Reason::missing_object,
               "part_00000001.tar.lzo' holds the members of object 'part_0");
  std::filesystem::remove_all(dir_ / "scratch");
  parts_ = original;
  parts_[0] = parts_[1];
  expect_fault(Reason::missing_object, "object 'part_00000000.tar.lzo' holds the members");
}

TEST_F(BaseBackup, FindsAMemberThatIsThereTwice) {
  parts_[1].file("base/1/101", "other");
  expect_fault(Reason::metadata_invalid, "base/1/101");
}

TEST_F(BaseBackup, ListsTheFaultsOfAllPartitionsWhenItKeepsGoing) {
  std::vector<std::string> objects;
  for (const TarBuilder& part : parts_) objects.push_back(lzop(part.finish()));
  objects[0].resize(objects[0].size() - 4);
  objects[2][objects[2].size() / 2] ^= 1;
  options_.keep_going = true;
  const auto content = read_objects(objects, false);
  ASSERT_TRUE(content);
  ASSERT_EQ(content->faults.size(), 2U);
  EXPECT_EQ(content->faults[0].reason, Reason::truncated);
  EXPECT_EQ(content->faults[0].object, "part_00000000.tar.lzo");
  EXPECT_EQ(content->faults[1].reason, Reason::checksum_mismatch);
  EXPECT_EQ(content->faults[1].object, "part_00000002.tar.lzo");
  EXPECT_EQ(content->members_per_partition[1], 4U);
}

TEST_F(BaseBackup, ReadsASubsetOfThePartitions) {
  ASSERT_TRUE(read(false));
  const auto storage = *object_store::open_storage("file://" + (dir_ / "store").string());
  options_.partitions = {*storage->stat("part_00000001.tar.lzo")};
  const auto content = read_base_backup(*storage, DecodeContext{}, options_);
  ASSERT_TRUE(content);
  EXPECT_EQ(content->members, 4U);
}

TEST_F(BaseBackup, SaysThatATablespaceIsNotDescribed) {
  options_.tablespaces.clear();
  const auto content = read(true);
  ASSERT_TRUE(content);
  ASSERT_EQ(content->faults.size(), 1U);
  EXPECT_EQ(content->faults[0].reason, Reason::metadata_invalid);
  EXPECT_THAT(content->faults[0].message, HasSubstr("16400"));
}

TEST_F(BaseBackup, DoesNotWriteThroughALinkThatLiesInTheTarget) {
  const auto outside = dir_ / "outside";
  std::filesystem::create_directories(outside);
  std::filesystem::create_directories(target_ / "base");
  std::filesystem::create_directory_symlink(outside, target_ / "base/1");
  const auto content = read(true);
  ASSERT_TRUE(content);
  EXPECT_FALSE(content->faults.empty());
  EXPECT_TRUE(std::filesystem::is_empty(outside));
}

TEST_F(BaseBackup, ReportsProgressUpToTheStoredSize) {
  std::atomic<std::uint64_t> last{0};
  options_.parallel = 1;
  options_.on_progress = [&](std::uint64_t bytes) { last = bytes; };
  const auto content = read(false);
  ASSERT_TRUE(content);
  EXPECT_EQ(last, content->stored_bytes);
}

TEST_F(BaseBackup, StopsWhenAsked) {
  stop_.request_stop();
  const auto content = read(false);
  ASSERT_FALSE(content);
  EXPECT_EQ(content.error().reason, Reason::cancelled);
}

/// A tmpfs of 1 MiB in a mount namespace of a child, so that nothing of it is seen outside.
TEST_F(BaseBackup, SaysThatScratchIsFull) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a small file system";
  parts_[2].file("base/1/900", page_file(200, 5));
  std::filesystem::create_directories(dir_ / "scratch");
  const pid_t child = ::fork();
  if (child == 0) {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("rad", (dir_ / "scratch").c_str(), "tmpfs", 0, "size=1m") == 0;
    if (!mounted) ::_exit(9);
    const auto content = read(true);
    const bool right = !content && content.error().reason == Reason::scratch_full &&
                       content.error().message.find("free") != std::string::npos;
    ::_exit(right ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  if (WEXITSTATUS(status) == 9) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(GenuineBackup, IsReadToItsSentinelsSizes) {
  struct Store {
    const char* name;
    const char* backup;
    std::uint64_t bytes;
  };
  const Keyring keyring;
  for (const Store& store : {Store{"encrypted", "base_000000010000000000000003_00000040", 51391897},
                             Store{"plain", "base_000000010000000000000005_00000040", 51457433}}) {
    const std::string root = fmt::format("{}/tests/data/wale-small/{}", RAD_SOURCE_DIR, store.name);
    const auto storage = *object_store::open_storage("file://" + root);
    ReadOptions options;
    options.partitions =
        *storage->list(fmt::format("basebackups_005/{}/tar_partitions/", store.backup));
    DecodeContext context;
    context.gnupg_home = keyring.home();
    const auto content = read_base_backup(*storage, context, options);
    ASSERT_TRUE(content) << content.error().message;
    ASSERT_TRUE(content->faults.empty());
    EXPECT_EQ(content->member_bytes, store.bytes);
    EXPECT_GT(content->pages_checked, 6000U);
    EXPECT_TRUE(content->suspects.empty());
    EXPECT_EQ(content->pages_unset, 0U);
    EXPECT_EQ(content->pg_version, "15");
    EXPECT_EQ(content->pg_control.size(), 8192U);
    EXPECT_EQ(content->init_forks.size(), 4U);
  }
}

}  // namespace
}  // namespace rad::wal_e
