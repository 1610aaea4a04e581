#include "agent/run/store_keeper.h"

#include <fmt/format.h>

#include "agent/base/log.h"

namespace rad {
using namespace std::chrono_literals;

namespace {

constexpr auto kRetryEvery = 1min;

bool can_be_mended(StoreTrouble trouble) {
  switch (trouble) {
    case StoreTrouble::damaged:
    case StoreTrouble::full:
    case StoreTrouble::read_only:
    case StoreTrouble::io_error:
    case StoreTrouble::moved:
      return true;
    default:
      return false;
  }
}

}  // namespace

StoreKeeper::StoreKeeper(std::filesystem::path file, std::filesystem::path stand_in_dir,
                         const Clock& clock, OpenedStore opened)
    : file_(std::move(file)),
      stand_in_dir_(std::move(stand_in_dir)),
      clock_(clock),
      opened_(std::move(opened)),
      tried_at_(clock.steady_now()) {}

Result<std::unique_ptr<StoreKeeper>> StoreKeeper::open(std::filesystem::path file,
                                                       std::filesystem::path stand_in_dir,
                                                       const Clock& clock) {
  RAD_TRY(OpenedStore opened, open_or_set_aside(file, stand_in_dir, clock.now()));
  std::unique_ptr<StoreKeeper> keeper(
      new StoreKeeper(std::move(file), std::move(stand_in_dir), clock, std::move(opened)));
  keeper->say();
  return keeper;
}

void StoreKeeper::say() {
  std::vector<std::string> lines;
  if (opened_.error) {
    lines.push_back(fmt::format("store: {}", opened_.error->message));
    if (!opened_.error->hint.empty()) lines.push_back("store: hint: " + opened_.error->hint);
  }
  if (!opened_.moved_to.empty()) {
    lines.push_back(
        fmt::format("store: the damaged file lies in '{}'; {} runs and {} entries of what "
                    "lies on this host were taken over",
                    opened_.moved_to.string(), opened_.runs, opened_.ledger_entries));
  }
  for (const std::string& table : opened_.damaged_tables) {
    lines.push_back(fmt::format("store: not all of '{}' could be read", table));
  }
  if (opened_.place != StorePlace::file) {
    lines.push_back(
        "store: a stand-in has taken its place; nothing is restored until the file can be "
        "written again");
  }
  // Looked at again and again while it lasts; said when it changes.
  if (lines == said_) return;
  for (const std::string& line : lines) log::error(line);
  said_ = std::move(lines);
}

std::string StoreKeeper::problem() const {
  if (!failure_.empty()) return failure_;
  if (opened_.place != StorePlace::file) {
    return opened_.error ? opened_.error->message : "a stand-in has taken the store's place";
  }
  const StoreTrouble trouble = opened_.store.trouble();
  return trouble == StoreTrouble::none
             ? ""
             : fmt::format("'{}': {}", file_.string(), to_string(trouble));
}

bool StoreKeeper::look() {
  if (opened_.place == StorePlace::file) (void)opened_.store.in_place();
  const bool wrong =
      !opened_.store.durable() || can_be_mended(opened_.store.trouble()) || !failure_.empty();
  if (!wrong || clock_.steady_now() - tried_at_ < kRetryEvery) return false;
  tried_at_ = clock_.steady_now();
  const bool was_in_memory = opened_.place == StorePlace::memory;
  const bool moved =
      opened_.place == StorePlace::file && opened_.store.trouble() == StoreTrouble::moved;
  auto again = moved ? open_moved(file_, stand_in_dir_, clock_.now(), opened_.store)
                     : open_or_set_aside(file_, stand_in_dir_, clock_.now());
  if (!again) {
    if (failure_ != again.error().message) log::error("store: " + again.error().message);
    failure_ = again.error().message;
    return false;
  }
  if (was_in_memory && again->place != StorePlace::memory) {
    const Status given = again->store.adopt(opened_.store);
    if (!given) log::error("store: " + given.error().message);
  } else if (was_in_memory) {
    // Still nothing better than memory: keep what is in it.
    return false;
  }
  failure_.clear();
  opened_ = std::move(*again);
  say();
  if (opened_.place == StorePlace::file) log::info("store: the file can be written again");
  return true;
}

}  // namespace rad
