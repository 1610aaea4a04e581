// Many statements over many databases, on a few connections at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plugins/postgresql/connection.h"
#include "plugins/sdk/plugin.h"

namespace rad::postgresql {

/// One piece of work on one database. Both functions run on a worker's thread; several jobs run at
/// once, so what they write must be their own.
struct Job {
  std::string database;
  std::string label;        ///< for progress, e.g. "app.public.orders"
  std::uint64_t bytes = 0;  ///< what it will read, roughly
  /// \return the error that ended it, if any.
  std::function<std::optional<SqlError>(Connection&, const Connection::Tick&)> work;
  /// Called instead of, or after, work when it could not be done.
  std::function<void(const SqlError&)> failed;
};

/// Runs all jobs, the databases one after another and the large ones of each first, and returns
/// when all are done or failed. A stop request or the end of the server fails what is left.
/// Reports progress: bytes of finished jobs plus what the running backends have read.
void run_jobs(const ServerAddress& address, const SessionOptions& options, std::vector<Job> jobs,
              unsigned parallel, sdk::Context& context);

}  // namespace rad::postgresql
