// The private keyring of one run: a short, writable GNUPGHOME below runtime_dir with an agent of
// its own, and the proof that its secret keys work before any object is blamed.
//
// gpg says "No secret key" alike for a missing key, a damaged session-key packet and a home that
// cannot be written, so a probe encrypted to each key in use is decrypted first.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/error.h"
#include "agent/model/outcome.h"

namespace rad::wal_e {

/// A secret key or subkey that the keyring names.
struct SecretKey {
  std::string key_id;  ///< 16 upper-case hex digits
  std::string primary_id;
  bool encrypts = false;
  bool present = true;  ///< false: only a stub, the secret part is elsewhere
  bool revoked = false;
  std::int64_t created = 0;  ///< seconds since 1970
  std::int64_t expires = 0;  ///< 0: never
};

/// Pure: `gpg --list-secret-keys --with-colons`.
std::vector<SecretKey> parse_key_listing(std::string_view text);

class Keyring {
 public:
  /// Copies key material and settings, but no sockets and locks, to `home` (0700, made here).
  /// \param account  who will use it; nothing changes hands when not root.
  /// \return access_denied or config_invalid naming the file; scratch_full.
  static Status copy(const std::filesystem::path& source, const std::filesystem::path& home,
                     const std::string& account);

  /// A keyring in use. gpg and its agent get `limit` for each answer: one that hangs is
  /// key_unavailable.
  explicit Keyring(std::filesystem::path home,
                   std::chrono::milliseconds limit = std::chrono::seconds(30));

  const std::filesystem::path& home() const noexcept { return home_; }

  /// \return key_unavailable when gpg or its agent do not answer, tool_missing without gpg.
  Result<std::vector<SecretKey>> list_keys() const;

  /// Encrypts a few bytes to `key` and decrypts them.
  /// \return key_unavailable with gpg's words in `detail`.
  Status probe(const SecretKey& key) const;

  /// Stops the agent of `home` and removes the directory. Idempotent; waits at most 10 s.
  static void remove(const std::filesystem::path& home) noexcept;

 private:
  std::filesystem::path home_;
  std::chrono::milliseconds limit_;
};

/// Findings about keys in use: key_expired, and key_expires_soon within 30 days.
std::vector<Finding> judge_expiry(const std::vector<SecretKey>& keys, TimePoint now);

}  // namespace rad::wal_e
