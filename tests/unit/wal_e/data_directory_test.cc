#include "plugins/wal_e/data_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "tests/support/temp_dir.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

class DataDirectory : public testing::Test {
 protected:
  DataDirectory() {
    dir_.write("data/PG_VERSION", "15\n");
    dir_.write("data/base/1/1259", "x");
  }
  Status put(const std::map<std::string, fs::path>& tablespaces = {}) {
    return put_right(data_, tablespaces);
  }
  bool is_link(const fs::path& name) { return fs::is_symlink(data_ / name); }

  test::TempDir dir_;
  fs::path data_ = dir_ / "data";
};

TEST_F(DataDirectory, GetsRealEmptyWalAndSlotDirectories) {
  fs::create_directories(dir_ / "production");
  dir_.write("production/segment", "precious");
  fs::create_directory_symlink(dir_ / "production", data_ / "pg_wal");
  dir_.write("data/pg_replslot/slot/state", "x");
  ASSERT_TRUE(put());
  EXPECT_FALSE(is_link("pg_wal"));
  EXPECT_TRUE(fs::is_directory(data_ / "pg_wal/archive_status"));
  EXPECT_TRUE(fs::is_empty(data_ / "pg_replslot"));
  EXPECT_TRUE(fs::exists(dir_ / "production/segment")) << "never through the link";
}

TEST_F(DataDirectory, LosesWhatBelongedToTheSource) {
  for (const char* name : {"standby.signal", "recovery.signal", "recovery.conf", "postmaster.pid",
                           "postmaster.opts", "promote"}) {
    dir_.write(fs::path("data") / name, "x");
  }
  dir_.write("data/postgresql.auto.conf", "archive_command = 'rm'\n");
  ASSERT_TRUE(put());
  for (const char* name : {"standby.signal", "recovery.signal", "recovery.conf", "postmaster.pid",
                           "postmaster.opts", "promote", "postgresql.auto.conf"}) {
    EXPECT_FALSE(fs::exists(data_ / name)) << name;
  }
  EXPECT_EQ(read_file(data_ / "postgresql.auto.conf.from-backup").value(),
            "archive_command = 'rm'\n");
}

TEST_F(DataDirectory, LinksTablespacesToOurs) {
  dir_.write("data/tablespace_map", "16400 /mnt/production/a\n");
  fs::create_directory_symlink("/mnt/production/a", dir_ / "link");
  fs::create_directories(data_ / "pg_tblspc");
  fs::create_symlink("/mnt/production/a", data_ / "pg_tblspc/16400");
  const fs::path ours = dir_ / "table\\spaces" / "16400";
  fs::create_directories(ours);
  ASSERT_TRUE(put({{"16400", ours}}));
  EXPECT_EQ(fs::read_symlink(data_ / "pg_tblspc/16400"), ours);
  const auto map = read_file(data_ / "tablespace_map").value();
  EXPECT_TRUE(map.starts_with("16400 "));
  EXPECT_NE(map.find("table\\\\spaces"), std::string::npos) << "the server unescapes backslashes";
  EXPECT_EQ(map.find("production"), std::string::npos);
}

TEST_F(DataDirectory, LosesAMapWithoutTablespaces) {
  dir_.write("data/tablespace_map", "16400 /mnt/production/a\n");
  ASSERT_TRUE(put());
  EXPECT_FALSE(fs::exists(data_ / "tablespace_map"));
}

TEST_F(DataDirectory, GetsDirectoriesThatOldCopiesLack) {
  ASSERT_TRUE(put());
  for (const char* name : {"pg_notify", "pg_twophase", "pg_logical/snapshots", "pg_commit_ts",
                           "pg_stat_tmp", "pg_subtrans", "pg_multixact/members"}) {
    EXPECT_TRUE(fs::is_directory(data_ / name)) << name;
  }
  struct stat info {};
  ASSERT_EQ(::stat(data_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
}

TEST_F(DataDirectory, MayBePutRightTwice) {
  dir_.write("data/postgresql.auto.conf", "x");
  ASSERT_TRUE(put());
  EXPECT_TRUE(put());
}

TEST_F(DataDirectory, IsNotWrittenThroughALink) {
  fs::create_directories(dir_ / "outside");
  fs::create_directory_symlink(dir_ / "outside", data_ / "pg_logical");
  const auto status = put();
  EXPECT_FALSE(status);
  EXPECT_TRUE(fs::is_empty(dir_ / "outside"));
}

}  // namespace
}  // namespace rad::wal_e
