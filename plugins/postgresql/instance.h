// A test instance: a restored data directory, recovered and running, until it is shut down.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/artifact.h"
#include "agent/model/outcome.h"
#include "plugins/postgresql/connection.h"
#include "plugins/postgresql/control_data.h"
#include "plugins/postgresql/data_directory.h"
#include "plugins/postgresql/reader_role.h"
#include "plugins/postgresql/recovery_end.h"
#include "plugins/postgresql/server.h"
#include "plugins/postgresql/server_config.h"
#include "plugins/sdk/plugin.h"

namespace rad::postgresql {

struct InstanceOptions {
  std::vector<std::string> bin_dirs;  ///< patterns, see server_binaries.h
  std::filesystem::path scratch_dir;  ///< of this plugin; holds configuration and log
  std::filesystem::path runtime_dir;  ///< short; holds the socket
  ServerSettings settings;            ///< socket_dir is filled in here
};

/// One thread at a time.
class Instance {
 public:
  /// Prepares the directory, starts the server and waits until recovery has ended and connections
  /// are taken. No limit of its own; ends soon after a stop is requested, and then nothing runs.
  static Result<std::unique_ptr<Instance>> start(DataDirectory data, InstanceOptions options,
                                                 sdk::Context& context);
  /// The same for people: of a directory that an earlier instance has recovered, without recovery.
  /// It is a standby of nobody, so that not one user can write; only the reader made for it is let
  /// in, and everybody who gets through the runtime directory may be that reader.
  /// \return as start()
  static Result<std::unique_ptr<Instance>> hold(DataDirectory data, InstanceOptions options,
                                                sdk::Context& context);
  ~Instance();

  const DataDirectory& data() const noexcept { return data_; }
  const ControlData& control() const noexcept { return control_; }  ///< as it was restored
  const RecoveryEnd& recovery() const noexcept { return recovery_; }
  const ServerAddress& address() const noexcept { return address_; }
  const ServerFiles& files() const noexcept { return files_; }
  const std::vector<Finding>& findings() const noexcept { return findings_; }
  Endpoint endpoint() const;

  bool running();
  /// For when a connection was lost: the server may be about to end, since the others are told
  /// first. Waits for that a few seconds, in all, over the life of the instance.
  bool is_ending();
  /// Why the server is gone, when running() is false. Blames the backup only if the log does.
  Error why_it_ended();

  /// Clean shutdown, for tools that want a stopped server. \return check_error if it was not clean.
  Status stop_for_maintenance();
  /// Starts it again and waits. \return as start().
  Status start_again(sdk::Context& context);

  /// Ends everything; idempotent.
  void shut_down();

 private:
  Instance(DataDirectory data, InstanceOptions options);

  Status prepare();
  Status launch(std::string_view doing, sdk::Context& context);
  Status wait_until_ready(std::string_view doing, sdk::Context& context);
  void report_replay(sdk::Context& context);
  Status read_recovery_end();
  Status find_superuser(sdk::Context& context);
  Status prepare_holding(const Reader& reader);
  Status find_superuser_alone(sdk::Context& context);
  Result<bool> try_superuser(const std::string& user, const std::string& database,
                             sdk::Context& context);
  std::string log() const;

  DataDirectory data_;
  InstanceOptions options_;
  ControlData control_;
  ServerFiles files_;
  ServerAddress address_;
  RecoveryEnd recovery_;
  std::string database_;  ///< of a held instance: where the data is
  std::vector<Finding> findings_;
  std::optional<Server> server_;
  std::optional<ExitStatus> end_;
  std::chrono::milliseconds end_patience_{5000};
  std::uint64_t replayed_bytes_ = 0;
  std::uint64_t log_start_ = 0;  ///< where the running server's part of the log begins
};

}  // namespace rad::postgresql
