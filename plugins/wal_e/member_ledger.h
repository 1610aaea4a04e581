// What all partitions of a backup hold together: no member twice, none written through a link, no
// partition in the place of another.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "agent/base/error.h"
#include "plugins/wal_e/tar_rules.h"

namespace rad::wal_e {

/// What one partition turned out to hold, for telling a copy from its original.
struct PartitionShape {
  std::string object;
  std::uint64_t members = 0;
  std::uint64_t bytes = 0;
  bool has_root = false;
};

/// Members of all partitions by hashes of their names: 16 bytes each, whatever their length.
/// Thread-safe.
class MemberLedger {
 public:
  /// Enters a member. \return true if it may be unpacked, false if another partition has it already
  /// (see duplicates()); metadata_invalid for a name that is twice in this partition;
  /// unsafe_content for one that goes through a link or a file.
  Result<bool> add(std::uint32_t partition, const MemberDecision& member);

  /// Whether `path` was entered as a file.
  bool has_file(std::string_view path) const;

  /// After all partitions: what members in two partitions mean. A partition that holds nothing but
  /// the members of another is missing_object, since its own content is gone; which of the two is
  /// the copy is told by the root (it comes first) and by size (only the last is not full).
  /// \param shapes  by partition number.
  std::vector<std::pair<std::uint32_t, Error>> duplicates(
      const std::vector<PartitionShape>& shapes) const;

 private:
  struct Entry {
    std::uint32_t partition : 31;
    std::uint32_t file : 1;
  };
  using Hash = std::array<std::uint32_t, 3>;
  struct HashOfHash {
    std::size_t operator()(const Hash& hash) const noexcept {
      return hash[0] | static_cast<std::size_t>(hash[1]) << 32U;
    }
  };
  struct Shared {
    std::uint64_t members = 0;
    std::string first;  ///< name of one of them
  };

  static Hash hash_of(std::string_view path);
  Status add_parents(const MemberDecision& member);
  Status check_against_links(const MemberDecision& member) const;

  mutable std::mutex mutex_;
  boost::unordered_flat_map<Hash, Entry, HashOfHash> members_;
  boost::unordered_flat_set<std::string> parents_;  ///< every directory that a member needs
  std::vector<std::string> links_;                  ///< left-out links that nothing may go through
  std::map<std::pair<std::uint32_t, std::uint32_t>, Shared> shared_;
};

}  // namespace rad::wal_e
