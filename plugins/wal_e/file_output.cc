#include "plugins/wal_e/file_output.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

namespace rad::wal_e {
namespace {

constexpr std::size_t kWriters = 2;
constexpr std::size_t kMaxQueued = 64;
// Blocks of nearly all file systems; direct writes of other sizes exclude one another.
constexpr std::size_t kBlock = 4096;
constexpr std::uint64_t kDirectFrom = std::uint64_t{64} << 10U;

}  // namespace

struct FileOutput::Aligned {
  alignas(kBlock) std::array<std::byte, kBlock> bytes;
};

/// One file being written. The first job makes it, the last one closes it.
class FileOutput::File {
 public:
  File(std::string path_in, std::uint64_t size_in)
      : path(std::move(path_in)), size(size_in), direct(size_in >= kDirectFrom) {}

  const std::string path;
  const std::uint64_t size;
  const bool direct;

  /// Valid until the last job has called done().
  Result<const UniqueFd*> open(TreeWriter& tree) {
    const std::lock_guard lock(mutex_);
    if (!fd_) {
      // The kernel makes one file of a directory at a time, and lets the others spin meanwhile.
      static std::mutex making;
      const std::lock_guard one_at_a_time(making);
      RAD_TRY(fd_, tree.create_file(path, direct ? size : 0));
    }
    return &fd_;
  }
  void add_job() { jobs_.fetch_add(1, std::memory_order_relaxed); }
  void job_done() {
    if (jobs_.fetch_sub(1, std::memory_order_acq_rel) == 1) fd_.reset();
  }

 private:
  std::mutex mutex_;
  UniqueFd fd_;
  std::atomic<std::size_t> jobs_{1};  ///< the producer counts until end()
};

struct FileOutput::Job {
  explicit Job(std::shared_ptr<File> file_in) : file(std::move(file_in)) { file->add_job(); }
  ~Job() { file->job_done(); }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::shared_ptr<File> file;
  std::uint64_t offset = 0;
  std::unique_ptr<Aligned> head;  ///< a whole block before `body`
  std::span<const std::byte> body;
  std::vector<std::byte> copied;  ///< what `body` is in, when nothing holds it
  std::optional<BlockPipeline::Hold> hold;
  bool unaligned = false;  ///< cannot be written directly
};

Result<std::unique_ptr<FileOutput>> FileOutput::open(const std::filesystem::path& target,
                                                     const TreeWriter::Tablespaces& tablespaces) {
  RAD_TRY(TreeWriter tree, TreeWriter::open(target, tablespaces));
  std::vector<TreeWriter> trees;
  for (std::size_t at = 0; at < kWriters; ++at) {
    RAD_TRY(TreeWriter another, TreeWriter::open(target, tablespaces));
    trees.push_back(std::move(another));
  }
  return std::unique_ptr<FileOutput>(new FileOutput(std::move(tree), std::move(trees)));
}

FileOutput::FileOutput(TreeWriter tree, std::vector<TreeWriter> trees)
    : tree_(std::move(tree)), trees_(std::move(trees)) {
  try {
    for (TreeWriter& each : trees_) writers_.emplace_back([this, &each] { work(each); });
  } catch (const std::system_error&) {
    // Fewer writers do, none too: push() then writes itself.
  }
}

FileOutput::~FileOutput() {
  stop();
}

void FileOutput::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  job_added_.notify_all();
  for (std::thread& writer : writers_) writer.join();
  writers_.clear();
}

void FileOutput::begin(std::string path, std::uint64_t size) {
  file_ = std::make_shared<File>(std::move(path), size);
  offset_ = 0;
  carried_ = 0;
}

Status FileOutput::append(std::span<const std::byte> piece,
                          std::optional<BlockPipeline::Hold> hold) {
  auto job = std::make_unique<Job>(file_);
  job->hold = std::move(hold);
  if (!job->hold) {
    job->copied.assign(piece.begin(), piece.end());
    piece = job->copied;
  }
  if (file_->direct) {
    append_direct(piece, *job);
    if (job->body.empty() && !job->head) return {};
  } else {
    job->offset = offset_;
    job->body = piece;
    offset_ += piece.size();
  }
  return push(std::move(job));
}

/// Takes the whole blocks of `piece` and what was carried before it; carries the rest.
void FileOutput::append_direct(std::span<const std::byte> piece, Job& job) {
  job.offset = offset_;
  if (carried_ > 0) {
    const std::size_t size = std::min(kBlock - carried_, piece.size());
    std::memcpy(carry_->bytes.data() + carried_, piece.data(), size);
    carried_ += size;
    piece = piece.subspan(size);
    if (carried_ < kBlock) return;
    job.head = std::move(carry_);
    carried_ = 0;
    offset_ += kBlock;
  }
  job.body = piece.first(piece.size() / kBlock * kBlock);
  offset_ += job.body.size();
  const std::span<const std::byte> rest = piece.subspan(job.body.size());
  if (rest.empty()) return;
  if (!carry_) carry_ = std::make_unique<Aligned>();
  std::memcpy(carry_->bytes.data(), rest.data(), rest.size());
  carried_ = rest.size();
}

Status FileOutput::end() {
  const std::shared_ptr<File> file = std::move(file_);
  Status pushed;
  if (carried_ > 0 || file->size == 0) {
    auto job = std::make_unique<Job>(file);
    job->offset = offset_;
    if (carried_ > 0) {
      const auto begin = carry_->bytes.begin();
      job->copied.assign(begin, begin + static_cast<std::ptrdiff_t>(carried_));
    }
    job->body = job->copied;
    job->unaligned = true;
    pushed = push(std::move(job));
  }
  file->job_done();
  return pushed;
}

Status FileOutput::push(std::unique_ptr<Job> job) {
  if (writers_.empty()) return run(*job, tree_);
  {
    std::unique_lock lock(mutex_);
    job_done_.wait(lock, [&] { return jobs_.size() < kMaxQueued; });
    if (error_) return *error_;
    jobs_.push_back(std::move(job));
  }
  job_added_.notify_one();
  return {};
}

Status FileOutput::run(Job& job, TreeWriter& tree) {
  RAD_TRY(const UniqueFd* const fd, job.file->open(tree));
  std::span<const std::byte> head;
  if (job.head) head = job.head->bytes;
  if (job.unaligned && job.file->direct) TreeWriter::write_through_cache(*fd);
  return tree.write_at(*fd, job.offset, {head, job.body}, job.file->path);
}

void FileOutput::work(TreeWriter& tree) {
  std::unique_lock lock(mutex_);
  for (;;) {
    job_added_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::unique_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    ++running_;
    const bool skip = error_.has_value();
    lock.unlock();
    Status done;
    try {
      if (!skip) done = run(*job, tree);
    } catch (const std::bad_alloc&) {
      done = fail(Reason::out_of_memory, "there is no memory to write a file");
    }
    job.reset();
    lock.lock();
    --running_;
    if (!done && !error_) error_ = done.error();
    job_done_.notify_all();
  }
}

Status FileOutput::finish() {
  std::unique_lock lock(mutex_);
  job_done_.wait(lock, [&] { return jobs_.empty() && running_ == 0; });
  if (error_) return *error_;
  return {};
}

}  // namespace rad::wal_e
