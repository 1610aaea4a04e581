#include "plugins/wal_e/base_backup_reader.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/wal_e/partition_reader.h"

namespace rad::wal_e {
namespace {

/// One reading of all partitions: what the threads share.
class Reading {
 public:
  Reading(object_store::Storage& storage, const DecodeContext& context, const ReadOptions& options)
      : storage_(storage),
        context_(context),
        asked_to_stop_(context.stop),
        options_(options),
        contents_(options.partitions.size()),
        errors_(options.partitions.size()),
        stored_(std::make_unique<std::atomic<std::uint64_t>[]>(options.partitions.size())),
        on_stop_(context.stop, [this] { stop_.request_stop(); }) {
    context_.stop = stop_.get_token();
  }

  Result<BaseBackupContent> run();

 private:
  unsigned thread_count() const;
  void work();
  void read_one(std::size_t number);
  void report(std::size_t number, std::uint64_t stored);
  Status first_host_error() const;
  void find_duplicates();
  Status make_hard_links();
  Status make_skeleton(std::string_view version);
  BaseBackupContent merge();
  void merge_one(BaseBackupContent& all, PartitionContent& part);

  object_store::Storage& storage_;
  DecodeContext context_;
  std::stop_token asked_to_stop_;
  const ReadOptions& options_;
  std::vector<PartitionContent> contents_;
  std::vector<std::optional<Error>> errors_;  ///< by partition, each written by its thread
  std::unique_ptr<std::atomic<std::uint64_t>[]> stored_;
  std::atomic<std::size_t> next_{0};
  MemberLedger ledger_;
  std::optional<TreeWriter> late_writer_;  ///< for what comes after the partitions
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;
};

bool is_fault(const Error& error) {
  return info(error.reason).blame == Blame::backup;
}

unsigned Reading::thread_count() const {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned wanted = options_.parallel == 0 ? cores : options_.parallel;
  return static_cast<unsigned>(std::clamp<std::size_t>(options_.partitions.size(), 1, wanted));
}

Result<BaseBackupContent> Reading::run() {
  const unsigned threads = thread_count();
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  // The last partition runs alone for a while: two keep both gpg and a second core busy.
  context_.decoders = std::max({context_.decoders, 2U, (cores + threads - 1) / threads});
  // The same memory for many partitions at once as for few, as far as that goes.
  constexpr std::size_t kAllBuffers = std::size_t{64} << 20U;
  constexpr std::size_t kLeastBuffer = std::size_t{4} << 20U;
  context_.buffer_bytes = std::clamp(kAllBuffers / threads, kLeastBuffer, context_.buffer_bytes);
  if (!options_.target.empty()) {
    RAD_TRY(late_writer_, TreeWriter::open(options_.target, options_.tablespaces));
  }
  {
    std::vector<std::jthread> workers;
    workers.reserve(threads);
    try {
      for (unsigned at = 1; at < threads; ++at) workers.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      // The threads there are will do all of it.
    }
    work();
  }
  RAD_CHECK(first_host_error());
  find_duplicates();
  const bool whole =
      std::none_of(errors_.begin(), errors_.end(),
                   [](const std::optional<Error>& error) { return error.has_value(); });
  if (whole) RAD_CHECK(make_hard_links());
  BaseBackupContent all = merge();
  if (whole && late_writer_) RAD_CHECK(make_skeleton(all.pg_version));
  return all;
}

void Reading::work() {
  for (;;) {
    const std::size_t number = next_.fetch_add(1);
    if (number >= options_.partitions.size() || stop_.stop_requested()) return;
    try {
      read_one(number);
    } catch (const std::bad_alloc&) {
      errors_[number] = fail(Reason::out_of_memory, "there is no memory to read a partition");
    }
    const bool stops = errors_[number] && (!options_.keep_going || !is_fault(*errors_[number]));
    if (stops) stop_.request_stop();
  }
}

void Reading::read_one(std::size_t number) {
  std::unique_ptr<FileOutput> output;
  if (!options_.target.empty()) {
    Result<std::unique_ptr<FileOutput>> opened =
        FileOutput::open(options_.target, options_.tablespaces);
    if (!opened) {
      errors_[number] = std::move(opened).error();
      return;
    }
    output = *std::move(opened);
  }
  PartitionReader reader(static_cast<std::uint32_t>(number), ledger_, output.get(),
                         options_.max_member_bytes,
                         [this, number](std::uint64_t stored) { report(number, stored); });
  const Status status =
      reader.read(storage_, options_.partitions[number], context_, contents_[number]);
  if (!status) errors_[number] = status.error();
}

void Reading::report(std::size_t number, std::uint64_t stored) {
  stored_[number].store(stored, std::memory_order_relaxed);
  if (!options_.on_progress) return;
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < options_.partitions.size(); ++at) {
    sum += stored_[at].load(std::memory_order_relaxed);
  }
  options_.on_progress(sum);
}

/// A partition that was only stopped because of another one has nothing to say.
Status Reading::first_host_error() const {
  for (const std::optional<Error>& error : errors_) {
    if (error && !is_fault(*error) && error->reason != Reason::cancelled) return *error;
  }
  if (asked_to_stop_.stop_requested()) return fail(Reason::cancelled, "reading was stopped");
  return {};
}

void Reading::find_duplicates() {
  std::vector<PartitionShape> shapes;
  shapes.reserve(contents_.size());
  for (const PartitionContent& content : contents_) shapes.push_back(content.shape);
  for (auto& [number, error] : ledger_.duplicates(shapes)) {
    if (!errors_[number] || errors_[number]->reason == Reason::cancelled) {
      errors_[number] = std::move(error);
    }
  }
}

Status Reading::make_hard_links() {
  std::vector<PendingLink> pending;
  for (PartitionContent& content : contents_) {
    std::move(content.hard_links.begin(), content.hard_links.end(), std::back_inserter(pending));
  }
  std::set<std::string, std::less<>> waiting;
  for (const PendingLink& link : pending) waiting.insert(link.path);
  // A link to a link waits for that one; a round that makes none has only circles left.
  while (!pending.empty()) {
    std::vector<PendingLink> later;
    for (PendingLink& link : pending) {
      if (waiting.contains(link.first_name)) {
        later.push_back(std::move(link));
        continue;
      }
      if (!ledger_.has_file(link.first_name)) {
        const std::string& object = options_.partitions[link.partition].key;
        errors_[link.partition] =
            fail(Reason::metadata_invalid,
                 fmt::format("object '{}': member '{}' is a hard link to '{}', which is not a file "
                             "of the backup",
                             object, printable(link.path, 200), printable(link.first_name, 200)),
                 {}, object);
      } else if (late_writer_) {
        RAD_CHECK(late_writer_->link_file(link.path, link.first_name));
      }
      waiting.erase(link.path);
    }
    if (later.size() == pending.size()) {
      const PendingLink& first = later.front();
      const std::string& object = options_.partitions[first.partition].key;
      errors_[first.partition] =
          fail(Reason::metadata_invalid,
               fmt::format("object '{}': the hard link '{}' leads back to itself", object,
                           printable(first.path, 200)),
               {}, object);
      return {};
    }
    pending = std::move(later);
  }
  return {};
}

/// Old WAL-E lost empty directories, and PostgreSQL does not start without these.
Status Reading::make_skeleton(std::string_view version) {
  constexpr std::array<std::string_view, 19> kAlways{"base",
                                                     "global",
                                                     "pg_commit_ts",
                                                     "pg_dynshmem",
                                                     "pg_logical",
                                                     "pg_logical/mappings",
                                                     "pg_logical/snapshots",
                                                     "pg_multixact/members",
                                                     "pg_multixact/offsets",
                                                     "pg_notify",
                                                     "pg_replslot",
                                                     "pg_serial",
                                                     "pg_snapshots",
                                                     "pg_stat",
                                                     "pg_stat_tmp",
                                                     "pg_subtrans",
                                                     "pg_tblspc",
                                                     "pg_twophase",
                                                     ""};
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  if (major == 0) return {};
  constexpr int kRenamed = 10;
  const bool renamed = major >= kRenamed;
  for (const std::string_view path : kAlways) {
    if (!path.empty()) RAD_CHECK(late_writer_->make_directory(path));
  }
  RAD_CHECK(
      late_writer_->make_directory(renamed ? "pg_wal/archive_status" : "pg_xlog/archive_status"));
  return late_writer_->make_directory(renamed ? "pg_xact" : "pg_clog");
}

void append_capped(std::vector<SuspectPage>& to, std::vector<SuspectPage>& from, bool& cut) {
  for (SuspectPage& page : from) {
    if (to.size() >= PageScanner::kMaxOdd) {
      cut = true;
      return;
    }
    to.push_back(std::move(page));
  }
}

void append_new(std::vector<std::string>& to, const std::vector<std::string>& from) {
  for (const std::string& text : from) {
    if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
  }
}

std::string trimmed(std::string text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  text.resize(end == std::string::npos ? 0 : end + 1);
  return text;
}

void Reading::merge_one(BaseBackupContent& all, PartitionContent& part) {
  all.members += part.shape.members;
  all.member_bytes += part.shape.bytes;
  all.members_per_partition.push_back(part.shape.members);
  all.bytes_per_partition.push_back(part.shape.bytes);
  all.stored_bytes += part.decoded.stored_bytes;
  all.written_bytes += part.written_bytes;
  all.pages_checked += part.pages_checked;
  all.pages_unset += part.pages_unset;
  all.pages_empty += part.pages_empty;
  all.suspects_cut |= part.suspects_cut;
  append_capped(all.suspects, part.suspects, all.suspects_cut);
  append_capped(all.unset, part.unset, all.suspects_cut);
  append_new(all.tablespaces_seen, part.tablespaces);
  append_new(all.links_left_out, part.links_left_out);
  all.links_not_listed += part.links_not_listed;
  all.init_forks.insert(all.init_forks.end(), part.init_forks.begin(), part.init_forks.end());
  const bool read = part.decoded.plain_bytes > 0;
  all.encrypted_any |= read && part.decoded.encrypted;
  all.plain_any |= read && !part.decoded.encrypted;
  append_new(all.key_ids, part.decoded.key_ids);
  append_new(all.gpg_notes, part.decoded.gpg_notes);
  for (auto& [name, text] : part.texts) {
    std::string& slot = name == "PG_VERSION"          ? all.pg_version
                        : name == "global/pg_control" ? all.pg_control
                        : name == "backup_label"      ? all.backup_label
                                                      : all.tablespace_map;
    if (slot.empty()) slot = std::move(text);
  }
}

BaseBackupContent Reading::merge() {
  BaseBackupContent all;
  for (PartitionContent& part : contents_) merge_one(all, part);
  all.pg_version = trimmed(std::move(all.pg_version));
  std::sort(all.tablespaces_seen.begin(), all.tablespaces_seen.end());
  for (std::optional<Error>& error : errors_) {
    if (error && is_fault(*error)) all.faults.push_back(*std::move(error));
  }
  return all;
}

}  // namespace

Result<BaseBackupContent> read_base_backup(object_store::Storage& storage,
                                           const DecodeContext& context,
                                           const ReadOptions& options) {
  return Reading(storage, context, options).run();
}

}  // namespace rad::wal_e
