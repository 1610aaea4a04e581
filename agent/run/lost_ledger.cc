#include "agent/run/lost_ledger.h"

#include <set>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "agent/run/hold_files.h"
#include "agent/run/workspace.h"

namespace rad {
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxMarker = 256;
constexpr std::string_view kDamaged = "rad.db.damaged-";

bool is_ours(const fs::path& path, mode_t kind) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && (info.st_mode & S_IFMT) == kind &&
         info.st_uid == ::geteuid();
}

/// The run that made the directory; "" if it is not certain that one of ours did.
std::string maker_of(const fs::path& directory) {
  if (!is_ours(directory, S_IFDIR) || !is_ours(directory / kMarkerName, S_IFREG)) return "";
  const auto marker = read_file_beneath(directory, kMarkerName, kMaxMarker);
  return marker && is_run_id(*marker) ? *marker : "";
}

class Recovery {
 public:
  Recovery(Store& store, std::set<std::string> known) : store_(store), known_(std::move(known)) {}

  void look_in(const fs::path& parent, LedgerKind kind) {
    std::error_code ec;
    for (fs::directory_iterator it(parent, ec), end; !ec && it != end; it.increment(ec)) {
      const fs::path& path = it->path();
      if (known_.contains(path.string())) continue;
      const std::string run_id = maker_of(path);
      if (run_id.empty()) continue;
      if (kind == LedgerKind::scratch_dir && run_id != path.filename().string()) continue;
      enter(run_id, path, kind);
    }
  }
  std::vector<std::string> said() && { return std::move(said_); }

 private:
  void enter(const std::string& run_id, const fs::path& path, LedgerKind kind) {
    LedgerEntry entry{run_id, kind, path.string(), run_id, std::nullopt};
    if (kind == LedgerKind::scratch_dir) entry.keep_until = kept_until(path);
    if (entry.keep_until) entry.kind = LedgerKind::kept;
    const Status entered = store_.ledger_add(entry);
    if (!entered) {
      said_.push_back(entered.error().message);
      return;
    }
    said_.push_back(fmt::format(
        "'{}' of run {} was known only to the store that is lost; it {}", path.string(), run_id,
        entry.keep_until ? "is kept until " + format_rfc3339(*entry.keep_until)
                         : std::string("goes when nobody uses it any more")));
  }

  Store& store_;
  std::set<std::string> known_;
  std::vector<std::string> said_;
};

}  // namespace

bool a_store_was_damaged(const fs::path& state_dir) {
  std::error_code ec;
  for (fs::directory_iterator it(state_dir, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().filename().string().starts_with(kDamaged)) return true;
  }
  return false;
}

Status mark_kept(const fs::path& directory, TimePoint until) {
  return write_file_atomic(directory / kKeptName, format_rfc3339(until) + "\n", 0600);
}

std::optional<TimePoint> kept_until(const fs::path& directory) {
  if (!is_ours(directory / kKeptName, S_IFREG)) return std::nullopt;
  const auto text = read_file_beneath(directory, kKeptName, kMaxMarker);
  if (!text) return std::nullopt;
  const auto until = parse_time(std::string_view(*text).substr(0, text->find('\n')));
  return until ? std::optional(*until) : std::nullopt;
}

std::vector<std::string> recover_ledger(const AgentOptions& options, Store& store) {
  if (!a_store_was_damaged(options.state_dir)) return {};
  const auto entries = store.ledger();
  if (!entries) return {entries.error().message};
  std::set<std::string> known;
  for (const LedgerEntry& entry : *entries) known.insert(entry.path);
  Recovery recovery(store, std::move(known));
  recovery.look_in(options.scratch_dir, LedgerKind::scratch_dir);
  recovery.look_in(options.runtime_dir, LedgerKind::runtime_dir);
  return std::move(recovery).said();
}

}  // namespace rad
