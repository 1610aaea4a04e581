// Reads (and writes) all tar partitions of a store's backup as the plugin does, without the agent
// around it, and prints what that cost as one line of JSON.
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <time.h>

#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/base_backup_reader.h"

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double cpu_seconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double monotonic_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  std::string url;
  std::string home;
  std::string target;
  unsigned parallel = 0;
  unsigned first = 0;
  CLI::App app("Reads the tar partitions of a WAL-E store's newest backup and says what it cost.");
  app.add_option("storage", url, "e.g. file:///var/backups/pg")->required();
  app.add_option("--gpg-home", home, "a keyring with the secret key");
  app.add_option("--target", target, "restore into this directory; it must not exist");
  app.add_option("--parallel", parallel, "partitions at once; 0: as many as there are cores");
  app.add_option("--first", first, "only so many partitions; 0: all");
  CLI11_PARSE(app, argc, argv);

  const auto storage = rad::object_store::open_storage(url, {});
  if (!storage) return std::cerr << storage.error().message << '\n', 2;
  const auto listed = storage->storage->list("basebackups_005/");
  if (!listed) return std::cerr << listed.error().message << '\n', 2;
  rad::wal_e::ReadOptions options;
  for (const auto& object : *listed) {
    const bool wanted = first == 0 || options.partitions.size() < first;
    if (wanted && object.key.find("/tar_partitions/") != std::string::npos) {
      options.partitions.push_back(object);
    }
  }
  options.parallel = parallel;
  options.target = target;
  rad::wal_e::DecodeContext context;
  context.gnupg_home = home;

  const double begin = monotonic_seconds();
  const auto content = rad::wal_e::read_base_backup(*storage->storage, context, options);
  const double wall = monotonic_seconds() - begin;
  if (!content) return std::cerr << content.error().message << '\n', 1;
  if (!content->faults.empty()) return std::cerr << content->faults.front().message << '\n', 1;
  std::cout << fmt::format(
      R"({{"wall_seconds":{:.3f},"own_cpu_seconds":{:.3f},"children_cpu_seconds":{:.3f},)"
      R"("members":{},"member_bytes":{},"stored_bytes":{},"pages_checked":{},"suspects":{}}})"
      "\n",
      wall, cpu_seconds(RUSAGE_SELF), cpu_seconds(RUSAGE_CHILDREN), content->members,
      content->member_bytes, content->stored_bytes, content->pages_checked,
      content->suspects.size());
  return 0;
}
