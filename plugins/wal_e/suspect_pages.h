// Which pages with a wrong checksum a hot copy may have, and which it may not.
//
// A copy of a running cluster tears pages that are written meanwhile. Replay repairs each of them:
// full-page images are forced during a backup, so the first change of a page after the backup's
// start carries one (or initialises the page anew). So a suspect is excused if the WAL between
// start and stop refers to that very block, or creates, truncates or drops its relation or
// database. Pages of free space and visibility maps are excused if their relation is referred to at
// all: the server does not log every change of them, and replaces such a page when its checksum is
// wrong.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/wal_e/base_backup_reader.h"

namespace rad::wal_e {

/// A relation as WAL names it.
struct RelationId {
  std::uint32_t tablespace = 0;
  std::uint32_t database = 0;  ///< 0: shared
  std::uint32_t relation = 0;
  friend auto operator<=>(const RelationId&, const RelationId&) = default;
};

enum class Fork : std::uint8_t { main, fsm, vm, init };

struct RelationPath {
  RelationId relation;
  Fork fork = Fork::main;
};

/// "base/16384/16385_fsm.1", "global/1262", "pg_tblspc/16400/PG_15_202209061/5/16403".
std::optional<RelationPath> parse_relation_path(std::string_view path);

/// What the pages of a copy raise suspicion of.
struct Suspects {
  std::vector<SuspectPage> pages;
  bool cut = false;  ///< there are more
};

/// Pages that a cluster with checksums cannot have on disk: a wrong sum, or none on a full page.
/// Without checksums no page is suspect, however many have none.
Suspects find_suspects(const BaseBackupContent& content, bool has_checksums);

/// Fed with pg_waldump's lines of the records between start and stop. Memory grows with the number
/// of suspects only.
class SuspectJudge {
 public:
  /// \param init_forks  "base/16384/16390": unlogged relations, whose pages are never judged
  SuspectJudge(const std::vector<SuspectPage>& suspects,
               const std::vector<std::string>& init_forks);

  void feed(std::string_view line);

  /// Those that nothing excuses, in their order.
  std::vector<SuspectPage> unexplained() const;
  /// Those that replay is bound to have repaired: to be judged again after recovery.
  std::vector<SuspectPage> replayed() const;
  /// Relations that transactions dropped or truncated in the lines fed so far.
  std::uint64_t dropped_relations() const noexcept { return dropped_; }

 private:
  struct Entry {
    SuspectPage page;
    RelationPath file;
    bool judged = false;    ///< false: an unlogged relation, or not a relation's name
    bool excused = false;   ///< by relation, database or map rule
    bool replayed = false;  ///< by a reference to the block
  };
  struct Block {
    RelationId relation;
    Fork fork = Fork::main;
    std::uint64_t block = 0;
    friend auto operator<=>(const Block&, const Block&) = default;
  };
  void refer(const RelationPath& file, std::uint64_t block);
  void excuse_relation(const RelationId& relation);
  void excuse_database(std::uint32_t database);
  void feed_blocks(std::string_view line);
  void feed_paths(std::string_view text);

  std::vector<Entry> entries_;
  std::map<Block, std::size_t> by_block_;
  std::multimap<RelationId, std::size_t> by_relation_;
  /// Maps and partial pages, which a reference to another block may excuse.
  std::multimap<RelationId, std::size_t> lenient_;
  std::uint64_t dropped_ = 0;
};

}  // namespace rad::wal_e
