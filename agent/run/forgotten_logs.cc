#include "agent/run/forgotten_logs.h"

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include "agent/base/files.h"
#include "agent/base/log.h"
#include "agent/run/lost_ledger.h"

namespace rad {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

std::vector<std::string> remove_forgotten_logs(const AgentOptions& options, Store& store) {
  std::vector<std::string> removed;
  if (!store.durable() || a_store_was_damaged(options.state_dir)) return removed;
  const auto holds = store.list_holds();
  const auto ledger = store.ledger();
  if (!holds || !ledger) return removed;
  std::set<std::string> needed;
  for (const Hold& hold : *holds) needed.insert(hold.run_id);
  for (const LedgerEntry& entry : *ledger) needed.insert(entry.run_id);
  const auto old = fs::file_time_type::clock::now() - 24h;
  std::error_code ec;
  for (fs::directory_iterator it(options.state_dir / "runs", ec), end; !ec && it != end;
       it.increment(ec)) {
    std::error_code unknown;
    if (it->last_write_time(unknown) > old || unknown) continue;
    const std::string id = it->path().filename().string();
    if (needed.contains(id)) continue;
    const fs::file_status hold_file = fs::symlink_status(it->path() / "hold.json", unknown);
    if (hold_file.type() != fs::file_type::not_found) continue;
    const auto run = store.load_run(id);
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
