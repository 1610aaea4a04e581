// An instance for people: what they may, what they may not, and what is left.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "agent/base/files.h"
#include "plugins/postgresql/process_tree.h"
#include "plugins/postgresql/reader_role.h"
#include "tests/integration/postgresql/run_support.h"

namespace rad::test {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

std::string text_of(const Endpoint& endpoint, const char* key) {
  return std::string(endpoint.properties.at(key).as_string());
}

/// psql with nothing but what the endpoint says.
ToolOutput psql(const Endpoint& endpoint, const std::string& user, const std::string& statements) {
  ChildSpec spec;
  spec.program = "/usr/lib/postgresql/15/bin/psql";
  spec.args = {"-XAtq",
               "-v",
               "ON_ERROR_STOP=1",
               "-h",
               text_of(endpoint, "socket_dir"),
               "-U",
               user,
               "-d",
               text_of(endpoint, "database"),
               "-f",
               "-"};
  spec.environment = std::map<std::string, std::string>{};
  return run_tool(spec, statements).value();
}

unsigned mode_of(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777U : 0;
}

/// A copy that has been recovered and checked and whose instance was stopped, as a run leaves it.
class Hold : public ::testing::Test {
 protected:
  void recover(const std::string& statements = {}) {
    TestRun run(copy_, {});
    const auto started = run.start();
    if (!statements.empty()) run_sql(started, "postgres", statements);
    const auto cleaned = run.driver().call("cleanup");
    ASSERT_FALSE(cleaned.error.has_value());
    run.driver().call("shutdown");
  }

  Endpoint hold(TestRun& run) {
    const auto answer = run.driver().call("hold", {{"artifact", copy_.artifact()}});
    if (answer.error) {
      throw std::runtime_error("hold: " + answer.error->message + "\n" + answer.error->detail);
    }
    return protocol::from_json<protocol::StartResult>(*answer.result).value().endpoint;
  }

  RestoredCopy copy_;
};

TEST_F(Hold, ReadsEverythingAndWritesNothing) {
  recover();
  TestRun run(copy_, {});
  const Endpoint endpoint = hold(run);
  EXPECT_EQ(text_of(endpoint, "user"), "rad_reader");
  EXPECT_NE(text_of(endpoint, "database"), "postgres");
  const auto rows = psql(endpoint, "rad_reader",
                         "select count(*) > 0 from shop.orders; select count(*) from shop.late");
  EXPECT_THAT(rows.out, ::testing::StartsWith("t\n")) << rows.err;
  EXPECT_TRUE(rows.status.ok()) << rows.err;
  for (const char* statement :
       {"create table public.mine (id int)", "create temp table mine (id int)",
        "set transaction_read_only = off; create table public.mine (id int)",
        "set default_transaction_read_only = off; delete from pg_class",
        "create role other superuser", "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/passwd')", "select pg_promote()",
        "alter system set archive_mode = on", "set log_statement = 'none'"}) {
    const auto refused = psql(endpoint, "rad_reader", statement);
    EXPECT_FALSE(refused.status.ok()) << statement;
    EXPECT_THAT(refused.err, HasSubstr("ERROR")) << statement;
  }
  const auto superuser = psql(endpoint, "postgres", "select 1");
  EXPECT_THAT(superuser.err, HasSubstr("pg_hba.conf"));
}

TEST_F(Hold, IsOpenToThoseWhomTheAgentLetsThroughAndLogsThem) {
  recover();
  TestRun run(copy_, {});
  const Endpoint endpoint = hold(run);
  const fs::path sockets = text_of(endpoint, "socket_dir");
  EXPECT_EQ(mode_of(sockets), 0711U);
  EXPECT_EQ(mode_of(run.driver().runtime()), 0711U);
  EXPECT_EQ(mode_of(sockets / ".s.PGSQL.5432"), 0777U);
  EXPECT_EQ(mode_of(copy_.data()), 0700U);
  const auto asked = psql(endpoint, "rad_reader", "select 'for the audit'");
  ASSERT_TRUE(asked.status.ok()) << asked.err;
  const fs::path log = run.driver().scratch() / "server.log";
  EXPECT_EQ(mode_of(log), 0600U);
  const std::string text = read_file(log).value();
  EXPECT_THAT(text, HasSubstr("connection authorized: user=rad_reader"));
  EXPECT_THAT(text, HasSubstr("statement: select 'for the audit'"));
}

TEST_F(Hold, MakesARoleOfItsOwnWhateverTheBackupHas) {
  recover("create role rad_reader superuser login; alter role rad_reader set search_path = evil;");
  TestRun run(copy_, {});
  const Endpoint endpoint = hold(run);
  EXPECT_EQ(text_of(endpoint, "user"), "rad_reader_2");
  EXPECT_THAT(psql(endpoint, "rad_reader", "select 1").err, HasSubstr("pg_hba.conf"));
  const auto reader =
      psql(endpoint, "rad_reader_2", "select rolsuper from pg_roles where rolname = current_user");
  EXPECT_EQ(reader.out, "f\n") << reader.err;
}

TEST_F(Hold, WhatOpensOtherServersIsTakenOut) {
  recover(
      "create role someone login password 'secret';"
      "create foreign data wrapper w; create server s foreign data wrapper w;"
      "create user mapping for someone server s options (password 'secret');"
      "set client_min_messages = error; create subscription sub connection 'password=secret' "
      "publication p with (connect = false, slot_name = none);");
  TestRun run(copy_, {});
  Endpoint endpoint = hold(run);
  endpoint.properties["database"] = "postgres";
  const auto roles = psql(endpoint, "rad_reader",
                          "select count(*) filter (where rolname = 'someone'), "
                          "count(rolpassword) from pg_authid");
  EXPECT_EQ(roles.out, "1|0\n") << roles.err;
  const auto others = psql(endpoint, "rad_reader",
                           "select count(*), count(umoptions) from pg_user_mapping; "
                           "select quote_literal(subconninfo) from pg_subscription");
  EXPECT_EQ(others.out, "1|0\n''\n") << others.err;
}

TEST_F(Hold, SettingsOfADatabaseDoNotReachTheReader) {
  recover(
      "alter database app set statement_timeout = 1; alter database app set log_statement = 'none';"
      "alter database app set session_preload_libraries = 'no_such_library';"
      "revoke connect on database app from public;");
  TestRun run(copy_, {});
  const Endpoint endpoint = hold(run);
  ASSERT_EQ(text_of(endpoint, "database"), "app");
  // That it gets in shows that no library was loaded.
  const auto reader =
      psql(endpoint, "rad_reader", "select pg_sleep(0.05), current_setting('statement_timeout')");
  EXPECT_EQ(reader.out, "|0\n") << reader.err;
}

TEST_F(Hold, ComesBackAfterAnUncleanEnd) {
  recover();
  {
    TestRun run(copy_, {});
    hold(run);
    for (const auto& process : postgresql::descendants(run.driver().pid())) {
      ::kill(process.pid, SIGKILL);
    }
    ASSERT_FALSE(run.driver().call("cleanup").error.has_value());
  }
  TestRun run(copy_, {});
  const Endpoint endpoint = hold(run);
  EXPECT_TRUE(psql(endpoint, text_of(endpoint, "user"), "select 1").status.ok());
}

TEST_F(Hold, CleanupLeavesTheDataAlone) {
  recover();
  TestRun run(copy_, {});
  hold(run);
  const auto cleaned = run.driver().call("cleanup");
  EXPECT_FALSE(cleaned.error.has_value());
  EXPECT_THAT(processes_with(copy_.place().string()), Not(::testing::Contains(HasSubstr("-D"))));
  EXPECT_TRUE(fs::is_empty(run.driver().scratch()));
  EXPECT_TRUE(fs::is_empty(run.driver().runtime()));
  EXPECT_TRUE(fs::exists(copy_.data() / "PG_VERSION"));
}

/// The way of the versions before 14, which have no pg_read_all_data; its SQL works on all.
TEST_F(Hold, GrantsTableByTableWhereThereIsNoRoleForIt) {
  TestRun run(copy_, {});
  const auto started = run.start();
  run_sql(started, "postgres", "create role plain login");
  const std::string count =
      "select count(*) from pg_class where relkind = 'r' and relnamespace = 'shop'::regnamespace "
      "and has_table_privilege('plain', oid, 'select') ";
  EXPECT_EQ(run_sql(started, "app", count), "0\n");
  run_sql(started, "app", postgresql::grant_reading_statement("plain"));
  EXPECT_NE(run_sql(started, "app", count), "0\n");
}

}  // namespace
}  // namespace rad::test
