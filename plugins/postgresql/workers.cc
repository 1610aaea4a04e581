#include "plugins/postgresql/workers.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "plugins/postgresql/process_tree.h"

namespace rad::postgresql {
namespace {

class Queue {
 public:
  Queue(const ServerAddress& address, const SessionOptions& options, std::vector<Job> jobs,
        sdk::Context& context)
      : address_(address), options_(options), jobs_(std::move(jobs)), context_(context) {
    std::ranges::stable_sort(jobs_, [](const Job& a, const Job& b) {
      return a.database != b.database ? a.database < b.database : a.bytes > b.bytes;
    });
    for (const Job& job : jobs_) total_ += job.bytes;
  }

  std::size_t size() const { return jobs_.size(); }

  void work() {
    std::optional<Connection> connection;
    std::string database;
    for (std::size_t i = next_++; i < jobs_.size(); i = next_++) {
      const Job& job = jobs_[i];
      if (!connection || database != job.database) {
        connection.reset();
        auto opened = Connection::open(address_, job.database, options_, context_.stop_token());
        if (!opened) {
          job.failed(opened.error());
          finish(job, 0);
          continue;
        }
        connection.emplace(*std::move(opened));
        database = job.database;
      }
      run(job, *connection);
      if (connection->backend_pid() == 0) connection.reset();
    }
  }

 private:
  void run(const Job& job, Connection& connection) {
    const pid_t backend = connection.backend_pid();
    const std::uint64_t before = bytes_read_by(backend);
    std::uint64_t counted = 0;
    const auto tick = [&] {
      const std::uint64_t read = std::min(bytes_read_by(backend) - before, job.bytes);
      if (read <= counted) return;
      done_ += read - counted;
      counted = read;
      context_.progress(done_, total_, job.label);
    };
    if (const auto error = job.work(connection, tick)) job.failed(*error);
    finish(job, counted);
  }

  void finish(const Job& job, std::uint64_t counted) {
    done_ += job.bytes - counted;
    context_.progress(done_, total_, job.label);
  }

  const ServerAddress& address_;
  const SessionOptions& options_;
  std::vector<Job> jobs_;
  sdk::Context& context_;
  std::atomic<std::size_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
  std::uint64_t total_ = 0;
};

}  // namespace

void run_jobs(const ServerAddress& address, const SessionOptions& options, std::vector<Job> jobs,
              unsigned parallel, sdk::Context& context) {
  Queue queue(address, options, std::move(jobs), context);
  const std::size_t count =
      std::clamp<std::size_t>(parallel, 1, std::max<std::size_t>(queue.size(), 1));
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < count; ++i) threads.emplace_back([&queue] { queue.work(); });
  queue.work();
}

}  // namespace rad::postgresql
