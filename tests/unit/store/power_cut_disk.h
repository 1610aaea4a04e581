// A disk in memory, as a file system of SQLite, from which the power can be taken at any instant:
// what has been written and not yet synced is then lost, kept or torn sector by sector.
//
// Model   a write is durable when its file is synced; until then each of its sectors may or may not
//         arrive, in any order; so may changes of length. A new file is there for certain once it
//         is synced, a removed one is gone for certain once its directory is. A sector is atomic,
//         and a write leaves alone what lies beside it (SQLite assumes the same of a real disk).
// Threads one connection at a time; locks are not kept.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace rad::test {

/// What is found when the power comes back.
enum class Survival { none, all, some };

/// Contents of the files by name.
using DiskImage = std::map<std::string, std::string>;

class PowerCutDisk {
 public:
  /// Registered with SQLite under name() until it is destroyed. All of `image` is durable.
  explicit PowerCutDisk(const DiskImage& image = {});
  PowerCutDisk(const PowerCutDisk&) = delete;
  PowerCutDisk& operator=(const PowerCutDisk&) = delete;
  ~PowerCutDisk();

  const std::string& name() const noexcept { return name_; }
  /// Called after every write, change of length, sync and removal.
  void on_change(std::function<void()> hook) { hook_ = std::move(hook); }
  /// From now on syncs do nothing: to see that a test would notice.
  void ignore_syncs() { ignores_syncs_ = true; }
  std::uint64_t changes() const noexcept { return changes_; }

  /// What is on the disk after a cut at this instant.
  DiskImage cut(Survival survival, std::mt19937_64& random) const;

 private:
  friend struct PowerCutFileMethods;
  struct Change {
    std::int64_t offset = 0;  ///< new length, if this is a change of length
    bool length = false;
    std::string bytes;
  };
  struct File {
    std::string now;
    std::string durable;
    bool durably_there = false;
    std::vector<Change> pending;
    std::vector<std::unique_ptr<char[]>> shared_memory;
  };
  void changed();
  static void apply(std::string& content, const Change& change);
  static void apply_some(std::string& content, const Change& change, std::mt19937_64& random);

  std::string name_;
  std::map<std::string, std::shared_ptr<File>> files_;
  std::map<std::string, std::shared_ptr<File>> removed_;  ///< not yet for certain
  std::function<void()> hook_;
  bool ignores_syncs_ = false;
  std::uint64_t changes_ = 0;
  struct Vfs;
  std::unique_ptr<Vfs> vfs_;
};

}  // namespace rad::test
