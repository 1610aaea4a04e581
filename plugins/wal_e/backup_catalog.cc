#include "plugins/wal_e/backup_catalog.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

auto place(const StoredBackup& backup) {
  return std::tuple(backup.name.start, backup.name.offset.value_or(0));
}

const StoredBackup* newest(const StoreListing& listing) {
  const StoredBackup* best = nullptr;
  for (const auto& [name, backup] : listing.backups) {
    if (backup.sentinel && (best == nullptr || place(*best) < place(backup))) best = &backup;
  }
  return best;
}

Result<const StoredBackup*> find_backup(const StoreListing& listing, const std::string& wanted,
                                        const std::string& store) {
  const std::string hint =
      "look with wal-e backup-list; without a complete backup nothing can be restored: push one";
  if (wanted == "latest") {
    if (const auto* best = newest(listing)) return best;
    return fail(Reason::no_backup,
                listing.backups.empty()
                    ? fmt::format("'{}' holds no backup", store)
                    : fmt::format("'{}' holds {} unfinished backups and no complete one", store,
                                  listing.backups.size()),
                hint);
  }
  const auto found = listing.backups.find(wanted);
  if (found == listing.backups.end()) {
    return fail(Reason::no_backup, fmt::format("'{}' holds no backup '{}'", store, wanted), hint);
  }
  if (!found->second.sentinel) {
    return fail(Reason::no_backup,
                fmt::format("backup '{}' has no sentinel: it is not complete", wanted), hint,
                sentinel_key(wanted));
  }
  return &found->second;
}

void look_at_times(const StoreListing& listing, const StoredBackup& chosen,
                   std::vector<Finding>& findings) {
  for (const auto& [name, backup] : listing.backups) {
    if (!backup.sentinel || backup.sentinel->modified <= chosen.sentinel->modified) continue;
    findings.push_back(
        {"latest_differs_by_time",
         fmt::format("'{}' is the newest by timeline and LSN, but the sentinel of '{}' was changed "
                     "later ({}), so WAL-E's LATEST would take that",
                     chosen.name.text, name, format_rfc3339(backup.sentinel->modified)),
         backup.sentinel->key});
    return;
  }
}

void look_for_unfinished(const StoreListing& listing, const StoredBackup& chosen, TimePoint now,
                         std::chrono::milliseconds unfinished_after, ChosenBackup& result) {
  for (const auto& [name, backup] : listing.backups) {
    if (backup.sentinel || place(backup) <= place(chosen)) continue;
    const auto age = now - backup.last_change;
    const auto text =
        fmt::format("backup '{}' is newer and has no sentinel; it last grew {} ago", name,
                    format_duration(std::max(age, std::chrono::milliseconds(0))));
    result.findings.push_back({"unfinished_backup", text, sentinel_key(name)});
    if (age > unfinished_after && !result.overdue) {
      result.overdue = fail(Reason::no_backup,
                            fmt::format("{}, longer than unfinished_after ({})", text,
                                        format_duration(unfinished_after)),
                            "the push has died; look at its log, push again, delete the remains",
                            sentinel_key(name));
    }
  }
}

}  // namespace

Result<std::string> read_plain_object(object_store::Storage& storage,
                                      const object_store::ObjectInfo& object,
                                      std::size_t max_bytes) {
  auto text = storage.read_head(object.key, max_bytes + 1, {.expected_size = object.size});
  if (!text) {
    return std::move(text).error().within(fmt::format("object '{}' cannot be read", object.key));
  }
  if (text->size() > max_bytes) {
    return fail(Reason::metadata_invalid,
                fmt::format("object '{}' is larger than {}", object.key, format_bytes(max_bytes)),
                "", object.key);
  }
  return text;
}

Result<ChosenBackup> choose_backup(object_store::Storage& storage, const StoreListing& listing,
                                   const std::string& wanted, TimePoint now,
                                   std::chrono::milliseconds unfinished_after) {
  RAD_TRY(const StoredBackup* chosen, find_backup(listing, wanted, storage.describe()));
  ChosenBackup result;
  result.backup = *chosen;
  for (const auto& [name, backup] : listing.backups) {
    if (!backup.sentinel) continue;
    auto text = read_plain_object(storage, *backup.sentinel, kMaxSentinelBytes);
    auto sentinel = text ? parse_sentinel(*text, backup.sentinel->key)
                         : Result<Sentinel>(std::move(text).error());
    const bool is_chosen = &backup == chosen;
    if (is_chosen && !sentinel) return std::move(sentinel).error();
    if (is_chosen) {
      result.sentinel = *std::move(sentinel);
    } else if (!sentinel) {
      result.findings.push_back(
          {"sentinel_invalid", sentinel.error().message, backup.sentinel->key});
    }
  }
  if (wanted == "latest") {
    look_at_times(listing, *chosen, result.findings);
    look_for_unfinished(listing, *chosen, now, unfinished_after, result);
  }
  return result;
}

}  // namespace rad::wal_e
