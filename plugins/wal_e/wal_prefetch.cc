#include "plugins/wal_e/wal_prefetch.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <new>
#include <utility>

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace rad::wal_e {
namespace {

constexpr unsigned kLeastAhead = 4;
constexpr unsigned kMostAhead = 64;
constexpr unsigned kMostAtOnce = 16;
constexpr unsigned kSmooth = 64;
constexpr std::ptrdiff_t kKeptBehind = 2;
constexpr int kNice = 5;
constexpr auto kLook = std::chrono::milliseconds(100);

unsigned cores() {
  return std::max(1U, std::thread::hardware_concurrency());
}

std::chrono::nanoseconds thread_cpu() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

unsigned segments_in(std::uint64_t bytes, std::uint64_t segment_bytes) {
  return static_cast<unsigned>(
      std::clamp<std::uint64_t>(bytes / segment_bytes, kLeastAhead / 2, kMostAhead));
}

/// Not worth another look when it is asked for.
bool is_final(const Result<UniqueFd>& content) {
  return content || info(content.error().reason).blame == Blame::backup;
}

}  // namespace

WalPrefetch::WalPrefetch(const WalPath& path, Decode decode, Options options)
    : path_(path),
      decode_(std::move(decode)),
      options_(std::move(options)),
      max_ahead_(segments_in(options_.max_bytes, path.segment_bytes)),
      cores_(options_.threads > 0 ? options_.threads : cores()),
      ahead_(std::min(max_ahead_, std::max(kLeastAhead, cores_ + 1))),
      at_once_(cores_) {}

WalPrefetch::~WalPrefetch() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void WalPrefetch::expect(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  position_ = number;
  plan();
}

Result<UniqueFd> WalPrefetch::take(const WalStep& step, const std::function<bool()>& given_up) {
  std::unique_lock lock(mutex_);
  position_ = step.number;
  const auto found = entries_.try_emplace(step.number, Entry{.step = step}).first;
  Entry& entry = found->second;
  entry.wanted = true;
  if (entry.content && !is_final(*entry.content)) entry.state = State::queued;
  const bool waited = entry.state != State::done;
  plan();
  if (running_ == threads_.size()) add_thread();
  while (true) {
    const bool done = changed_.wait_for(lock, kLook, [&] { return entry.state == State::done; });
    if (!done && given_up()) {
      entry.wanted = false;
      return fail(Reason::cancelled, "nobody waits for the segment any more");
    }
    if (!done) continue;
    const bool full = !*entry.content && entry.content->error().reason == Reason::scratch_full;
    if (!full || !make_space(step.number)) break;
    entry.content.reset();
    entry.state = State::queued;
    changed_.notify_all();
  }
  Result<UniqueFd> content = std::move(*entry.content);
  entries_.erase(found);
  ++statistics_.taken;
  if (waited) ++statistics_.waited_for;
  adapt(waited);
  ++position_;
  plan();
  return content;
}

/// What lies ready gives way to what is asked for. \return whether anything did
bool WalPrefetch::make_space(std::uint64_t number) {
  ahead_ = 1;
  return std::erase_if(entries_, [&](const auto& item) {
           return item.first != number && item.second.state == State::done;
         }) > 0;
}

void WalPrefetch::adapt(bool waited) {
  if (waited) {
    smooth_ = 0;
    ahead_ = std::min(max_ahead_, ahead_ * 2);
    // More at once helps where the storage is slow, not where the cores are busy.
    if (waits_most_) at_once_ = std::min({at_once_ + 1, kMostAtOnce, 8 * cores_});
    return;
  }
  if (++smooth_ < kSmooth) return;
  smooth_ = 0;
  ahead_ = std::max(std::min(kLeastAhead, max_ahead_), ahead_ - 1);
  at_once_ = std::max(cores_, at_once_ - 1);
}

/// How many more segments scratch may take.
unsigned WalPrefetch::room() const {
  struct statvfs status {};
  if (::statvfs(options_.scratch.c_str(), &status) != 0) return 0;
  const std::uint64_t free = status.f_bavail * status.f_frsize;
  const auto unwritten =
      static_cast<std::uint64_t>(std::count_if(entries_.begin(), entries_.end(), [](auto& item) {
        return item.second.state != State::done;
      }));
  const std::uint64_t taken = options_.reserved_bytes + unwritten * path_.segment_bytes;
  return free > taken ? segments_in(free - taken, path_.segment_bytes) : 0;
}

/// Queues what comes next and drops what does not. mutex_ is held.
void WalPrefetch::plan() {
  evict();
  const auto window =
      static_cast<std::uint64_t>(std::distance(entries_.lower_bound(position_), entries_.end()));
  std::uint64_t more = window < ahead_ ? std::min<std::uint64_t>(room(), ahead_ - window) : 0;
  for (std::uint64_t number = position_; more > 0; ++number) {
    if (entries_.contains(number)) continue;
    const WalStep* step = path_.find(number);
    if (step == nullptr) break;
    entries_.emplace(number, Entry{.step = *step});
    --more;
  }
  while (threads_.size() < std::min<std::size_t>(at_once_, entries_.size())) add_thread();
  changed_.notify_all();
}

/// Recovery goes back only at its beginning, by a segment or two.
void WalPrefetch::evict() {
  const auto may_go = [](const Entry& entry) {
    return !entry.wanted && entry.state != State::running;
  };
  const auto behind =
      std::distance(entries_.begin(), entries_.lower_bound(position_)) - kKeptBehind;
  std::ptrdiff_t index = 0;
  std::erase_if(entries_, [&](const auto& item) {
    const bool out = index++ < behind || item.first >= position_ + ahead_;
    return out && may_go(item.second);
  });
}

void WalPrefetch::add_thread() {
  if (threads_.size() <= kMostAtOnce) threads_.emplace_back([this] { work(); });
}

WalPrefetch::Entry* WalPrefetch::next_entry() {
  Entry* next = nullptr;
  for (auto& [number, entry] : entries_) {
    if (entry.state != State::queued) continue;
    if (entry.wanted) return &entry;
    if (next == nullptr && running_ < at_once_) next = &entry;
  }
  return next;
}

void WalPrefetch::work() {
  // Replay goes first where there are too few cores for both. Children inherit it.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  std::unique_lock lock(mutex_);
  while (true) {
    Entry* entry = nullptr;
    changed_.wait(lock, [&] { return stopping_ || (entry = next_entry()) != nullptr; });
    if (stopping_) return;
    entry->state = State::running;
    entry->patient = entry->wanted;
    const WalStep step = entry->step;
    const bool wanted = entry->wanted;
    ++running_;
    lock.unlock();
    const auto begun = std::chrono::steady_clock::now();
    const auto cpu = thread_cpu();
    Result<UniqueFd> content = fail(Reason::out_of_memory, "no memory to decode a WAL segment");
    try {
      content = decode_(step, wanted);
    } catch (const std::bad_alloc&) {
      // Said already.
    }
    const bool waits_most = std::chrono::steady_clock::now() - begun > 3 * (thread_cpu() - cpu);
    lock.lock();
    --running_;
    waits_most_ = waits_most;
    finish(step.number, std::move(content));
    changed_.notify_all();
  }
}

void WalPrefetch::finish(std::uint64_t number, Result<UniqueFd> content) {
  const auto found = entries_.find(number);
  Entry& entry = found->second;
  if (is_final(content) || entry.patient) {
    entry.state = State::done;
    entry.content = std::move(content);
    return;
  }
  if (content.error().reason == Reason::scratch_full) ahead_ = 1;
  if (entry.wanted) {
    entry.state = State::queued;
  } else {
    entries_.erase(found);
  }
}

WalPrefetch::Statistics WalPrefetch::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics result = statistics_;
  result.ahead = ahead_;
  result.at_once = at_once_;
  return result;
}

}  // namespace rad::wal_e
