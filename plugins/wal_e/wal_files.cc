#include "plugins/wal_e/wal_files.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "plugins/wal_e/wal_segment.h"

namespace rad::wal_e {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxSmallFile = std::size_t{1} << 20U;
constexpr milliseconds kFirstPause{250};
constexpr milliseconds kLongestPause{15'000};
constexpr milliseconds kLook{100};
constexpr auto kYoung = std::chrono::minutes(10);

Error write_error(std::string_view what) {
  if (errno != ENOSPC && errno != EDQUOT) {
    return fail(Reason::host_unfit, fmt::format("{}: {}", what, std::strerror(errno)));
  }
  return fail(Reason::scratch_full, fmt::format("{}: no space left", what),
              "free space in scratch_dir");
}

/// Of the storage, and worth another question a little later.
bool may_pass(const Error& error) {
  switch (error.reason) {
    case Reason::storage_unreachable:
    case Reason::timeout:
      return true;
    case Reason::host_unfit:
    case Reason::out_of_memory:
      return error.retryable;
    default:
      return false;
  }
}

Error nobody_waits() {
  return fail(Reason::cancelled, "nobody waits for the file any more");
}

}  // namespace

WalFiles::WalFiles(WalSource source, std::stop_token stop) : source_(std::move(source)) {
  source_.context.stop = std::move(stop);
  prefetch_ = std::make_unique<WalPrefetch>(
      *source_.path, [this](const WalStep& step, bool wanted) { return decode(step, wanted); },
      WalPrefetch::Options{.scratch = source_.scratch, .threads = source_.threads});
  prefetch_->expect(source_.path->first);
}

Result<WalFiles::Answer> WalFiles::fetch(std::string_view name, const GivenUp& given_up) {
  const auto parsed = parse_wal_file_name(name);
  if (!parsed) {
    return fail(Reason::recovery_failed,
                fmt::format("'{}' is not the name of a WAL file", printable(name, 64)));
  }
  switch (parsed->kind) {
    case WalFileKind::segment:
      return fetch_segment(parsed->segment, given_up);
    case WalFileKind::history: {
      // A newer timeline that does not descend from the backup would make the server give up.
      if (parsed->segment.timeline > source_.path->timeline) return Answer{};
      const auto found = source_.listing->histories.find(parsed->segment.timeline);
      const bool known = found != source_.listing->histories.end();
      return fetch_small(known ? &found->second : nullptr, wal_key(name), given_up);
    }
    case WalFileKind::backup_history: {
      const auto found = source_.listing->backup_histories.find(std::string(name));
      const bool known = found != source_.listing->backup_histories.end();
      return fetch_small(known ? &found->second : nullptr, wal_key(name), given_up);
    }
    case WalFileKind::partial:
      break;
  }
  return Answer{};
}

/// \return false when nobody waits any more.
bool WalFiles::pause(milliseconds time, const GivenUp& given_up) {
  const auto end = steady_clock::now() + time;
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  while (!given_up() && !source_.context.stop.stop_requested()) {
    const auto left = end - steady_clock::now();
    if (left <= left.zero()) return true;
    never.wait_for(lock, source_.context.stop, std::min<steady_clock::duration>(left, kLook),
                   [] { return false; });
  }
  return false;
}

template <class T>
Result<T> WalFiles::patiently(const std::function<Result<T>()>& attempt, const GivenUp& given_up) {
  const auto deadline = steady_clock::now() + source_.retry_limit;
  auto delay = std::min(kFirstPause, source_.retry_limit / 4);
  while (true) {
    Result<T> result = attempt();
    if (result || !may_pass(result.error())) return result;
    if (steady_clock::now() + delay > deadline) return result;
    if (!pause(delay, given_up)) return nobody_waits();
    delay = std::min(delay * 2, kLongestPause);
  }
}

Result<std::optional<object_store::ObjectInfo>> WalFiles::look_once(const std::string& key) {
  auto info = source_.storage->stat(key);
  if (info) return std::optional(*std::move(info));
  if (info.error().reason != Reason::missing_object) return std::move(info).error();
  Error error = why_gone(std::move(info).error(), key);
  if (error.reason == Reason::storage_unreachable) return error;
  return std::optional<object_store::ObjectInfo>{};
}

Result<std::optional<object_store::ObjectInfo>> WalFiles::look_again(const std::string& key,
                                                                     const GivenUp& given_up) {
  using Found = std::optional<object_store::ObjectInfo>;
  auto found = patiently<Found>([&] { return look_once(key); }, given_up);
  if (!found) return remember(std::move(found).error());
  return found;
}

/// An object is not found. In a store that has none of the others either nothing can be told.
Error WalFiles::why_gone(Error error, const std::string& key) {
  const auto& steps = source_.path->steps;
  const WalStep* other = &steps.back();
  if (source_.path->object(*other).key == key) other = &steps.front();
  const auto other_key = source_.path->object(*other).key;
  if (other_key == key) return error;
  const auto info = source_.storage->stat(other_key);
  if (info) return error;
  if (info.error().reason != Reason::missing_object) return info.error();
  Error gone = fail(Reason::storage_unreachable,
                    fmt::format("neither '{}' nor '{}', which was there at preflight, is found in "
                                "{}",
                                key, other_key, source_.storage->describe()),
                    "check that it is mounted and complete", key);
  gone.retryable = true;
  return gone;
}

Result<WalFiles::Answer> WalFiles::fetch_segment(const SegmentName& name, const GivenUp& given_up) {
  const auto number = segment_number(name, source_.path->segment_bytes);
  const WalStep* step = number ? source_.path->find(*number) : nullptr;
  if (step != nullptr && source_.path->name(*step) == name) return hand_out(*step, given_up);
  const bool gap = number && step == nullptr && *number >= source_.path->first &&
                   *number < source_.last_number && source_.path->expected_name(*number) == name;
  if (!gap) {
    // What appeared after preflight, or on a timeline that is not followed, was not pinned.
    const auto found = look_again(wal_key(name), given_up);
    if (!found) return found.error();
    return Answer{};
  }
  RAD_TRY(const auto late, wait_for_late(name, *number, given_up));
  if (late) return hand_out(*late, given_up);
  remember(fail(Reason::wal_gap,
                fmt::format("WAL segment '{}' is missing, but later ones exist", wal_key(name)),
                "look for it in pg_wal of the primary or a standby and archive it again",
                wal_key(name)));
  return Answer{};
}

/// Of a gap: what has arrived since preflight, once it has stopped growing.
Result<std::optional<WalStep>> WalFiles::wait_for_late(const SegmentName& name,
                                                       std::uint64_t number,
                                                       const GivenUp& given_up) {
  const auto& steps = source_.path->steps;
  const auto next = std::find_if(steps.begin(), steps.end(),
                                 [&](const WalStep& step) { return step.number > number; });
  const bool young = next != steps.end() && SystemClock().now() - next->modified < kYoung;
  const auto deadline = steady_clock::now() + source_.late_limit;
  const auto delay = std::min<milliseconds>(std::chrono::seconds(1), source_.late_limit / 10);
  std::optional<object_store::ObjectInfo> before;
  while (true) {
    RAD_TRY(const auto found, look_again(wal_key(name), given_up));
    if (found && before && found->size == before->size && found->modified == before->modified) {
      return std::optional(WalStep{number, name.timeline, found->size, found->modified});
    }
    const bool wait = found || young;
    if (!wait || steady_clock::now() + delay > deadline) return std::optional<WalStep>{};
    if (!pause(delay, given_up)) return nobody_waits();
    before = found;
  }
}

Result<WalFiles::Answer> WalFiles::hand_out(const WalStep& step, const GivenUp& given_up) {
  auto content = prefetch_->take(step, given_up);
  if (!content) return remember(std::move(content).error());
  return Answer(*std::move(content));
}

Result<WalFiles::Answer> WalFiles::fetch_small(const object_store::ObjectInfo* object,
                                               const std::string& key, const GivenUp& given_up) {
  if (object == nullptr) {
    const auto found = look_again(key, given_up);
    if (!found) return found.error();
    return Answer{};
  }
  std::string content;
  const auto add = [&](std::span<const std::byte> piece) -> Status {
    if (content.size() + piece.size() > kMaxSmallFile) {
      return fail(Reason::metadata_invalid,
                  fmt::format("'{}' is larger than {} bytes", key, kMaxSmallFile), "", key);
    }
    content.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    return {};
  };
  const auto decoded = patiently<DecodedInfo>(
      [&]() -> Result<DecodedInfo> {
        for (int attempt = 0;; ++attempt) {
          content.clear();
          auto info = decode_object(*source_.storage, *object, source_.context, add);
          if (info) return info;
          Error error = std::move(info).error();
          if (error.reason == Reason::missing_object) return why_gone(std::move(error), key);
          if (attempt > 0 || !worth_reading_again(error)) return error;
        }
      },
      given_up);
  if (!decoded) return remember(decoded.error());
  auto file = nameless_file();
  if (!file) return remember(std::move(file).error());
  if (::write(file->get(), content.data(), content.size()) !=
      static_cast<ssize_t>(content.size())) {
    return remember(write_error("cannot write a file of the archive"));
  }
  return Answer(*std::move(file));
}

Result<UniqueFd> WalFiles::nameless_file() const {
  UniqueFd fd(::open(source_.scratch.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  const auto what = fmt::format("cannot make a file in '{}'", source_.scratch.string());
  if (errno != EOPNOTSUPP && errno != EISDIR) return write_error(what);
  std::string name = (source_.scratch / "wal-XXXXXX").string();
  fd.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return write_error(what);
  ::unlink(name.c_str());
  return fd;
}

Result<UniqueFd> WalFiles::decode(const WalStep& step, bool wanted) {
  if (!wanted) return decode_twice(step);
  return patiently<UniqueFd>([&] { return decode_twice(step); },
                             [this] { return source_.context.stop.stop_requested(); });
}

/// Once more on a fault of the object: only what two reads agree on counts.
Result<UniqueFd> WalFiles::decode_twice(const WalStep& step) {
  const auto object = source_.path->object(step);
  for (int attempt = 0;; ++attempt) {
    RAD_TRY(UniqueFd fd, nameless_file());
    const SegmentExpectation wanted{source_.path->name(step), source_.path->segment_bytes,
                                    source_.system_identifier, 0};
    auto decoded = decode_segment(*source_.storage, object, source_.context, wanted, fd.get());
    if (decoded) return fd;
    Error error = std::move(decoded).error();
    if (error.reason == Reason::missing_object) {
      error = why_gone(std::move(error), object.key);
      if (error.reason != Reason::missing_object) return error;
      error.reason = Reason::backup_removed;
      error.message =
          fmt::format("WAL object '{}' was there at preflight and is gone now", object.key);
      return error;
    }
    if (attempt > 0 || !worth_reading_again(error)) return error;
  }
}

Error WalFiles::remember(Error error) {
  if (error.reason == Reason::cancelled) return error;
  if (source_.keys != nullptr) error = source_.keys->judge(std::move(error), *source_.storage);
  const std::lock_guard lock(mutex_);
  if (!fault_) fault_ = error;
  return error;
}

std::optional<Error> WalFiles::first_fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

}  // namespace rad::wal_e
