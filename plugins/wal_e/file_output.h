// The files of one partition on their way to the disk, written by threads of their own while the
// partition is decoded on.
//
// Large files are written past the page cache (O_DIRECT) straight from the memory they were decoded
// into: a page cache that is filled faster than the disk empties it costs ten times the CPU and
// stalls the whole host. Small ones go through it, several at once. Nothing is synced: a test
// instance whose host has crashed is restored anew.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "agent/base/error.h"
#include "plugins/wal_e/block_pipeline.h"
#include "plugins/wal_e/tree_writer.h"

namespace rad::wal_e {

/// One producer thread. Errors of the writers come back from a later call, at the latest from
/// finish(); they are TreeWriter's. The destructor waits for what is under way, and lets go of
/// every Hold.
class FileOutput {
 public:
  static Result<std::unique_ptr<FileOutput>> open(const std::filesystem::path& target,
                                                  const TreeWriter::Tablespaces& tablespaces);
  ~FileOutput();
  FileOutput(const FileOutput&) = delete;
  FileOutput& operator=(const FileOutput&) = delete;

  Status make_directory(std::string_view path) { return tree_.make_directory(path); }

  /// Begins a file that is going to have `size` bytes; end() ends it.
  void begin(std::string path, std::uint64_t size);
  /// \param hold  keeps `piece` valid and unchanged; without one, it is copied.
  Status append(std::span<const std::byte> piece, std::optional<BlockPipeline::Hold> hold);
  Status end();

  /// Waits until all files are written and closed. \return the first error.
  Status finish();

 private:
  class File;
  struct Job;
  struct Aligned;

  FileOutput(TreeWriter tree, std::vector<TreeWriter> trees);
  void append_direct(std::span<const std::byte> piece, Job& job);
  Status push(std::unique_ptr<Job> job);
  void work(TreeWriter& tree);
  static Status run(Job& job, TreeWriter& tree);
  void stop();

  TreeWriter tree_;                ///< the producer's
  std::vector<TreeWriter> trees_;  ///< one a writer

  // The producer's present file.
  std::shared_ptr<File> file_;
  std::uint64_t offset_ = 0;        ///< of what comes next, without the carry
  std::unique_ptr<Aligned> carry_;  ///< what does not fill a block of the file system yet
  std::size_t carried_ = 0;

  std::mutex mutex_;
  std::condition_variable job_added_;
  std::condition_variable job_done_;
  std::deque<std::unique_ptr<Job>> jobs_;  ///< mutex_
  std::size_t running_ = 0;                ///< mutex_
  std::optional<Error> error_;             ///< the first; mutex_
  bool stopping_ = false;                  ///< mutex_
  std::vector<std::thread> writers_;
};

}  // namespace rad::wal_e
