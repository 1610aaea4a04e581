#include "plugins/postgresql/data_directory.h"

#include <filesystem>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_dir.h"

namespace rad::postgresql {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;

Artifact artifact(const bj::object& properties) {
  Artifact value;
  value.kind = kArtifactKind;
  value.path = "/scratch/data";
  value.properties = properties;
  return value;
}

TEST(DataDirectoryFrom, ReadsEveryProperty) {
  const auto data = data_directory_from(artifact(
      {{"major", 15},
       {"system_identifier", "7710326519576319487"},
       {"tablespaces", bj::array{bj::object{{"oid", "16385"}, {"path", "/scratch/ts/16385"}}}},
       {"restore_command", bj::array{"/usr/bin/fetch", "a b"}},
       {"backup_start_lsn", "0/2000028"},
       {"backup_stop_lsn", "0/2000100"},
       {"offline", false},
       {"recover_to", {{"kind", "name"}, {"value", "here"}}},
       {"archive_end",
        {{"segment", "000000010000000000000005"},
         {"timeline", 1},
         {"last_record_lsn", "0/5007C08"},
         {"clean", false}}},
       {"wal_segment_bytes", 16 << 20},
       {"suspect_pages", bj::array{bj::object{{"path", "base/1/2.1"}, {"block", 131073}}}},
       {"suspect_pages_cut", true},
       {"something_new", true}}));
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->major, 15);
  EXPECT_EQ(data->tablespaces.at(0).path, "/scratch/ts/16385");
  EXPECT_EQ(data->restore_command.at(1), "a b");
  EXPECT_EQ(data->recover_to.text(), "name here");
  EXPECT_EQ(data->archive_end->last_record_lsn, 0x5007C08U);
  EXPECT_FALSE(data->archive_end->clean);
  EXPECT_EQ(data->suspects.at(0).block, 131073U);
  EXPECT_TRUE(data->suspects_cut);
}

TEST(DataDirectoryFrom, TakesAnOfflineBackupWithoutArchive) {
  const auto data = data_directory_from(
      artifact({{"offline", true}, {"archive_end", nullptr}, {"recover_to", nullptr}}));
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->recover_to.kind, RecoverTo::Kind::latest);
  EXPECT_FALSE(data->archive_end);
  EXPECT_FALSE(data->suspects_cut);
}

TEST(DataDirectoryFrom, RefusesPropertiesThatCannotBe) {
  const std::vector<bj::object> bad{
      {{"major", -1}},
      {{"major", "fifteen"}},
      {{"tablespaces", bj::array{"x"}}},
      {{"tablespaces", bj::array{bj::object{{"oid", "../.."}, {"path", "/x"}}}}},
      {{"tablespaces", bj::array{bj::object{{"oid", "1"}, {"path", "x"}}}}},
      {{"restore_command", bj::array{1}}},
      {{"restore_command", bj::array{"a\nb"}}},
      {{"backup_start_lsn", "here"}},
      {{"archive_end", {{"segment", "x"}, {"timeline", 1}, {"last_record_lsn", "0/1"}}}},
      {{"wal_segment_bytes", 5}},
      {{"suspect_pages", bj::array{1}}},
      {{"suspect_pages_cut", 1}},
      {{"recover_to", {{"kind", "never"}, {"value", "x"}}}},
  };
  for (const bj::object& properties : bad) {
    const auto data = data_directory_from(artifact(properties));
    ASSERT_FALSE(data) << bj::serialize(properties);
    EXPECT_EQ(data.error().reason, Reason::plugin_protocol) << bj::serialize(properties);
  }
}

TEST(DataDirectoryFrom, RefusesTargetsAsConfiguration) {
  for (const char* kind : {"time", "lsn", "name"}) {
    for (const std::string& value : {std::string(), std::string("a\nb"), std::string(70, '!')}) {
      const auto data =
          data_directory_from(artifact({{"recover_to", {{"kind", kind}, {"value", value}}}}));
      ASSERT_FALSE(data) << kind << value;
      EXPECT_EQ(data.error().reason, Reason::config_invalid);
    }
  }
}

TEST(DataDirectoryMajor, ReadsPgVersion) {
  const test::TempDir dir;
  EXPECT_EQ(data_directory_major(dir.path()).error().reason, Reason::metadata_invalid);
  dir.write("PG_VERSION", "15\n");
  EXPECT_EQ(*data_directory_major(dir.path()), 15);
  for (const char* text : {"", "x", "15x", "9.6\n", "99999999999999999999"}) {
    dir.write("PG_VERSION", text);
    EXPECT_FALSE(data_directory_major(dir.path())) << text;
  }
}

class Prepare : public ::testing::Test {
 protected:
  Prepare() {
    fs::create_directories(dir_ / "data/pg_tblspc");
    fs::create_directories(dir_ / "data/pg_wal");
    fs::create_directories(dir_ / "data/pg_replslot/a");
    fs::create_directories(dir_ / "ts");
    data_.path = dir_ / "data";
    data_.tablespaces = {{"16385", dir_ / "ts"}};
  }
  bool exists(const char* name) const { return fs::exists(fs::symlink_status(data_.path / name)); }

  test::TempDir dir_;
  DataDirectory data_;
};

TEST_F(Prepare, TakesAwayWhatWouldActAndIsIdempotent) {
  for (const char* name :
       {"postmaster.pid", "standby.signal", "recovery.signal", "recovery.done"}) {
    dir_.write(fs::path("data") / name, "x");
  }
  dir_.write("data/postgresql.auto.conf", "port = 1");
  dir_.write("data/recovery.conf", "x");
  dir_.write("data/pg_replslot/a/state", "x");
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(prepare_data_directory(data_));
    for (const char* name : {"postmaster.pid", "standby.signal", "recovery.signal", "recovery.done",
                             "postgresql.auto.conf", "recovery.conf", "pg_replslot/a"}) {
      EXPECT_FALSE(exists(name)) << name;
    }
    EXPECT_TRUE(exists("postgresql.auto.conf.from-backup"));
    EXPECT_TRUE(exists("recovery.conf.from-backup"));
  }
  struct stat status {};
  ASSERT_EQ(::stat(data_.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(Prepare, TakesTheTablespacesThatWereRestored) {
  fs::create_directory_symlink(dir_ / "ts", data_.path / "pg_tblspc" / "16385");
  dir_.write("data/tablespace_map", "16385 " + (dir_ / "ts").string() + "\n");
  EXPECT_TRUE(prepare_data_directory(data_));
}

TEST_F(Prepare, RefusesLinksOutOfTheArtifact) {
  fs::create_directory_symlink("/etc", data_.path / "pg_tblspc" / "16385");
  EXPECT_EQ(prepare_data_directory(data_).error().reason, Reason::unsafe_content);
  fs::remove(data_.path / "pg_tblspc" / "16385");
  dir_.write("data/tablespace_map", "16385 /etc\n");
  EXPECT_EQ(prepare_data_directory(data_).error().reason, Reason::unsafe_content);
  fs::remove(data_.path / "tablespace_map");
  fs::create_symlink("/etc/passwd", data_.path / "tablespace_map");
  EXPECT_EQ(prepare_data_directory(data_).error().reason, Reason::unsafe_content);
  fs::remove(data_.path / "tablespace_map");
  fs::remove(data_.path / "pg_wal");
  fs::create_directory_symlink("/etc", data_.path / "pg_wal");
  EXPECT_EQ(prepare_data_directory(data_).error().reason, Reason::unsafe_content);
}

TEST_F(Prepare, FollowsNoLinkWhenItTakesAway) {
  const fs::path outside = dir_.write("outside", "kept");
  fs::create_symlink(outside, data_.path / "postgresql.auto.conf");
  fs::create_symlink(outside, data_.path / "postmaster.pid");
  fs::remove_all(data_.path / "pg_replslot");
  fs::create_directory_symlink(dir_.path(), data_.path / "pg_replslot");
  ASSERT_TRUE(prepare_data_directory(data_));
  EXPECT_TRUE(fs::exists(outside));
  EXPECT_FALSE(exists("postgresql.auto.conf"));
  EXPECT_FALSE(exists("postmaster.pid"));
}

}  // namespace
}  // namespace rad::postgresql
