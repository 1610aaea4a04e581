#include "plugins/wal_e/store_layout.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace rad::wal_e {
namespace {

constexpr std::string_view kSentinelSuffix = "_backup_stop_sentinel.json";
constexpr std::string_view kPartitionFolder = "tar_partitions/";
constexpr std::string_view kWalSuffix = ".lzo";
constexpr std::string_view kRestoreHint =
    "take a new base backup now; look for the object in versions or copies of the store";

std::optional<Partition> parse_partition(std::string_view file) {
  constexpr std::string_view kPrefix = "part_";
  constexpr std::string_view kSuffix = ".tar.lzo";
  if (!file.starts_with(kPrefix) || !file.ends_with(kSuffix)) return std::nullopt;
  file.remove_prefix(kPrefix.size());
  file.remove_suffix(std::min(kSuffix.size(), file.size()));
  Partition result;
  const auto end = std::from_chars(file.data(), file.data() + file.size(), result.number, 10);
  if (file.empty() || end.ec != std::errc{} || end.ptr != file.data() + file.size()) {
    return std::nullopt;
  }
  result.padded = file.size() == 8;
  return result;
}

void add_backup_object(const object_store::ObjectInfo& object, StoreListing& listing) {
  std::string_view rest = object.key;
  if (!rest.starts_with(kBackupsPrefix)) return;
  rest.remove_prefix(kBackupsPrefix.size());
  const auto slash = rest.find('/');
  const bool is_sentinel = slash == std::string_view::npos && rest.ends_with(kSentinelSuffix);
  if (slash == std::string_view::npos && !is_sentinel) return;
  const auto base =
      is_sentinel ? rest.substr(0, rest.size() - kSentinelSuffix.size()) : rest.substr(0, slash);
  const auto name = parse_backup_name(base);
  if (!name) return;

  StoredBackup& backup = listing.backups[name->text];
  backup.name = *name;
  if (is_sentinel) {
    backup.sentinel = object;
  } else {
    rest.remove_prefix(slash + 1);
    if (rest == "extended_version.txt") {
      backup.extended_version = object;
    } else if (rest.starts_with(kPartitionFolder)) {
      auto partition = parse_partition(rest.substr(kPartitionFolder.size()));
      if (!partition) return;
      partition->object = object;
      backup.partitions.push_back(std::move(*partition));
    } else {
      return;
    }
  }
  backup.last_change = std::max(backup.last_change, object.modified);
}

void add_wal_object(const object_store::ObjectInfo& object, WalListing& wal) {
  std::string_view name = object.key;
  if (!name.starts_with(kWalPrefix) || !name.ends_with(kWalSuffix)) return;
  name.remove_prefix(kWalPrefix.size());
  name.remove_suffix(std::min(kWalSuffix.size(), name.size()));
  const auto parsed = parse_wal_file_name(name);
  if (!parsed) return;
  switch (parsed->kind) {
    case WalFileKind::segment:
      wal.segments.push_back({parsed->segment, object.size, object.modified});
      break;
    case WalFileKind::partial:
      wal.partials.push_back({parsed->segment, object.size, object.modified});
      break;
    case WalFileKind::history:
      wal.histories.emplace(parsed->segment.timeline, object);
      break;
    case WalFileKind::backup_history:
      wal.backup_histories.emplace(std::string(name), object);
      break;
  }
}

}  // namespace

std::uint64_t StoredBackup::stored_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& partition : partitions) sum += partition.object.size;
  return sum;
}

const WalObject* WalListing::find(const SegmentName& name) const {
  const auto found = std::lower_bound(
      segments.begin(), segments.end(), name,
      [](const WalObject& object, const SegmentName& wanted) { return object.name < wanted; });
  return found != segments.end() && found->name == name ? &*found : nullptr;
}

StoreListing arrange(const std::vector<object_store::ObjectInfo>& backups,
                     const std::vector<object_store::ObjectInfo>& wal) {
  StoreListing listing;
  for (const auto& object : backups) add_backup_object(object, listing);
  for (auto& [name, backup] : listing.backups) {
    std::stable_sort(backup.partitions.begin(), backup.partitions.end(),
                     [](const auto& a, const auto& b) { return a.number < b.number; });
  }
  for (const auto& object : wal) add_wal_object(object, listing.wal);
  const auto by_name = [](const WalObject& a, const WalObject& b) { return a.name < b.name; };
  std::sort(listing.wal.segments.begin(), listing.wal.segments.end(), by_name);
  std::sort(listing.wal.partials.begin(), listing.wal.partials.end(), by_name);
  return listing;
}

std::string sentinel_key(std::string_view backup) {
  return fmt::format("{}{}{}", kBackupsPrefix, backup, kSentinelSuffix);
}

std::string partition_key(std::string_view backup, std::uint64_t number, bool padded) {
  return padded ? fmt::format("{}{}/{}part_{:08}.tar.lzo", kBackupsPrefix, backup, kPartitionFolder,
                              number)
                : fmt::format("{}{}/{}part_{}.tar.lzo", kBackupsPrefix, backup, kPartitionFolder,
                              number);
}

Status check_partitions(const StoredBackup& backup) {
  const auto& parts = backup.partitions;
  const bool padded = parts.empty() || parts.front().padded;
  const auto missing = [&](std::uint64_t number) {
    const auto key = partition_key(backup.name.text, number, padded);
    return fail(Reason::missing_object,
                parts.empty() ? fmt::format("backup '{}' has a sentinel and no partition at all",
                                            backup.name.text)
                              : fmt::format("partition '{}' is missing, but partition {} exists",
                                            key, parts.back().number),
                std::string(kRestoreHint), key);
  };
  if (parts.empty()) return missing(0);
  std::uint64_t wanted = 0;
  for (const auto& part : parts) {
    if (wanted > 0 && part.number == wanted - 1) {
      return fail(
          Reason::metadata_invalid,
          fmt::format("partition {} exists twice, '{}' among them", part.number, part.object.key),
          "two writers share this prefix, or a copy went wrong; keep the one that the backup "
          "was pushed with",
          part.object.key);
    }
    if (part.number != wanted) return missing(wanted);
    // Numbers of eight digits are spelled alike by old and new versions.
    if (part.padded != padded && part.number < 10000000) {
      return fail(Reason::metadata_invalid,
                  fmt::format("partition '{}' is spelled unlike the others ('{}')", part.object.key,
                              parts.front().object.key),
                  "two writers share this prefix, or a copy went wrong", part.object.key);
    }
    ++wanted;
  }
  for (const auto& part : parts) {
    if (part.object.size == 0) {
      return fail(Reason::truncated, fmt::format("partition '{}' has no bytes", part.object.key),
                  std::string(kRestoreHint), part.object.key);
    }
  }
  return {};
}

}  // namespace rad::wal_e
