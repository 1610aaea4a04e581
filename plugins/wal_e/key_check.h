// Whose fault it is when an object cannot be decrypted: the host's, which lacks the key, or the
// object's. See docs/design.md, "Keys".
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "agent/model/outcome.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/keyring.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/openpgp_packets.h"

namespace rad::wal_e {

/// The outside of one object.
struct ObjectSample {
  object_store::ObjectInfo object;
  ObjectFormat format = ObjectFormat::unknown;
  std::vector<std::string> recipients;
};

/// Reads the first bytes. \return the storage's errors, with the object named.
Result<ObjectSample> read_sample(object_store::Storage& storage,
                                 const object_store::ObjectInfo& object);

/// What is known of keys after preflight. Pure but for the storage that it looks into.
class KeyKnowledge {
 public:
  KeyKnowledge() = default;
  KeyKnowledge(std::vector<ObjectSample> samples, std::vector<SecretKey> keys);

  bool any_encrypted() const noexcept { return any_encrypted_; }
  /// Keys of this host that the samples are encrypted to, each once.
  std::vector<SecretKey> keys_in_use() const;
  /// \return key_unavailable with the key ids when every encrypted sample names only keys that this
  ///   host lacks, or two or more do; decrypt_failed naming the only one among others that does.
  Status judge_samples() const;
  /// Proves the keys once more before an object is blamed for them: an agent may have died since.
  void set_probe(std::function<Status()> probe) { probe_ = std::move(probe); }
  /// Turns what gpg said of one object into whose fault it is, once the probe has worked.
  Error judge(Error error, object_store::Storage& storage) const;

 private:
  bool host_has(const std::vector<std::string>& recipients) const;

  std::vector<ObjectSample> samples_;
  std::vector<SecretKey> keys_;
  std::set<std::string> host_keys_;
  bool any_encrypted_ = false;
  std::function<Status()> probe_;
};

}  // namespace rad::wal_e
