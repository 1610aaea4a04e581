#include "agent/run/hold_files.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <wordexp.h>

#include "agent/base/files.h"
#include "tests/support/temp_dir.h"

namespace rad {
namespace {

using ::testing::IsEmpty;

constexpr const char* kRun = "20261120T184451-1a2b3c4d";

class HoldFiles : public ::testing::Test {
 protected:
  HoldFiles() { options_.state_dir = dir_.path(); }

  std::filesystem::path file(const char* name) const {
    return options_.state_dir / "runs" / kRun / name;
  }

  test::TempDir dir_;
  AgentOptions options_;
};

TEST_F(HoldFiles, AnOrderComesBackAsItWasWritten) {
  HoldOrder order;
  order.run_id = kRun;
  order.target = "customers-db";
  order.plugin = "postgresql";
  order.options = {{"parallel", 2}};
  order.artifact = {"postgresql_data_directory", "/scratch/r/wal_e/data", {{"major", 15}}};
  order.backup_version = "15";
  ASSERT_TRUE(write_hold_order(options_, order));
  struct stat info {};
  ASSERT_EQ(::stat(file("hold.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  const auto again = read_hold_order(options_, kRun);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->target, order.target);
  EXPECT_EQ(again->plugin, order.plugin);
  EXPECT_EQ(again->options, order.options);
  EXPECT_EQ(again->artifact.path, order.artifact.path);
  EXPECT_EQ(again->artifact.properties, order.artifact.properties);
  EXPECT_EQ(again->backup_version, "15");
}

TEST_F(HoldFiles, ADamagedOrderIsRefused) {
  EXPECT_FALSE(read_hold_order(options_, kRun));
  std::filesystem::create_directories(file("hold.json").parent_path());
  for (const char* text :
       {"", "[]", "{", R"({"run_id": 5})",
        R"({"run_id": "20261120T184451-00000000", "target": "t", "plugin": "p", "options": {},
            "artifact": {"kind": "directory", "path": "/x", "properties": {}}})"}) {
    ASSERT_TRUE(write_file_atomic(file("hold.json"), text));
    EXPECT_FALSE(read_hold_order(options_, kRun)) << text;
  }
}

TEST_F(HoldFiles, AreForgotten) {
  HoldOrder order;
  order.run_id = kRun;
  order.artifact = {"directory", "/x", {}};
  ASSERT_TRUE(write_hold_order(options_, order));
  write_hold_failure(options_, kRun, "the server\x1b[2J is gone");
  EXPECT_EQ(read_hold_failure(options_, kRun), "the server?[2J is gone");
  forget_hold(options_, kRun);
  EXPECT_FALSE(std::filesystem::exists(file("hold.json")));
  EXPECT_THAT(read_hold_failure(options_, kRun), IsEmpty());
}

TEST(RunId, IsNoPath) {
  EXPECT_TRUE(is_run_id(kRun));
  for (const char* text : {"", "..", "../../../etc", "-n20261120T184451", "20261120T184451/x",
                           "20261120T184451 1a2b3c4d", "short"}) {
    EXPECT_FALSE(is_run_id(text)) << text;
  }
}

/// What a shell makes of the line.
std::vector<std::string> words_of(const std::string& line) {
  wordexp_t words{};
  if (::wordexp(line.c_str(), &words, WRDE_NOCMD | WRDE_UNDEF) != 0) return {};
  std::vector<std::string> result(words.we_wordv, words.we_wordv + words.we_wordc);
  ::wordfree(&words);
  return result;
}

Hold hold_of(const std::string& database) {
  Hold hold;
  hold.socket_dir = "/run/rad-agent/1a2b3c4d/p/s";
  hold.port = 5432;
  hold.user = "rad_reader";
  hold.database = database;
  return hold;
}

TEST(PsqlLine, IsPlainForPlainNames) {
  EXPECT_EQ(psql_line(hold_of("customers")),
            "psql -h /run/rad-agent/1a2b3c4d/p/s -p 5432 -U rad_reader -d customers");
  EXPECT_THAT(psql_line(Hold{}), IsEmpty());
}

TEST(PsqlLine, NamesOfTheBackupDoNothing) {
  const auto last = [](const std::string& database) {
    const auto words = words_of(psql_line(hold_of(database)));
    return words.size() == 9 ? words.back() : "not 9 words: " + psql_line(hold_of(database));
  };
  EXPECT_EQ(last("$(reboot)"), "dbname='$(reboot)'");
  EXPECT_EQ(last("a b; `reboot`"), "dbname='a b; `reboot`'");
  EXPECT_EQ(last("it's"), R"(dbname='it\'s')");
  EXPECT_EQ(last("host=evil.example.org"), "dbname='host=evil.example.org'");
  EXPECT_EQ(last("postgresql://evil/x"), "dbname='postgresql://evil/x'");
  EXPECT_EQ(last("--command=x"), "dbname='--command=x'");
  EXPECT_EQ(last(R"(back\slash)"), R"(dbname='back\\slash')");
}

}  // namespace
}  // namespace rad
