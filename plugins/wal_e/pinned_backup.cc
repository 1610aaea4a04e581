#include "plugins/wal_e/pinned_backup.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/wal_e/wal_segment.h"

namespace rad::wal_e {
namespace {

constexpr std::size_t kMaxSampledPartitions = 256;
constexpr std::size_t kSampledWal = 4;
constexpr std::size_t kMaxSmallObject = std::size_t{1} << 20U;
constexpr std::string_view kGapHint =
    "look for it in pg_wal of the primary or a standby and archive it again; else take a new base "
    "backup, since recovery from this one ends there";

class Pinner {
 public:
  explicit Pinner(const PinRequest& request) : request_(request), storage_(request.storage) {}

  Result<PinnedBackup> run() {
    RAD_CHECK(list());
    RAD_TRY(result_.chosen, choose_backup(storage_, result_.listing, request_.options.backup,
                                          request_.now, request_.options.unfinished_after));
    append(result_.chosen.findings);
    RAD_CHECK(check_partitions(result_.chosen.backup));
    RAD_CHECK(read_version());
    RAD_CHECK(check_keys());
    RAD_CHECK(read_backup_history());
    RAD_CHECK(read_histories());
    RAD_CHECK(find_segment_size());
    if (!result_.maybe_offline) {
      const auto start = result_.start();
      if (!start) return bad_name();
      RAD_CHECK(compare_stops());
      RAD_CHECK(pin_wal(result_, *start, request_.options.recover_to));
    }
    find_end_time();
    RAD_CHECK(check_target());
    return std::move(result_);
  }

 private:
  void append(std::vector<Finding> more) {
    result_.findings.insert(result_.findings.end(), std::make_move_iterator(more.begin()),
                            std::make_move_iterator(more.end()));
  }

  Status list() {
    auto backups = storage_.list(kBackupsPrefix);
    if (!backups) return unreachable(std::move(backups).error());
    auto wal = storage_.list(kWalPrefix);
    if (!wal) return unreachable(std::move(wal).error());
    result_.listing = arrange(*backups, *wal);
    return {};
  }

  /// A root that is not there says nothing of the backup: a mount may be missing.
  Error unreachable(Error error) const {
    if (error.reason == Reason::missing_object) error.reason = Reason::storage_unreachable;
    return error;
  }

  Error bad_name() const {
    return fail(
        Reason::metadata_invalid,
        fmt::format("backup '{}' has a name whose segment and offset cannot be", result_.name()),
        "", result_.name());
  }

  Status read_version() {
    const auto& object = result_.chosen.backup.extended_version;
    if (!object) return {};
    RAD_TRY(const std::string text, read_plain_object(storage_, *object, kMaxSmallObject));
    // "PostgreSQL 15.20 (Debian …", "PostgreSQL 9.6.24 on …"
    constexpr std::string_view kProduct = "PostgreSQL ";
    const auto at = text.find(kProduct);
    if (at == std::string::npos) return {};
    const char* begin = text.data() + at + kProduct.size();
    const char* end = text.data() + text.size();
    int major = 0;
    const auto first = std::from_chars(begin, end, major);
    if (first.ec != std::errc{}) return {};
    int minor = 0;
    if (major == 9 && first.ptr != end) std::from_chars(first.ptr + 1, end, minor);
    result_.major = major == 9 ? 90 + minor : major;
    result_.version_text = major == 9 ? fmt::format("9.{}", minor) : std::to_string(major);
    return {};
  }

  std::vector<object_store::ObjectInfo> objects_to_sample() const {
    std::vector<object_store::ObjectInfo> objects;
    const auto& partitions = result_.chosen.backup.partitions;
    const std::size_t step = partitions.size() / kMaxSampledPartitions + 1;
    for (std::size_t i = 0; i < partitions.size(); i += step) {
      objects.push_back(partitions[i].object);
    }
    // Older WAL may be encrypted to a key that was retired since, and nobody needs it.
    for (const auto& [timeline, object] : result_.listing.wal.histories) {
      if (timeline > result_.timeline()) objects.push_back(object);
    }
    const auto& start = result_.chosen.backup.name.start;
    for (const auto& [name, object] : result_.listing.wal.backup_histories) {
      if (name.starts_with(to_string(start))) objects.push_back(object);
    }
    std::vector<const WalObject*> needed;
    for (const auto& segment : result_.listing.wal.segments) {
      const bool behind =
          std::pair(segment.name.log, segment.name.seg) >= std::pair(start.log, start.seg);
      if (segment.name.timeline >= start.timeline && behind) needed.push_back(&segment);
    }
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (i >= kSampledWal && i + kSampledWal < needed.size()) continue;
      objects.push_back({wal_key(needed[i]->name), needed[i]->size, needed[i]->modified});
    }
    std::erase_if(objects, [](const auto& object) { return object.size == 0; });
    return objects;
  }

  Status check_keys() {
    std::vector<ObjectSample> samples;
    for (const auto& object : objects_to_sample()) {
      auto sample = read_sample(storage_, object);
      // Gone since it was listed: whoever needs it will say so.
      if (!sample && sample.error().reason == Reason::missing_object) continue;
      if (!sample) return std::move(sample).error();
      samples.push_back(*std::move(sample));
    }
    const bool encrypted = std::any_of(samples.begin(), samples.end(), [](const auto& sample) {
      return sample.format == ObjectFormat::openpgp ||
             sample.format == ObjectFormat::damaged_openpgp;
    });
    if (!encrypted) {
      result_.keys = KeyKnowledge(std::move(samples), {});
      if (request_.options.expects_encryption) {
        result_.findings.push_back({"not_encrypted",
                                    "WALE_GPG_KEY_ID is set, but no object looked at is encrypted",
                                    result_.name()});
      }
      return {};
    }
    if (request_.keyring == nullptr) {
      return fail(Reason::key_unavailable, "the store is encrypted and no gpg_home is set",
                  "set restore.gpg_home to the directory with the secret key",
                  samples.front().object.key);
    }
    RAD_TRY(auto keys, request_.keyring->list_keys());
    result_.keys = KeyKnowledge(std::move(samples), std::move(keys));
    RAD_CHECK(result_.keys.judge_samples());
    const auto in_use = result_.keys.keys_in_use();
    const auto probe_all = [keyring = *request_.keyring, in_use]() -> Status {
      for (const SecretKey& key : in_use) {
        // Nothing can be encrypted to a revoked key any more, but what was can be decrypted.
        if (!key.revoked) RAD_CHECK(keyring.probe(key));
      }
      return {};
    };
    RAD_CHECK(probe_all());
    result_.keys.set_probe(probe_all);
    append(judge_expiry(in_use, request_.now));
    return {};
  }

  /// A small object's content, read twice before it is blamed.
  Result<std::string> read_small(const object_store::ObjectInfo& object) {
    for (int attempt = 0;; ++attempt) {
      std::string text;
      auto decoded = decode_object(
          storage_, object, request_.context, [&](std::span<const std::byte> piece) -> Status {
            if (text.size() + piece.size() > kMaxSmallObject) {
              return fail(Reason::metadata_invalid,
                          fmt::format("object '{}' is larger than {}", object.key,
                                      format_bytes(kMaxSmallObject)),
                          "", object.key);
            }
            text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
            return {};
          });
      if (decoded) {
        result_.bytes_read += decoded->stored_bytes;
        return text;
      }
      if (attempt > 0) return result_.keys.judge(std::move(decoded).error(), storage_);
    }
  }

  /// The ".backup" object is named after the start's segment and its offset in hex.
  Status read_backup_history() {
    const auto& name = result_.chosen.backup.name;
    const auto wanted =
        name.offset ? fmt::format("{}.{:08X}.backup", to_string(name.start), *name.offset) : "";
    const auto found = result_.listing.wal.backup_histories.find(wanted);
    if (found != result_.listing.wal.backup_histories.end()) {
      RAD_TRY(const std::string text, read_small(found->second));
      RAD_TRY(result_.history, parse_backup_label(text, found->second.key));
      return {};
    }
    const auto& sentinel = result_.chosen.sentinel;
    // Offline backups repeat the segment's number as offset and have no ".backup" object.
    const auto tail = to_string(name.start).substr(16);
    result_.maybe_offline =
        name.text.ends_with("_" + tail) || !name.offset || !sentinel.stop_offset;
    if (!result_.maybe_offline) {
      result_.findings.push_back(
          {"backup_history_missing",
           fmt::format("the archive has no '{}', so the end of the backup is the sentinel's word",
                       wal_key(wanted)),
           wal_key(wanted)});
    }
    return {};
  }

  Status read_histories() {
    for (const auto& [timeline, object] : result_.listing.wal.histories) {
      if (timeline <= result_.timeline()) continue;
      if (object.size == 0) {
        return fail(Reason::truncated,
                    fmt::format("timeline history '{}' has no bytes", object.key),
                    "copy it from pg_wal of the primary and archive it again", object.key);
      }
      RAD_TRY(const std::string text, read_small(object));
      RAD_TRY(result_.histories[timeline], parse_history(text, timeline, object.key));
    }
    return {};
  }

  /// Nothing in the store's names says how large segments are; the first page of one does.
  Status find_segment_size() {
    const auto& wal = result_.listing.wal;
    const WalObject* sample = wal.find(result_.chosen.backup.name.start);
    if (sample == nullptr || sample->size == 0) {
      const auto other = std::find_if(wal.segments.begin(), wal.segments.end(),
                                      [](const auto& object) { return object.size > 0; });
      sample = other != wal.segments.end() ? &*other : nullptr;
    }
    if (sample == nullptr) return {};
    auto head = read_segment_head(storage_, {wal_key(sample->name), sample->size, sample->modified},
                                  request_.context);
    // What is wrong with this segment is found, and named, when it is read as a whole.
    if (!head || !is_segment_size(head->segment_bytes)) return {};
    result_.segment_bytes = head->segment_bytes;
    result_.wal_system_identifier = head->system_identifier;
    return {};
  }

  /// The sentinel and the ".backup" object tell of one and the same end.
  Status compare_stops() const {
    if (!result_.history || !result_.history->stop) return {};
    const Lsn stop = *result_.history->stop;
    const auto named = segment_number(result_.chosen.sentinel.stop_segment, result_.segment_bytes);
    // PostgreSQL counts the first byte of a segment to the one before, in names only.
    const bool same = named && (*named == stop / result_.segment_bytes ||
                                *named == (stop - 1) / result_.segment_bytes);
    if (same) return {};
    const auto& key = result_.chosen.backup.sentinel->key;
    return fail(
        Reason::metadata_invalid,
        fmt::format("sentinel '{}' says that the backup ends in segment {}, the .backup object "
                    "says at {}",
                    key, to_string(result_.chosen.sentinel.stop_segment), format_lsn(stop)),
        "the sentinel is of another backup; take a new base backup", key);
  }

  /// The server would refuse a target before the backup's end, and the backup would be blamed.
  Status check_target() const {
    const RecoverTo& target = request_.options.recover_to;
    std::string end;
    if (target.kind == "lsn") {
      const auto stop = result_.stop();
      if (stop && parse_lsn(target.value).value_or(0) < *stop) end = format_lsn(*stop);
    } else if (target.kind == "time" && !result_.finished_by_sentinel && result_.finished_at) {
      const auto time = parse_time(target.value);
      if (time && *time + std::chrono::seconds(1) <= *result_.finished_at) {
        end = format_rfc3339(*result_.finished_at);
      }
    }
    if (end.empty()) return {};
    return fail(Reason::config_invalid,
                fmt::format("recover_to is {}={}, but backup '{}' is consistent only from {} on",
                            target.kind, target.value, result_.name(), end),
                "set restore.backup to an older one, or choose a later target");
  }

  void find_end_time() {
    if (result_.history && result_.history->stop_time) {
      result_.finished_at = result_.history->stop_time;
      return;
    }
    result_.finished_at = result_.chosen.backup.sentinel->modified;
    result_.finished_by_sentinel = true;
  }

  const PinRequest& request_;
  object_store::Storage& storage_;
  PinnedBackup result_;
};

Error gap(const WalPath& path, std::uint64_t number, std::string_view why) {
  const auto key = wal_key(path.expected_name(number));
  return fail(Reason::wal_gap, fmt::format("WAL segment '{}' is missing: {}", key, why),
              std::string(kGapHint), key);
}

}  // namespace

std::optional<Lsn> PinnedBackup::start() const {
  const auto number = segment_number(chosen.backup.name.start, segment_bytes);
  if (!number || !chosen.backup.name.offset || *chosen.backup.name.offset >= segment_bytes) {
    return std::nullopt;
  }
  return *number * segment_bytes + *chosen.backup.name.offset;
}

std::optional<Lsn> PinnedBackup::stop() const {
  if (history && history->stop) return history->stop;
  const auto number = segment_number(chosen.sentinel.stop_segment, segment_bytes);
  if (maybe_offline || !number || !chosen.sentinel.stop_offset ||
      *chosen.sentinel.stop_offset >= segment_bytes) {
    return std::nullopt;
  }
  return *number * segment_bytes + *chosen.sentinel.stop_offset;
}

std::uint64_t PinnedBackup::stop_segment() const {
  const auto lsn = stop();
  return lsn ? *lsn / segment_bytes : path.first;
}

Result<PinnedBackup> pin_backup(const PinRequest& request) {
  return Pinner(request).run();
}

Status pin_wal(PinnedBackup& pinned, Lsn start, const RecoverTo& recover_to) {
  pinned.timelines = plan_timelines(pinned.listing.wal, pinned.histories, pinned.timeline(), start,
                                    pinned.segment_bytes);
  pinned.path = follow(pinned.listing.wal, pinned.timelines, pinned.timeline(),
                       start / pinned.segment_bytes, pinned.segment_bytes);
  const WalPath& path = pinned.path;
  const auto first = path.first;
  const auto stop = std::max(first, pinned.stop_segment());
  if (const auto missing = first_missing(path, first, stop)) {
    return gap(
        path, *missing,
        fmt::format("the backup needs all from {} to {}", to_string(path.expected_name(first)),
                    to_string(path.expected_name(stop))));
  }
  const bool to_the_end = recover_to.kind == "latest";
  std::optional<Error> later = pinned.timelines.missing_history;
  if (const auto missing = first_missing(path, stop, path.steps.back().number)) {
    later = gap(path, *missing,
                fmt::format("the archive goes on to {}", to_string(path.name(path.steps.back()))));
  }
  if (later && to_the_end) return *later;
  pinned.gap_after_stop = later;
  for (const WalStep& step : path.steps) {
    if (step.size > 0 || (!to_the_end && step.number > stop)) continue;
    return fail(Reason::truncated,
                fmt::format("WAL object '{}' has no bytes", path.object(step).key),
                std::string(kGapHint), path.object(step).key);
  }
  for (const auto stranger : pinned.timelines.strangers) {
    pinned.findings.push_back(
        {"timeline_not_followed",
         fmt::format(
             "timeline {} in the archive does not descend from the backup; recovery stays on "
             "timeline {}",
             stranger, path.timeline),
         wal_key(fmt::format("{:08X}.history", stranger))});
  }
  if (pinned.timelines.own_history_missing) {
    const auto name = fmt::format("{:08X}.history", pinned.timeline());
    pinned.findings.push_back({"history_missing",
                               fmt::format("the archive has no '{}'; recovery does without it, a "
                                           "later switch may not",
                                           wal_key(name)),
                               wal_key(name)});
  }
  return {};
}

}  // namespace rad::wal_e
