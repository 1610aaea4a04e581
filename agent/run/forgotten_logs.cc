#include "agent/run/forgotten_logs.h"

#include <chrono>
#include <filesystem>

#include "agent/base/files.h"
#include "agent/base/log.h"

namespace rad {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::vector<std::string> remove_forgotten_logs(const AgentOptions& options, Store& store) {
  std::vector<std::string> removed;
  if (!store.durable()) return removed;
  const auto old = fs::file_time_type::clock::now() - 24h;
  std::error_code ec;
  for (fs::directory_iterator it(options.state_dir / "runs", ec), end; !ec && it != end;
       it.increment(ec)) {
    std::error_code unknown;
    if (it->last_write_time(unknown) > old || unknown) continue;
    const auto run = store.load_run(it->path().filename().string());
    if (!run || *run) continue;
    if (const Status gone = remove_tree(it->path()); gone) {
      removed.push_back(it->path().string());
    } else {
      log::warning(gone.error().message);
    }
  }
  return removed;
}

}  // namespace rad
