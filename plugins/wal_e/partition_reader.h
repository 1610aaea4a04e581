// One tar partition from the store to files or to nothing; the work of one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/base_backup_reader.h"
#include "plugins/wal_e/file_output.h"
#include "plugins/wal_e/member_ledger.h"
#include "plugins/wal_e/object_stream.h"
#include "plugins/wal_e/page_checksum.h"
#include "plugins/wal_e/tar_stream.h"

namespace rad::wal_e {

/// A hard link, made when all partitions are there.
struct PendingLink {
  std::uint32_t partition = 0;
  std::string path;
  std::string first_name;
};

/// What one partition holds. Complete only if reading it gave no error.
struct PartitionContent {
  PartitionShape shape;
  DecodedInfo decoded;
  std::uint64_t written_bytes = 0;
  std::uint64_t pages_checked = 0;
  std::uint64_t pages_unset = 0;
  std::uint64_t pages_empty = 0;
  std::vector<SuspectPage> suspects;
  std::vector<SuspectPage> unset;
  bool suspects_cut = false;
  std::vector<std::pair<std::string, std::string>>
      texts;  ///< name and bytes of the files that matter
  std::vector<std::string> tablespaces;
  std::vector<std::string> links_left_out;
  std::uint64_t links_not_listed = 0;
  std::vector<std::string> init_forks;
  std::vector<PendingLink> hard_links;
};

/// Reads one partition. `content` is filled as far as reading came, also when there is an error.
class PartitionReader {
 public:
  /// \param output  borrowed; nullptr: nothing is written.
  /// \param on_stored  told the partition's stored bytes so far, every few MiB.
  PartitionReader(std::uint32_t number, MemberLedger& ledger, FileOutput* output,
                  std::uint64_t max_member_bytes, std::function<void(std::uint64_t)> on_stored);

  Status read(object_store::Storage& storage, const object_store::ObjectInfo& object,
              const DecodeContext& context, PartitionContent& content);

 private:
  Status read_members(TarStream& tar, PartitionContent& content);
  Status write(std::span<const std::byte> piece, PartitionContent& content);
  Status take_member(TarStream& tar, const TarMember& member, PartitionContent& content);
  Status take_file(TarStream& tar, const std::string& path, std::uint64_t size, bool unpack,
                   PartitionContent& content);
  void keep_pages(const RelationFile& file, const std::string& path, PageScanner& pages,
                  PartitionContent& content) const;

  std::uint32_t number_;
  MemberLedger& ledger_;
  FileOutput* output_;
  std::uint64_t max_member_bytes_;
  std::function<void(std::uint64_t)> on_stored_;
  ObjectReader* reader_ = nullptr;         ///< of the present partition
  std::span<const std::byte> last_piece_;  ///< that it has given
};

}  // namespace rad::wal_e
