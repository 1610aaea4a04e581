// Input for the tests of the stream: tars by hand, lzop and gpg by the programs themselves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/tar_stream.h"
#include "tests/support/temp_dir.h"

namespace rad::wal_e {

/// Writes tar members as the formats have them, honest or not.
class TarBuilder {
 public:
  TarBuilder& file(std::string_view name, std::string_view content);
  TarBuilder& directory(std::string_view name);
  TarBuilder& symlink(std::string_view name, std::string_view target);
  TarBuilder& hard_link(std::string_view name, std::string_view target);
  /// A bare header of any type with any claim, and no data.
  TarBuilder& header(std::string_view name, char type, std::uint64_t size,
                     std::string_view link = {});
  TarBuilder& data(std::string_view content);  ///< padded to whole blocks
  TarBuilder& raw(std::string_view bytes);
  /// PAX records for the next member.
  TarBuilder& pax(const std::vector<std::pair<std::string, std::string>>& records);
  /// GNU long name ('L') or link ('K') for the next member.
  TarBuilder& gnu_long(char type, std::string_view text);

  std::size_t size() const { return bytes_.size(); }
  const std::string& unfinished() const { return bytes_; }
  /// Two zero blocks and zeros to a multiple of 10240.
  std::string finish() const;

 private:
  std::string bytes_;
};

/// Pulls `bytes` in pieces of `step`.
TarStream::Pull pull_from(std::string bytes, std::size_t step = 4096);

std::string lzop(std::string_view plain, const std::vector<std::string>& options = {});
/// Deterministic bytes that LZO cannot compress.
std::string noise(std::size_t size, std::uint32_t seed = 1);
std::string text_of(std::size_t size);
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A keyring with the test key of tests/data/wale-small, short enough for gpg-agent's socket; its
/// agent is stopped at the end.
class Keyring {
 public:
  explicit Keyring(bool import_key = true);
  ~Keyring();
  Keyring(const Keyring&) = delete;
  Keyring& operator=(const Keyring&) = delete;
  const std::filesystem::path& home() const { return home_; }
  /// Runs gpg in this home. \return its standard output; fails the test if it fails.
  std::string gpg(const std::vector<std::string>& args, std::string_view input = {}) const;
  std::string encrypt(std::string_view plain) const;
  void stop_agent() const;

 private:
  std::filesystem::path home_;
};
/// The key id that objects of tests/data/wale-small name.
inline constexpr std::string_view kTestKeyId = "0BE356FB41400827";

/// Objects in memory; open() gives no descriptor, as a remote storage does not.
class MemoryStorage final : public object_store::Storage {
 public:
  std::map<std::string, std::string, std::less<>> objects;
  std::size_t cut_transfer_at = SIZE_MAX;  ///< reading ends here, whatever the listing says
  std::optional<Error> fail_with;          ///< at the cut, instead of an end

  Status visit(std::string_view prefix, const object_store::ObjectVisitor& visit,
               std::stop_token stop) override;
  Result<object_store::ObjectInfo> stat(std::string_view key) override;
  Result<std::unique_ptr<object_store::ObjectReader>> open(
      std::string_view key, const object_store::OpenOptions& options) override;
  std::string describe() const override { return "memory"; }
};

}  // namespace rad::wal_e
