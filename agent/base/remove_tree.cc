// remove_tree(): by descriptors, so that a link swapped in half way leads nowhere.
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "agent/base/files.h"

namespace rad {
namespace {

/// Levels that are open at once. What lies deeper is moved to the top first, so that a tree that is
/// 10 000 levels deep needs no more descriptors than any other.
constexpr unsigned kMaxOpen = 64;

struct CloseDirectory {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};

class Remover {
 public:
  explicit Remover(dev_t device) : device_(device) {}

  /// Empties the directory `fd`, which is shown as `path`.
  void empty(UniqueFd fd, const std::string& path, unsigned level) {
    const int raw = fd.get();
    if (level == 0) top_ = raw;
    // Without all three rights nothing in it can be listed or removed.
    struct stat status {};
    if (::fstat(raw, &status) == 0 && (status.st_mode & 0700U) != 0700U) ::fchmod(raw, 0700);
    const std::unique_ptr<DIR, CloseDirectory> dir(::fdopendir(raw));
    if (!dir) return note(path, errno);
    static_cast<void>(fd.release());
    do {
      // Directories moved to the top while it is read may not show up in this pass.
      if (level == 0) moved_ = false;
      ::rewinddir(dir.get());
      while (const dirent* entry = ::readdir(dir.get())) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") remove_entry(raw, name, path + "/" + name, level);
      }
    } while (level == 0 && moved_);
  }

  /// Removes `name` in the directory `parent`.
  void remove_entry(int parent, const std::string& name, const std::string& path, unsigned level) {
    struct stat status {};
    if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return note_unless_gone(path);
    }
    if (!S_ISDIR(status.st_mode)) {
      if (::unlinkat(parent, name.c_str(), 0) != 0) note_unless_gone(path);
      return;
    }
    if (status.st_dev != device_) return note(path, EXDEV);
    if (level >= kMaxOpen && move_to_top(parent, name)) return;
    UniqueFd fd = open_directory(parent, name);
    if (!fd) return note_unless_gone(path);
    empty(std::move(fd), path, level + 1);
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) note_unless_gone(path);
  }

  const std::string& first_trouble() const noexcept { return first_; }
  std::size_t troubles() const noexcept { return troubles_; }

  static UniqueFd open_directory(int parent, const std::string& name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd fd(::openat(parent, name.c_str(), kFlags));
    if (fd || errno != EACCES) return fd;
    const UniqueFd handle(
        ::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!handle) return fd;
    // fchmod() does not take O_PATH descriptors, and a path could be swapped for a link.
    ::chmod(fmt::format("/proc/self/fd/{}", handle.get()).c_str(), 0700);
    fd.reset(::openat(parent, name.c_str(), kFlags));
    return fd;
  }

 private:
  bool move_to_top(int parent, const std::string& name) {
    const std::string target = ".rad-deep-" + random_hex(16);
    // A directory can be moved only by who may write to it, because its ".." changes.
    if (UniqueFd fd = open_directory(parent, name)) ::fchmod(fd.get(), 0700);
    if (::renameat(parent, name.c_str(), top_, target.c_str()) != 0) return false;
    moved_ = true;
    return true;
  }

  void note_unless_gone(const std::string& path) {
    if (errno != ENOENT) note(path, errno);
  }

  void note(const std::string& path, int code) {
    if (troubles_++ > 0) return;
    const std::string text = code == EXDEV ? "another file system is mounted there"
                                           : std::generic_category().message(code);
    first_ = fmt::format("cannot remove '{}': {}", path, text);
  }

  dev_t device_;
  int top_ = -1;
  bool moved_ = false;
  std::string first_;
  std::size_t troubles_ = 0;
};

}  // namespace

Status remove_tree(const std::filesystem::path& path) {
  std::string text = path.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  struct stat status {};
  if (::lstat(text.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return fail(errno == EACCES ? Reason::access_denied : Reason::host_unfit,
                fmt::format("cannot remove '{}': {}", text, std::generic_category().message(errno)),
                {}, text);
  }
  Remover remover(status.st_dev);
  if (S_ISDIR(status.st_mode)) {
    // The top itself is opened here, so that a mount point as the top is emptied like any other.
    UniqueFd fd = Remover::open_directory(AT_FDCWD, text);
    if (fd) remover.empty(std::move(fd), text, 0);
    if (::rmdir(text.c_str()) == 0 || errno == ENOENT) return {};
  } else if (::unlink(text.c_str()) == 0 || errno == ENOENT) {
    return {};
  }
  const int code = errno;
  std::string message = remover.first_trouble();
  if (message.empty()) {
    message = fmt::format("cannot remove '{}': {}", text, std::generic_category().message(code));
  } else if (remover.troubles() > 1) {
    message += fmt::format(" (and {} more)", remover.troubles() - 1);
  }
  return fail(Reason::host_unfit, std::move(message),
              "remove it by hand once nothing uses it any more", text);
}

}  // namespace rad
