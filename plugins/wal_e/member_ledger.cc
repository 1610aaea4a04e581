#include "plugins/wal_e/member_ledger.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <openssl/sha.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

// WAL-E begins a new partition at 6144 members or 1.5 GiB; one above a third of that may have been
// closed by the size of the next file.
constexpr std::uint64_t kFullMembers = 6144;
constexpr std::uint64_t kFullBytes = std::uint64_t{512} << 20U;

bool may_be_full(const PartitionShape& shape) {
  return shape.members >= kFullMembers || shape.bytes > kFullBytes;
}

std::string shown(std::string_view path) {
  return printable(path, 200);
}

bool goes_through(std::string_view path, std::string_view link) {
  return path.size() > link.size() && path.starts_with(link) && path[link.size()] == '/';
}

Error through_link(std::string_view path, std::string_view link) {
  return fail(
      Reason::unsafe_content,
      fmt::format("member '{}' would be written through the link '{}'", shown(path), shown(link)));
}

Error below_file(std::string_view path, std::string_view file) {
  return fail(Reason::unsafe_content, fmt::format("member '{}' lies below '{}', which is a file",
                                                  shown(path), shown(file)));
}

}  // namespace

MemberLedger::Hash MemberLedger::hash_of(std::string_view path) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(path.data()), path.size(), digest);
  Hash hash;
  static_assert(sizeof hash <= sizeof digest);
  std::memcpy(hash.data(), digest, sizeof hash);
  return hash;
}

Status MemberLedger::check_against_links(const MemberDecision& member) const {
  for (const std::string& link : links_) {
    if (goes_through(member.path, link)) return through_link(member.path, link);
  }
  return {};
}

Status MemberLedger::add_parents(const MemberDecision& member) {
  std::string_view path = member.path;
  for (;;) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string_view::npos) return {};
    path = path.substr(0, slash);
    if (parents_.contains(std::string(path))) return {};
    const auto found = members_.find(hash_of(path));
    if (found != members_.end() && found->second.file != 0) return below_file(member.path, path);
    parents_.emplace(path);
  }
}

Result<bool> MemberLedger::add(std::uint32_t partition, const MemberDecision& member) {
  const bool is_file =
      member.action == MemberAction::write_file || member.action == MemberAction::link_file;
  const Hash hash = hash_of(member.path);
  const std::lock_guard lock(mutex_);
  const auto [place, is_new] =
      members_.try_emplace(hash, Entry{.partition = partition & 0x7FFFFFFFU, .file = is_file});
  if (!is_new) {
    if (place->second.partition == partition) {
      return fail(Reason::metadata_invalid,
                  fmt::format("member '{}' is there twice", shown(member.path)));
    }
    const std::uint32_t other = place->second.partition;
    Shared& both = shared_[{std::min(other, partition), std::max(other, partition)}];
    if (both.members++ == 0) both.first = member.path;
    return false;
  }
  RAD_CHECK(check_against_links(member));
  RAD_CHECK(add_parents(member));
  if (is_file && parents_.contains(member.path)) {
    return below_file(member.path + "/...", member.path);
  }
  if (member.blocks_path) {
    if (parents_.contains(member.path)) return through_link(member.path + "/...", member.path);
    links_.push_back(member.path);
  }
  return true;
}

bool MemberLedger::has_file(std::string_view path) const {
  const std::lock_guard lock(mutex_);
  const auto found = members_.find(hash_of(path));
  return found != members_.end() && found->second.file != 0;
}

std::vector<std::pair<std::uint32_t, Error>> MemberLedger::duplicates(
    const std::vector<PartitionShape>& shapes) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::uint32_t, Error>> errors;
  for (const auto& [pair, both] : shared_) {
    const PartitionShape& first = shapes[pair.first];
    const PartitionShape& second = shapes[pair.second];
    const std::uint64_t smaller = std::min(first.members, second.members);
    if (both.members * 2 < smaller) {
      errors.emplace_back(pair.second,
                          fail(Reason::metadata_invalid,
                               fmt::format("object '{}' and object '{}' both hold member '{}'",
                                           second.object, first.object, shown(both.first)),
                               {}, second.object));
      continue;
    }
    const bool last = pair.second + 1 == shapes.size();
    const bool first_lost_its_root = pair.first == 0 && !first.has_root;
    const bool first_is_too_small = pair.first != 0 && last && !may_be_full(first);
    const bool copy_is_first = first_lost_its_root || first_is_too_small;
    const PartitionShape& copy = copy_is_first ? first : second;
    const PartitionShape& original = copy_is_first ? second : first;
    errors.emplace_back(
        copy_is_first ? pair.first : pair.second,
        fail(Reason::missing_object,
             fmt::format("object '{}' holds the members of object '{}' again: its own content is "
                         "missing",
                         copy.object, original.object),
             "look for an older version or a replica of the object", copy.object));
  }
  return errors;
}

}  // namespace rad::wal_e
