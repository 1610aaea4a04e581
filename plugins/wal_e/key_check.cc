#include "plugins/wal_e/key_check.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace rad::wal_e {
namespace {

constexpr std::string_view kHiddenRecipient = "0000000000000000";
constexpr std::string_view kBadObjectHint =
    "the key works, so the object is damaged: compare it with a copy, and take a new base backup";

bool encrypted(ObjectFormat format) {
  return format == ObjectFormat::openpgp || format == ObjectFormat::damaged_openpgp;
}

}  // namespace

Result<ObjectSample> read_sample(object_store::Storage& storage,
                                 const object_store::ObjectInfo& object) {
  ObjectSample head{.object = object, .format = ObjectFormat::unknown, .recipients = {}};
  const auto text = storage.read_head(object.key, kHeadBytes, {.expected_size = object.size});
  if (!text) {
    return Error(text.error()).within(fmt::format("object '{}' cannot be read", object.key));
  }
  const auto bytes = std::as_bytes(std::span(*text));
  head.format = format_of(bytes);
  if (encrypted(head.format)) head.recipients = recipients_of(bytes);
  return head;
}

KeyKnowledge::KeyKnowledge(std::vector<ObjectSample> samples, std::vector<SecretKey> keys)
    : samples_(std::move(samples)), keys_(std::move(keys)) {
  for (const SecretKey& key : keys_) {
    if (key.present) host_keys_.insert(key.key_id);
  }
  any_encrypted_ = std::any_of(samples_.begin(), samples_.end(),
                               [](const auto& sample) { return encrypted(sample.format); });
}

bool KeyKnowledge::host_has(const std::vector<std::string>& recipients) const {
  return std::any_of(recipients.begin(), recipients.end(), [&](const std::string& id) {
    return host_keys_.contains(id) || (id == kHiddenRecipient && !host_keys_.empty());
  });
}

std::vector<SecretKey> KeyKnowledge::keys_in_use() const {
  std::set<std::string> named;
  for (const auto& sample : samples_)
    named.insert(sample.recipients.begin(), sample.recipients.end());
  const bool hidden = named.contains(std::string(kHiddenRecipient));
  std::vector<SecretKey> result;
  for (const SecretKey& key : keys_) {
    if (key.present && (named.contains(key.key_id) || (hidden && key.encrypts))) {
      result.push_back(key);
    }
  }
  return result;
}

Status KeyKnowledge::judge_samples() const {
  std::vector<const ObjectSample*> strangers;
  std::set<std::string> ids;
  std::size_t known = 0;
  for (const auto& sample : samples_) {
    if (sample.format != ObjectFormat::openpgp || sample.recipients.empty()) continue;
    if (host_has(sample.recipients)) {
      ++known;
      continue;
    }
    strangers.push_back(&sample);
    ids.insert(sample.recipients.begin(), sample.recipients.end());
  }
  if (strangers.empty()) return {};
  if (known > 0 && strangers.size() == 1) {
    return fail(Reason::decrypt_failed,
                fmt::format("object '{}' is encrypted to key {}, all its siblings to another",
                            strangers.front()->object.key, fmt::join(ids, ", ")),
                std::string(kBadObjectHint), strangers.front()->object.key);
  }
  return fail(Reason::key_unavailable,
              fmt::format("the store is encrypted to key {}, whose secret part is not in gpg_home",
                          fmt::join(ids, ", ")),
              "import the secret key into gpg_home: gpg --homedir DIR --import FILE",
              strangers.front()->object.key);
}

Error KeyKnowledge::judge(Error error, object_store::Storage& storage) const {
  const bool key = error.reason == Reason::key_unavailable;
  const bool format = error.reason == Reason::decompress_failed;
  if ((!key && !format) || error.object.empty() || !any_encrypted_) return error;
  auto info = storage.stat(error.object);
  if (!info) return error;
  auto head = read_sample(storage, *info);
  if (!head) return error;
  if (format) {
    const bool all_encrypted =
        std::all_of(samples_.begin(), samples_.end(), [&](const auto& other) {
          return other.object.key == error.object || encrypted(other.format);
        });
    if (head->format == ObjectFormat::unknown && all_encrypted) {
      error.reason = Reason::decrypt_failed;
      error.message += "; its siblings are OpenPGP";
      error.hint = std::string(kBadObjectHint);
    }
    return error;
  }
  const bool named_by_sibling =
      std::any_of(samples_.begin(), samples_.end(), [&](const ObjectSample& other) {
        return other.object.key != error.object &&
               std::any_of(other.recipients.begin(), other.recipients.end(), [&](const auto& id) {
                 return std::count(head->recipients.begin(), head->recipients.end(), id) > 0;
               });
      });
  if (!host_has(head->recipients) && named_by_sibling) return error;
  if (probe_) {
    if (auto works = probe_(); !works) return std::move(works).error();
  }
  error.reason = Reason::decrypt_failed;
  error.message =
      host_has(head->recipients)
          ? fmt::format("object '{}' cannot be decrypted although the key works", error.object)
          : fmt::format("object '{}' names key {}, its siblings another", error.object,
                        fmt::join(head->recipients, ", "));
  error.hint = std::string(kBadObjectHint);
  return error;
}

}  // namespace rad::wal_e
