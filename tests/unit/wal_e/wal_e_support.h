// Genuine stores for the tests of wal_e, and copies of them that may be broken.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "plugins/object_store/storage.h"
#include "plugins/wal_e/object_stream.h"
#include "tests/support/temp_dir.h"

namespace rad::wal_e::test_support {

/// tests/data/wale-small/plain and .../encrypted: PostgreSQL 15, one partition, segments 3 or 5
/// to 7.
std::filesystem::path plain_store();
std::filesystem::path encrypted_store();
inline constexpr std::string_view kPlainBackup = "base_000000010000000000000005_00000040";
inline constexpr std::string_view kEncryptedBackup = "base_000000010000000000000003_00000040";
inline constexpr std::uint64_t kSystemIdentifier = 7710326519576319487;

std::unique_ptr<object_store::Storage> storage_of(const std::filesystem::path& store);

/// Content of an object of a plain store.
std::string decoded(const std::filesystem::path& store, const std::string& key);
/// Plain bytes as WAL-E stores them.
std::string lzop(std::string_view content);

/// A copy of a store; objects are replaced, never altered in place.
class StoreCopy {
 public:
  explicit StoreCopy(const std::filesystem::path& original);
  const std::filesystem::path& path() const { return path_; }
  std::string read(const std::string& key) const;
  void write(const std::string& key, std::string_view bytes) const;
  void remove(const std::string& key) const;
  /// Replaces a WAL object of a plain store by other content.
  void write_segment(const std::string& name, std::string_view content) const;

 private:
  test::TempDir dir_;
  std::filesystem::path path_;
};

/// A GnuPG home with the fixture's secret key, without a running agent; "" as key: empty.
void make_key_home(const std::filesystem::path& home, bool with_key = true);

}  // namespace rad::wal_e::test_support
