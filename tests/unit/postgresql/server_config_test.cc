#include "plugins/postgresql/server_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rad::postgresql {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

DataDirectory data_of(int major) {
  DataDirectory data;
  data.path = "/scratch/data";
  data.major = major;
  data.restore_command = {"/usr/lib/it's", "100%", "/run/a b.sock"};
  return data;
}

std::string conf_of(const DataDirectory& data, const ControlData& control = {}) {
  ServerSettings settings;
  settings.socket_dir = "/run/x/s";
  return server_conf(data, control, settings);
}

TEST(ServerConf, ReachesOutNowhere) {
  const std::string conf = conf_of(data_of(15));
  for (const char* line :
       {"listen_addresses = ''\n", "archive_mode = 'off'\n", "shared_preload_libraries = ''\n",
        "max_logical_replication_workers = 0\n", "hot_standby = 'off'\n",
        "unix_socket_directories = '\"/run/x/s\"'\n", "session_preload_libraries = ''\n"}) {
    EXPECT_THAT(conf, HasSubstr(line));
  }
  EXPECT_THAT(conf, Not(HasSubstr("primary_conninfo")));
}

TEST(ServerConf, TakesWhatTheLogDemands) {
  ControlData control;
  control.max_connections = 1500;
  control.max_prepared_transactions = 77;
  control.max_wal_senders = 33;
  control.max_locks_per_transaction = 256;
  control.max_worker_processes = 96;
  const std::string conf = conf_of(data_of(15), control);
  for (const char* line :
       {"max_connections = 1500\n", "max_prepared_transactions = 77\n", "max_wal_senders = 33\n",
        "max_locks_per_transaction = 256\n", "max_worker_processes = 96\n"}) {
    EXPECT_THAT(conf, HasSubstr(line));
  }
}

TEST(ServerConf, HoldsTwoSegmentsAtLeast) {
  DataDirectory data = data_of(15);
  data.wal_segment_bytes = std::uint64_t{1} << 30U;
  EXPECT_THAT(conf_of(data), HasSubstr("min_wal_size = '2048MB'\nmax_wal_size = '4096MB'\n"));
}

TEST(ServerConf, PutsRecoveryWhereTheVersionWantsIt) {
  EXPECT_THAT(conf_of(data_of(12)), HasSubstr("restore_command"));
  EXPECT_THAT(conf_of(data_of(11)), Not(HasSubstr("restore_command")));
  EXPECT_THAT(conf_of(data_of(11)), Not(HasSubstr("wal_recycle")));
  EXPECT_THAT(recovery_conf(data_of(11)), HasSubstr("restore_command"));
}

TEST(HoldingConf, WritesNothingAndLogsWhatIsAsked) {
  const std::string conf = holding_conf(15);
  for (const char* line :
       {"hot_standby = 'on'\n", "log_statement = 'all'\n", "log_connections = 'on'\n",
        "log_disconnections = 'on'\n", "default_transaction_read_only = 'on'\n",
        "log_parameter_max_length = 0\n"}) {
    EXPECT_THAT(conf, HasSubstr(line));
  }
  EXPECT_THAT(holding_conf(12), Not(HasSubstr("log_parameter_max_length")));
  EXPECT_EQ(holding_hba_conf("rad_reader"), "local all \"rad_reader\" trust\n");
}

TEST(RecoveryConf, NamesTheTarget) {
  DataDirectory data = data_of(15);
  EXPECT_THAT(recovery_conf(data), Not(HasSubstr("recovery_target_name")));
  data.recover_to = {RecoverTo::Kind::name, "it's\\here"};
  EXPECT_THAT(recovery_conf(data), HasSubstr("recovery_target_name = 'it''s\\\\here'\n"));
  EXPECT_THAT(recovery_conf(data), HasSubstr("recovery_target_action = 'promote'\n"));
  data.recover_to = {RecoverTo::Kind::lsn, "0/1"};
  EXPECT_THAT(recovery_conf(data), HasSubstr("recovery_target_lsn = '0/1'\n"));
  data.recover_to = {RecoverTo::Kind::immediate, ""};
  EXPECT_THAT(recovery_conf(data), HasSubstr("recovery_target = 'immediate'\n"));
}

TEST(RestoreCommandLine, QuotesForTheShellAndForPostgresql) {
  EXPECT_EQ(restore_command_line({"/usr/lib/it's", "100%", "/run/a b.sock"}),
            R"('/usr/lib/it'\''s' '100%%' '/run/a b.sock' "%f" "%p")");
}

}  // namespace
}  // namespace rad::postgresql
