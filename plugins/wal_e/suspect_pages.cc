#include "plugins/wal_e/suspect_pages.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace rad::wal_e {
namespace {

constexpr std::uint32_t kDefaultTablespace = 1663;
constexpr std::uint32_t kGlobalTablespace = 1664;

/// Takes a decimal number from the front.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (end.ec != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end.ptr - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

/// "16385", "16385.1", "16385_fsm", "16385_vm.2", "16385_init"
bool take_file_name(std::string_view& text, RelationPath& file) {
  const auto relation = take_number(text);
  if (!relation) return false;
  file.relation.relation = *relation;
  constexpr std::array kForks{std::pair{"_fsm", Fork::fsm}, std::pair{"_vm", Fork::vm},
                              std::pair{"_init", Fork::init}};
  for (const auto& [suffix, fork] : kForks) {
    if (take(text, suffix)) file.fork = fork;
  }
  if (take(text, ".") && !take_number(text)) return false;
  return text.empty();
}

/// "1663/16384/16385" from the front.
std::optional<RelationId> take_relation(std::string_view& text) {
  const auto tablespace = take_number(text);
  if (!tablespace || !take(text, "/")) return std::nullopt;
  const auto database = take_number(text);
  if (!database || !take(text, "/")) return std::nullopt;
  const auto relation = take_number(text);
  if (!relation) return std::nullopt;
  return RelationId{*tablespace, *database, *relation};
}

Fork take_fork(std::string_view& text) {
  if (!take(text, " fork ")) return Fork::main;
  if (take(text, "fsm")) return Fork::fsm;
  if (take(text, "vm")) return Fork::vm;
  if (take(text, "init")) return Fork::init;
  take(text, "main");
  return Fork::main;
}

}  // namespace

std::optional<RelationPath> parse_relation_path(std::string_view path) {
  RelationPath file;
  if (take(path, "global/")) {
    file.relation.tablespace = kGlobalTablespace;
    return take_file_name(path, file) ? std::optional(file) : std::nullopt;
  }
  if (take(path, "base/")) {
    file.relation.tablespace = kDefaultTablespace;
  } else if (take(path, "pg_tblspc/")) {
    const auto tablespace = take_number(path);
    if (!tablespace || !take(path, "/PG_")) return std::nullopt;
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) return std::nullopt;
    path.remove_prefix(slash + 1);
    file.relation.tablespace = *tablespace;
  } else {
    return std::nullopt;
  }
  const auto database = take_number(path);
  if (!database || !take(path, "/") || !take_file_name(path, file)) return std::nullopt;
  file.relation.database = *database;
  return file;
}

Suspects find_suspects(const BaseBackupContent& content, bool has_checksums) {
  Suspects found;
  if (!has_checksums) return found;
  found.pages = content.suspects;
  found.pages.insert(found.pages.end(), content.unset.begin(), content.unset.end());
  found.cut = content.suspects_cut;
  return found;
}

SuspectJudge::SuspectJudge(const std::vector<SuspectPage>& suspects,
                           const std::vector<std::string>& init_forks) {
  std::set<RelationId> unlogged;
  for (const auto& path : init_forks) {
    if (const auto file = parse_relation_path(path)) unlogged.insert(file->relation);
  }
  entries_.reserve(suspects.size());
  for (const auto& page : suspects) {
    Entry entry;
    entry.page = page;
    if (const auto file = parse_relation_path(page.path)) {
      entry.file = *file;
      entry.judged = file->fork == Fork::init || !unlogged.contains(file->relation);
    }
    if (entry.judged) {
      const bool is_map = entry.file.fork == Fork::fsm || entry.file.fork == Fork::vm;
      by_block_[{entry.file.relation, entry.file.fork, page.block}] = entries_.size();
      by_relation_.emplace(entry.file.relation, entries_.size());
      if (is_map || page.partial) lenient_.emplace(entry.file.relation, entries_.size());
    }
    entries_.push_back(std::move(entry));
  }
}

void SuspectJudge::refer(const RelationPath& file, std::uint64_t block) {
  if (const auto found = by_block_.find({file.relation, file.fork, block});
      found != by_block_.end()) {
    entries_[found->second].replayed = true;
  }
  const auto [first, last] = lenient_.equal_range(file.relation);
  for (auto at = first; at != last; ++at) {
    Entry& entry = entries_[at->second];
    const bool is_map = entry.file.fork == Fork::fsm || entry.file.fork == Fork::vm;
    // A file that ends inside a page was being extended: whatever is written behind it counts.
    if (is_map || (entry.file.fork == file.fork && block >= entry.page.block)) entry.excused = true;
  }
}

void SuspectJudge::excuse_relation(const RelationId& relation) {
  const auto [first, last] = by_relation_.equal_range(relation);
  for (auto at = first; at != last; ++at) entries_[at->second].excused = true;
}

void SuspectJudge::excuse_database(std::uint32_t database) {
  for (Entry& entry : entries_) {
    if (entry.file.relation.database == database && database != 0) entry.excused = true;
  }
}

void SuspectJudge::feed_blocks(std::string_view line) {
  constexpr std::string_view kBlock = "blkref #";
  for (auto at = line.find(kBlock); at != std::string_view::npos; at = line.find(kBlock)) {
    line.remove_prefix(at + kBlock.size());
    const auto relation_at = line.find(": rel ");
    if (relation_at == std::string_view::npos) return;
    line.remove_prefix(relation_at + 6);
    const auto relation = take_relation(line);
    if (!relation) continue;
    const Fork fork = take_fork(line);
    if (!take(line, " blk ")) continue;
    if (const auto block = take_number(line)) refer({*relation, fork}, *block);
  }
}

/// "base/16384/16390 base/16384/16391_vm; ..."
void SuspectJudge::feed_paths(std::string_view text) {
  text = text.substr(0, std::min(text.find(';'), text.size()));
  while (!text.empty()) {
    const auto blank = std::min(text.find(' '), text.size());
    if (const auto file = parse_relation_path(text.substr(0, blank))) {
      excuse_relation(file->relation);
      ++dropped_;
    }
    text.remove_prefix(std::min(blank + 1, text.size()));
  }
}

void SuspectJudge::feed(std::string_view line) {
  const auto desc_at = line.find("desc: ");
  if (desc_at == std::string_view::npos) return;
  const auto desc = line.substr(desc_at + 6);
  if (line.starts_with("rmgr: Transaction")) {
    if (const auto at = desc.find("rels: "); at != std::string_view::npos) {
      feed_paths(desc.substr(at + 6));
    }
    return;
  }
  if (line.starts_with("rmgr: Storage")) {
    // "TRUNCATE base/5/16384 to 3 blocks flags 7", "CREATE base/5/16384"
    const auto blank = desc.find(' ');
    if (blank == std::string_view::npos) return;
    const auto rest = desc.substr(blank + 1);
    if (const auto file = parse_relation_path(rest.substr(0, rest.find(' ')))) {
      excuse_relation(file->relation);
      if (desc.starts_with("TRUNCATE")) ++dropped_;
    }
    return;
  }
  if (line.starts_with("rmgr: Database")) {
    // "DROP dir 1663/16385", "CREATE_FILE_COPY copy dir 1663/1 to 1663/16385"
    const auto slash = desc.rfind('/');
    if (slash == std::string_view::npos) return;
    auto number = desc.substr(slash + 1);
    if (const auto database = take_number(number)) excuse_database(*database);
    if (desc.starts_with("DROP")) ++dropped_;
    return;
  }
  feed_blocks(desc);
}

std::vector<SuspectPage> SuspectJudge::unexplained() const {
  std::vector<SuspectPage> result;
  for (const Entry& entry : entries_) {
    if (entry.judged && !entry.excused && !entry.replayed) result.push_back(entry.page);
  }
  return result;
}

std::vector<SuspectPage> SuspectJudge::replayed() const {
  std::vector<SuspectPage> result;
  for (const Entry& entry : entries_) {
    if (entry.judged && !entry.excused && entry.replayed) result.push_back(entry.page);
  }
  return result;
}

}  // namespace rad::wal_e
