#include "agent/base/files.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <fts.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rad {
namespace {

std::string system_text(int code) {
  return std::generic_category().message(code);
}

Error file_error(Reason reason, std::string_view action, const std::filesystem::path& path,
                 int code) {
  Error error =
      fail(reason, fmt::format("cannot {} '{}': {}", action, path.string(), system_text(code)));
  error.object = path.string();
  return error;
}

Reason write_reason(int code) {
  if (code == ENOSPC) return Reason::scratch_full;
  if (code == EDQUOT) return Reason::quota;
  return Reason::host_unfit;
}

Status write_all(int fd, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return file_error(write_reason(errno), "write", path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || (::fsync(fd.get()) != 0 && errno != EINVAL)) {
    return file_error(write_reason(errno), "sync", directory, errno);
  }
  return {};
}

/// The rest of an open file that should be a regular one.
Result<std::string> read_open_file(const UniqueFd& fd, const std::filesystem::path& path,
                                   std::size_t max_bytes) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_error(Reason::host_unfit, "read", path, errno);
  if (!S_ISREG(status.st_mode)) {
    return fail(Reason::config_invalid, fmt::format("'{}' is not a regular file", path.string()),
                {}, path.string());
  }
  std::string content;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return file_error(Reason::host_unfit, "read", path, errno);
    }
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > max_bytes) {
      return fail(Reason::config_invalid,
                  fmt::format("'{}' is larger than the {} bytes allowed", path.string(), max_bytes),
                  {}, path.string());
    }
    content.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

/// Removes a temporary file unless it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t max_bytes) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    const int code = errno;
    if (code == EACCES || code == EPERM) {
      Error error = file_error(Reason::access_denied, "read", path, code);
      error.hint = "let the user that runs this program read the file";
      return error;
    }
    const bool missing = code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
    return file_error(missing ? Reason::config_invalid : Reason::host_unfit, "read", path, code);
  }
  return read_open_file(fd, path, max_bytes);
}

Result<std::string> read_file_beneath(const std::filesystem::path& directory,
                                      const std::filesystem::path& file, std::size_t max_bytes) {
  const UniqueFd root(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return file_error(Reason::host_unfit, "read", directory, errno);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const UniqueFd fd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), file.c_str(), &how, sizeof how)));
  if (!fd) return file_error(Reason::host_unfit, "read", directory / file, errno);
  return read_open_file(fd, directory / file, max_bytes);
}

Status write_file_atomic(const std::filesystem::path& path, std::string_view content,
                         unsigned mode) {
  std::filesystem::path directory = path.parent_path();
  if (directory.empty()) directory = ".";
  std::string name = (directory / fmt::format(".{}.XXXXXX", path.filename().string())).string();
  const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!fd) return file_error(write_reason(errno), "create a file beside", path, errno);
  TemporaryFile temporary(name);
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) {
    return file_error(Reason::host_unfit, "set the mode of", name, errno);
  }
  RAD_CHECK(write_all(fd.get(), content, path));
  if (::fsync(fd.get()) != 0) return file_error(write_reason(errno), "sync", path, errno);
  if (::rename(name.c_str(), path.c_str()) != 0) {
    return file_error(write_reason(errno), "rename a file to", path, errno);
  }
  temporary.keep();
  return sync_directory(directory);
}

std::uint64_t tree_bytes(const std::filesystem::path& path) {
  std::string root = path.string();
  std::array<char*, 2> roots{root.data(), nullptr};
  FTS* tree = ::fts_open(roots.data(), FTS_PHYSICAL | FTS_NOCHDIR, nullptr);
  if (tree == nullptr) return 0;
  constexpr std::uint64_t kBlock = 512;  // unit of st_blocks, whatever the file system
  std::uint64_t bytes = 0;
  std::set<std::pair<dev_t, ino_t>> linked;
  while (const FTSENT* entry = ::fts_read(tree)) {
    if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR) {
      continue;
    }
    const struct stat& status = *entry->fts_statp;
    if (!S_ISDIR(status.st_mode) && status.st_nlink > 1 &&
        !linked.emplace(status.st_dev, status.st_ino).second) {
      continue;
    }
    bytes += static_cast<std::uint64_t>(status.st_blocks) * kBlock;
  }
  ::fts_close(tree);
  return bytes;
}

Result<std::uint64_t> free_bytes(const std::filesystem::path& path) {
  struct statvfs status {};
  std::filesystem::path place = path;
  while (::statvfs(place.c_str(), &status) != 0) {
    if (errno == ENOENT && place.has_relative_path()) {
      place = place.parent_path();
      continue;
    }
    return file_error(errno == EACCES ? Reason::access_denied : Reason::host_unfit,
                      "ask for the free space of", path, errno);
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<UniqueFd> lock_file(const std::filesystem::path& path) {
  while (true) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
    // A lock needs no right to write: the file may be another user's.
    if (!fd && errno == EACCES) {
      fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    }
    if (!fd) {
      return file_error(
          errno == EACCES || errno == EPERM ? Reason::access_denied : write_reason(errno),
          "open the lock file", path, errno);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) return file_error(Reason::host_unfit, "lock", path, errno);
      return fail(Reason::target_busy,
                  fmt::format("'{}' is locked by another process", path.string()), {},
                  path.string());
    }
    // Whoever held the lock may have removed the file: what is locked must be what others find.
    struct stat mine {};
    struct stat theirs {};
    if (::fstat(fd.get(), &mine) == 0 && ::lstat(path.c_str(), &theirs) == 0 &&
        mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino) {
      return fd;
    }
  }
}

std::string random_hex(std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(digits, '\0');
  std::size_t filled = 0;
  while (filled < digits) {
    const ssize_t got = ::getrandom(text.data() + filled, digits - filled, 0);
    if (got < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category());
    if (got > 0) filled += static_cast<std::size_t>(got);
  }
  for (char& c : text) c = kDigits[static_cast<unsigned char>(c) % kDigits.size()];
  return text;
}

}  // namespace rad
