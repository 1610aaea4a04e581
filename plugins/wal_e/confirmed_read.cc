#include "plugins/wal_e/confirmed_read.h"

#include <algorithm>

#include <fmt/format.h>

namespace rad::wal_e {
namespace {

constexpr std::uint64_t kLargestMember = 1610612736;  // WAL-E fails to push a larger file

/// Whether reading the same object again can tell a broken store from a broken host.
bool worth_a_second_read(Reason reason) {
  switch (reason) {
    case Reason::decrypt_failed:
    case Reason::decompress_failed:
    case Reason::truncated:
    case Reason::checksum_mismatch:
    case Reason::metadata_invalid:
    case Reason::key_unavailable:
      return true;
    default:
      return false;
  }
}

}  // namespace

DecodeContext context_for(const DecodeContext& context, unsigned parallel, std::size_t objects) {
  DecodeContext result = context;
  const auto at_once = std::min<std::size_t>(parallel, std::max<std::size_t>(1, objects));
  result.decoders = std::max(1U, parallel / static_cast<unsigned>(at_once));
  return result;
}

ConfirmedRead::ConfirmedRead(object_store::Storage& storage, const DecodeContext& context,
                             unsigned parallel, const PinnedBackup& pinned)
    : storage_(storage), context_(context), parallel_(parallel), pinned_(pinned) {}

Result<BaseBackupContent> ConfirmedRead::pass(ReadOptions options) const {
  options.parallel = parallel_;
  options.max_member_bytes = kLargestMember;
  options.keep_going = options.target.empty();
  const auto context = context_for(context_, parallel_, options.partitions.size());
  return read_base_backup(storage_, context, options);
}

Result<BaseBackupContent> ConfirmedRead::read(ReadOptions options,
                                              const std::function<Status()>& start_over) {
  for (const auto& partition : pinned_.chosen.backup.partitions) {
    options.partitions.push_back(partition.object);
  }
  for (bool second = false;; second = true) {
    auto content = pass(options);
    std::vector<Error> faults;
    if (content) {
      if (content->faults.empty()) return content;
      faults = content->faults;
    } else {
      const Reason reason = content.error().reason;
      if (info(reason).blame != Blame::backup && reason != Reason::key_unavailable) {
        return whose_fault(std::move(content).error());
      }
      faults.push_back(std::move(content).error());
    }
    if (second || confirm(faults)) return first_of(std::move(faults));
    // The first pass is worthless now: members are missing in it.
    RAD_CHECK(start_over());
  }
}

/// \return whether at least one fault was seen again; the others are taken off the list and noted.
bool ConfirmedRead::confirm(std::vector<Error>& faults) {
  std::vector<Error> confirmed;
  for (Error& fault : faults) {
    if (!worth_a_second_read(fault.reason) || fault.object.empty() || seen_again(fault)) {
      confirmed.push_back(std::move(fault));
      continue;
    }
    findings_.push_back({"read_error_not_repeated",
                         fmt::format("a first read failed ({}), a second one did not: look at the "
                                     "storage and this host's memory",
                                     fault.message),
                         fault.object});
  }
  const bool any = !confirmed.empty();
  faults = std::move(confirmed);
  return any;
}

bool ConfirmedRead::seen_again(const Error& fault) const {
  const auto& partitions = pinned_.chosen.backup.partitions;
  const auto partition =
      std::find_if(partitions.begin(), partitions.end(),
                   [&](const Partition& p) { return p.object.key == fault.object; });
  if (partition == partitions.end()) return true;
  ReadOptions options;
  options.partitions.push_back(partition->object);
  const auto content = pass(options);
  return !content || !content->faults.empty();
}

Error ConfirmedRead::whose_fault(Error error) const {
  if (error.reason != Reason::missing_object) {
    return pinned_.keys.judge(std::move(error), storage_);
  }
  const auto sentinel = storage_.stat(sentinel_key(pinned_.name()));
  if (sentinel || sentinel.error().reason != Reason::missing_object) return error;
  error.reason = Reason::backup_removed;
  error.message =
      fmt::format("backup '{}' was removed while it was read: {}", pinned_.name(), error.message);
  error.hint = "retention has deleted it; the next run takes the newest backup";
  error.retryable = true;
  return error;
}

Error ConfirmedRead::first_of(std::vector<Error> faults) const {
  Error first = whose_fault(std::move(faults.front()));
  for (std::size_t i = 1; i < faults.size(); ++i) {
    if (!first.detail.empty()) first.detail += '\n';
    first.detail += "also: " + whose_fault(std::move(faults[i])).message;
  }
  return first;
}

}  // namespace rad::wal_e
