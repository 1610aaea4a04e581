#include "plugins/object_store/file_storage.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>

namespace rad::object_store {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const noexcept { ::closedir(dir); }
};
using Directory = std::unique_ptr<DIR, CloseDir>;

std::string current_user() {
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  const uid_t uid = ::geteuid();
  if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr) {
    return fmt::format("'{}' (uid {})", entry.pw_name, uid);
  }
  return fmt::format("uid {}", uid);
}

std::string system_text(int error) {
  return std::error_code(error, std::generic_category()).message();
}

Error system_error(int error, std::string_view action, const std::filesystem::path& path,
                   std::string_view key) {
  Error out = fail(Reason::storage_unreachable,
                   fmt::format("cannot {} '{}': {}", action, path.string(), system_text(error)), {},
                   std::string(key));
  if (error == EACCES || error == EPERM) {
    out.reason = Reason::access_denied;
    out.hint =
        fmt::format("let user {} read it, and enter every directory above it", current_user());
  } else if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
    out.reason = Reason::missing_object;
  } else if (error == EMFILE || error == ENFILE || error == ENOMEM) {
    out.reason = error == ENOMEM ? Reason::out_of_memory : Reason::host_unfit;
    out.retryable = true;
  } else {
    out.hint = "look at the mount and the kernel's log of this host";
    out.retryable = true;
  }
  return out;
}

/// Keys that a listing can never give are refused, so that none leads out of the root.
bool well_formed(std::string_view key) {
  if (key.empty() || key.find('\0') != std::string_view::npos) return false;
  std::size_t begin = 0;
  while (begin <= key.size()) {
    const std::size_t end = std::min(key.find('/', begin), key.size());
    const std::string_view part = key.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

Error bad_key(std::string_view key) {
  return fail(
      Reason::missing_object,
      fmt::format("'{}' is not the key of an object: no part of it may be empty, '.' or '..'", key),
      {}, std::string(key));
}

ObjectInfo describe_file(std::string key, const struct stat& status) {
  const auto since_epoch = std::chrono::seconds(status.st_mtim.tv_sec) +
                           std::chrono::nanoseconds(status.st_mtim.tv_nsec);
  return ObjectInfo{
      .key = std::move(key),
      .size = static_cast<std::uint64_t>(status.st_size),
      .modified = TimePoint(std::chrono::duration_cast<TimePoint::duration>(since_epoch))};
}

class FileReader final : public ObjectReader {
 public:
  FileReader(UniqueFd fd, std::filesystem::path path, std::string key, const OpenOptions& options)
      : fd_(std::move(fd)), path_(std::move(path)), key_(std::move(key)), options_(options) {}

  Result<std::size_t> read(std::span<std::byte> out) override {
    const std::uint64_t left = options_.length - done_;
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), left)));
    for (;;) {
      if (cancelled_.load() || options_.stop.stop_requested()) {
        return fail(Reason::cancelled, "reading was stopped", {}, key_);
      }
      if (out.empty()) return end();
      const ssize_t got = ::read(fd_.get(), out.data(), out.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return system_error(errno, "read", path_, key_);
      if (got == 0) return end();
      done_ += static_cast<std::uint64_t>(got);
      return static_cast<std::size_t>(got);
    }
  }
  void cancel() noexcept override { cancelled_.store(true); }
  int descriptor() const noexcept override { return fd_.get(); }

 private:
  Result<std::size_t> end() const {
    if (!options_.expected_size || options_.length - done_ == 0) return std::size_t{0};
    const Status length = compare_length(options_.offset + done_, *options_.expected_size);
    if (length) return std::size_t{0};
    Error error = Status(length).error();
    error.object = key_;
    return error;
  }

  UniqueFd fd_;
  std::filesystem::path path_;
  std::string key_;
  OpenOptions options_;
  std::uint64_t done_ = 0;
  std::atomic<bool> cancelled_{false};
};

}  // namespace

struct FileStorage::Walk {
  std::string_view prefix;
  const ObjectVisitor& visit;
  const std::stop_token& stop;
};

FileStorage::FileStorage(std::filesystem::path root) : root_(std::move(root)) {}

std::string FileStorage::describe() const {
  return "file://" + root_.string();
}

Status FileStorage::visit(std::string_view prefix, const ObjectVisitor& visit,
                          std::stop_token stop) {
  struct stat status {};
  if (::stat(root_.c_str(), &status) != 0) {
    Error error = system_error(errno, "look into", root_, "");
    if (error.reason == Reason::missing_object) {
      error.hint = "check the path of the storage, and that it is mounted";
    }
    return error;
  }
  if (!S_ISDIR(status.st_mode)) {
    return fail(Reason::config_invalid, fmt::format("'{}' is not a directory", root_.string()),
                "give the directory that holds basebackups_005 and wal_005");
  }
  // Only the part of the tree that the prefix names is walked.
  const std::size_t slash = prefix.rfind('/');
  const std::string start(slash == std::string_view::npos ? "" : prefix.substr(0, slash));
  if (!start.empty() && !well_formed(start)) return bad_key(prefix);
  Walk state{.prefix = prefix, .visit = visit, .stop = stop};
  const std::filesystem::path top = start.empty() ? root_ : root_ / start;
  UniqueFd fd(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) return walk(std::move(fd), start, state);
  if (errno != ENOENT && errno != ENOTDIR) {
    return system_error(errno, "read directory", top, start);
  }
  return {};
}

Status FileStorage::walk(UniqueFd fd, const std::string& relative, Walk& state) const {
  const Directory dir(::fdopendir(fd.get()));
  if (!dir) return system_error(errno, "read directory", root_ / relative, relative);
  const int dir_fd = fd.release();
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) {
      if (errno != 0) return system_error(errno, "read directory", root_ / relative, relative);
      return {};
    }
    const std::string_view entry_name = entry->d_name;
    if (entry_name == "." || entry_name == "..") continue;
    if (state.stop.stop_requested()) return fail(Reason::cancelled, "listing was stopped");
    std::string key =
        relative.empty() ? std::string(entry_name) : fmt::format("{}/{}", relative, entry_name);
    RAD_CHECK(take(dir_fd, key, entry->d_name, state));
  }
}

Status FileStorage::take(int dir_fd, const std::string& key, const char* name, Walk& state) const {
  const bool inside = key.size() >= state.prefix.size() && key.starts_with(state.prefix);
  if (!inside) return {};
  struct stat status {};
  if (::fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};  // removed meanwhile
    return system_error(errno, "look at", root_ / key, key);
  }
  if (S_ISLNK(status.st_mode)) {
    if (::fstatat(dir_fd, name, &status, 0) != 0) {
      if (errno == ENOENT || errno == ELOOP) return {};  // dangling: there is no such object
      return system_error(errno, "look at", root_ / key, key);
    }
    if (S_ISDIR(status.st_mode)) {
      return fail(Reason::config_invalid,
                  fmt::format("'{}' is a symbolic link to a directory, which is not followed",
                              (root_ / key).string()),
                  "bind-mount the directory there instead", key);
    }
  }
  if (S_ISREG(status.st_mode)) {
    return state.visit(describe_file(key, status));
  }
  if (S_ISDIR(status.st_mode)) {
    UniqueFd fd(::openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd && errno == ENOENT) return {};
    if (!fd) return system_error(errno, "read directory", root_ / key, key);
    return walk(std::move(fd), key, state);
  }
  return {};
}

Result<ObjectInfo> FileStorage::stat(std::string_view key) {
  if (!well_formed(key)) return bad_key(key);
  const std::filesystem::path path = root_ / key;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return system_error(errno, "find", path, key);
  if (!S_ISREG(status.st_mode)) {
    return fail(Reason::missing_object, fmt::format("'{}' is not a file", path.string()), {},
                std::string(key));
  }
  return describe_file(std::string(key), status);
}

Result<std::unique_ptr<ObjectReader>> FileStorage::open(std::string_view key,
                                                        const OpenOptions& options) {
  if (!well_formed(key)) return bad_key(key);
  const std::filesystem::path path = root_ / key;
  // O_NONBLOCK: a FIFO in the store must not hang the open.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return system_error(errno, "open", path, key);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return system_error(errno, "look at", path, key);
  if (!S_ISREG(status.st_mode)) {
    return fail(Reason::missing_object, fmt::format("'{}' is not a file", path.string()), {},
                std::string(key));
  }
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  if (options.offset > 0 && ::lseek(fd.get(), static_cast<off_t>(options.offset), SEEK_SET) < 0) {
    return system_error(errno, "read", path, key);
  }
  return std::unique_ptr<ObjectReader>(
      std::make_unique<FileReader>(std::move(fd), path, std::string(key), options));
}

Result<std::unique_ptr<Storage>> open_file_storage(std::string_view url) {
  constexpr std::string_view kScheme = "file://";
  const std::string_view rest = url.substr(kScheme.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) {
    return fail(Reason::config_invalid, fmt::format("storage '{}' has no path", url),
                "write file:///path, with three slashes");
  }
  std::string path(rest.substr(slash));
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (path.find('\0') != std::string::npos) {
    return fail(Reason::config_invalid, "the path of the storage holds a NUL byte");
  }
  return std::unique_ptr<Storage>(std::make_unique<FileStorage>(std::move(path)));
}

}  // namespace rad::object_store
