#include "plugins/wal_e/wal_validate.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <span>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "plugins/wal_e/pg_waldump.h"

namespace rad::wal_e {
namespace {

namespace fs = std::filesystem;

// All files of a window bear this timeline, since pg_waldump reads one at a time; the pages inside
// keep theirs.
constexpr std::uint32_t kWindowTimeline = 1;
constexpr std::uint64_t kWindowBytes = std::uint64_t{128} << 20U;

Error write_error(const fs::path& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return fail(full ? Reason::scratch_full : Reason::host_unfit,
              fmt::format("cannot write '{}': {}", path.string(), std::strerror(errno)),
              full ? "free space in scratch_dir" : "", path.string());
}

class Chain {
 public:
  Chain(object_store::Storage& storage, const DecodeContext& context, const WalPath& path,
        const ChainOptions& options)
      : storage_(storage),
        context_(context),
        path_(path),
        options_(options),
        at_(options.start),
        system_identifier_(options.system_identifier) {}

  Result<ChainResult> run() {
    if (path_.steps.empty()) return fail(Reason::internal_error, "no WAL segment to validate");
    std::error_code code;
    fs::create_directories(options_.directory, code);
    if (code) {
      return fail(Reason::host_unfit, fmt::format("cannot create '{}': {}",
                                                  options_.directory.string(), code.message()));
    }
    auto result = read_all();
    (void)remove_tree(options_.directory);
    return result;
  }

 private:
  using Steps = std::pair<std::size_t, std::size_t>;  ///< [first, last) of path_.steps

  std::size_t window_size() const {
    return std::max<std::size_t>(2, kWindowBytes / path_.segment_bytes);
  }
  fs::path file(std::uint64_t number) const {
    return options_.directory / to_string(window_name(number));
  }
  SegmentName window_name(std::uint64_t number) const {
    return segment_name(kWindowTimeline, number, path_.segment_bytes);
  }

  Result<ChainResult> read_all() {
    ChainResult result;
    std::uint64_t kept = path_.steps.front().number;
    for (std::size_t begin = 0; begin < path_.steps.size();) {
      const std::size_t end = std::min(begin + window_size(), path_.steps.size());
      RAD_CHECK(decode({begin, end}));
      if (!options_.waldump.empty()) {
        RAD_CHECK(prove({begin, end}, kept, result.damage));
        result.last_record = at_;
        if (result.damage) break;
        kept = drop_before(kept, at_ / path_.segment_bytes);
      } else {
        for (std::size_t i = begin; i < end; ++i) ::unlink(file(path_.steps[i].number).c_str());
      }
      begin = end;
    }
    result.segments = path_.steps.size();
    result.stored_bytes = path_.stored_bytes();
    result.findings = std::move(findings_);
    if (options_.waldump.empty() || result.damage) return result;
    RAD_TRY(result.end, judge_last_segment());
    if (result.end.kind == EndKind::damaged) result.damage = end_damaged(result.end);
    result.proved = !result.damage;
    return result;
  }

  /// Segments that the next window does not need. \return the first one kept
  std::uint64_t drop_before(std::uint64_t from, std::uint64_t to) const {
    for (; from < to; ++from) ::unlink(file(from).c_str());
    return from;
  }

  Status decode_one(const WalStep& step) {
    const auto name = file(step.number);
    UniqueFd fd;
    // Without pg_waldump nobody reads the file.
    if (!options_.waldump.empty()) {
      fd.reset(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (!fd) return write_error(name);
    }
    SegmentExpectation wanted{path_.name(step), path_.segment_bytes, 0, 0};
    {
      const std::lock_guard lock(mutex_);
      wanted.system_identifier = system_identifier_;
      wanted.magic = magic_;
    }
    auto decoded =
        decode_segment(storage_, path_.object(step), context_, wanted, fd ? fd.get() : -1);
    if (!decoded) return std::move(decoded).error();
    if (options_.on_progress) options_.on_progress(step.size);
    const std::lock_guard lock(mutex_);
    if (system_identifier_ == 0) system_identifier_ = decoded->head.system_identifier;
    if (magic_ == 0) magic_ = decoded->head.magic;
    return {};
  }

  /// A fault counts when a second read has seen it too.
  Status decode_twice(const WalStep& step) {
    auto first = decode_one(step);
    if (first || !worth_reading_again(first.error())) return first;
    auto second = decode_one(step);
    if (second) note_not_repeated(first.error());
    return second;
  }

  void note_not_repeated(const Error& error) {
    const std::lock_guard lock(mutex_);
    findings_.push_back({"read_error_not_repeated",
                         fmt::format("a first read failed ({}), a second one did not: look at the "
                                     "storage and this host's memory",
                                     error.message),
                         error.object});
  }

  Status decode(Steps steps) {
    std::atomic<std::size_t> next = steps.first;
    std::vector<std::optional<Error>> errors(steps.second - steps.first);
    std::atomic<bool> stop = false;
    const auto work = [&] {
      for (std::size_t i = next++; i < steps.second && !stop; i = next++) {
        if (auto status = decode_twice(path_.steps[i]); !status) {
          errors[i - steps.first] = std::move(status).error();
          stop = true;
        }
      }
    };
    // The first segment says whose the others must be.
    if (magic_ == 0) {
      RAD_CHECK(decode_twice(path_.steps[next++]));
    }
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < options_.parallel; ++i) threads.emplace_back(work);
    work();
    threads.clear();
    for (auto& error : errors) {
      if (error) return std::move(*error);
    }
    return {};
  }

  Status write_end_mark(std::uint64_t number) const {
    const UniqueFd fd(
        ::open(file(number).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(path_.segment_bytes)) != 0) {
      return write_error(file(number));
    }
    return {};
  }

  Result<WaldumpEnd> dump(std::uint64_t mark) {
    const WaldumpRun run{options_.waldump,
                         options_.directory,
                         window_name(at_ / path_.segment_bytes),
                         window_name(mark),
                         at_,
                         options_.major};
    // A later window begins with the last record of the one before, already shown.
    const bool shown = options_.on_record && at_ < options_.stop &&
                       options_.show_from < mark * path_.segment_bytes;
    const std::function<void(std::string_view)> line =
        shown ? [this](std::string_view text) { show(text); }
              : std::function<void(std::string_view)>();
    return run_waldump(run, line, context_.stop);
  }

  void show(std::string_view line) const {
    constexpr std::string_view kLsn = " lsn: ";
    const auto at = line.find(kLsn);
    if (at == std::string_view::npos) return;
    const auto rest = line.substr(at + kLsn.size());
    const auto lsn = parse_lsn(rest.substr(0, rest.find(',')));
    if (lsn && *lsn < options_.stop) options_.on_record(line);
  }

  /// \param damage  set if the records do not go on to the end of the window
  Status prove(Steps steps, std::uint64_t kept, std::optional<Error>& damage) {
    const std::uint64_t mark = path_.steps[steps.second - 1].number + 1;
    RAD_CHECK(write_end_mark(mark));
    RAD_TRY(auto end, dump(mark));
    if (!reaches(end, mark)) {
      const Error first = damaged(end);
      RAD_CHECK(decode_again(kept, steps));
      RAD_TRY(end, dump(mark));
      if (reaches(end, mark)) {
        note_not_repeated(first);
      } else {
        damage = damaged(end);
      }
    }
    if (end.last_record != 0) at_ = end.last_record;
    return {};
  }

  bool reaches(const WaldumpEnd& end, std::uint64_t mark) const {
    return end.last_record != 0 && stopped_at(end, window_name(mark));
  }

  Status decode_again(std::uint64_t kept, Steps steps) {
    while (steps.first > 0 && path_.steps[steps.first - 1].number >= kept) --steps.first;
    return decode(steps);
  }

  Error damaged(const WaldumpEnd& end) const {
    std::uint64_t number = at_ / path_.segment_bytes;
    if (const auto blamed = parse_segment_name(end.at_segment)) {
      number = segment_number(*blamed, path_.segment_bytes).value_or(number);
    } else if (end.at_lsn != 0) {
      number = end.at_lsn / path_.segment_bytes;
    }
    number = std::clamp(number, path_.steps.front().number, path_.steps.back().number);
    const WalStep* step = path_.find(number);
    const std::string key =
        step != nullptr ? path_.object(*step).key : wal_key(path_.expected_name(number));
    Error error =
        fail(Reason::wal_damaged,
             fmt::format("WAL object '{}' is damaged: {}; the last good record is at {}", key,
                         end.message, format_lsn(end.last_record)),
             "recovery ends there; look for the segment on a standby or in pg_wal, and take "
             "a new base backup",
             key);
    return error;
  }

  Result<WalEnd> judge_last_segment() const {
    const auto number = path_.steps.back().number;
    const UniqueFd fd(::open(file(number).c_str(), O_RDONLY | O_CLOEXEC));
    // Mapped, not read: a segment may have 1 GiB, and a page or two of it is looked at.
    void* map =
        fd ? ::mmap(nullptr, path_.segment_bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
      return fail(Reason::host_unfit,
                  fmt::format("cannot map '{}' in scratch", file(number).string()));
    }
    const std::span content(static_cast<const std::byte*>(map), path_.segment_bytes);
    const WalEnd end = judge_end(content, number * path_.segment_bytes, at_);
    ::munmap(map, path_.segment_bytes);
    return end;
  }

  Error end_damaged(const WalEnd& end) const {
    const auto key = path_.object(path_.steps.back()).key;
    return fail(
        Reason::wal_damaged,
        fmt::format("WAL object '{}' is damaged: the record at {} claims to go on in the next "
                    "segment, but another record follows it",
                    key, format_lsn(end.next)),
        "recovery ends there; look for the segment on a standby or in pg_wal", key);
  }

  object_store::Storage& storage_;
  const DecodeContext& context_;
  const WalPath& path_;
  const ChainOptions& options_;
  Lsn at_;  ///< the last record that was proved; at first the start
  std::mutex mutex_;
  std::uint64_t system_identifier_;
  std::uint16_t magic_ = 0;
  std::vector<Finding> findings_;
};

}  // namespace

std::optional<fs::path> find_waldump(const std::string& pattern, int major) {
  constexpr std::string_view kPlaceholder = "{major}";
  const std::string text = major > 90 ? fmt::format("9.{}", major - 90) : std::to_string(major);
  std::string directory = pattern;
  for (auto at = directory.find(kPlaceholder); at != std::string::npos;
       at = directory.find(kPlaceholder, at + text.size())) {
    directory.replace(at, kPlaceholder.size(), text);
  }
  constexpr int kFirstWaldump = 10;
  const bool old = major > 90 || major < kFirstWaldump;
  const fs::path program = fs::path(directory) / (old ? "pg_xlogdump" : "pg_waldump");
  return ::access(program.c_str(), X_OK) == 0 ? std::optional(program) : std::nullopt;
}

Result<ChainResult> validate_chain(object_store::Storage& storage, const DecodeContext& context,
                                   const WalPath& path, const ChainOptions& options) {
  return Chain(storage, context, path, options).run();
}

}  // namespace rad::wal_e
