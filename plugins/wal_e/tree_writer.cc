#include "plugins/wal_e/tree_writer.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "plugins/wal_e/tar_rules.h"

namespace rad::wal_e {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kFileMode = 0600;
constexpr int kCreate = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct Split {
  std::string_view parent;
  std::string name;
};

Split split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {{}, std::string(path)};
  return {path.substr(0, slash), std::string(path.substr(slash + 1))};
}

}  // namespace

Error TreeWriter::system_error(int error, std::string_view action, std::string_view path) const {
  Error out = fail(Reason::host_unfit,
                   fmt::format("cannot {} '{}' in '{}': {}", action, printable(path, 200),
                               target_.string(), std::generic_category().message(error)));
  switch (error) {
    case ENOSPC: {
      out.reason = Reason::scratch_full;
      const Result<std::uint64_t> free = free_bytes(target_);
      if (free) out.message += fmt::format(" ({} free)", format_bytes(*free));
      out.hint = "make room in scratch, or put scratch_dir on a larger file system";
      break;
    }
    case EDQUOT:
      out.reason = Reason::quota;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      out.reason = Reason::access_denied;
      break;
    case EEXIST:
    case ENOTDIR:
    case ELOOP:
    case EISDIR:
      out.reason = Reason::metadata_invalid;
      out.message +=
          "; the target must be empty, and no member of the backup stand in another's way";
      break;
    case ENOMEM:
      out.reason = Reason::out_of_memory;
      break;
    default:
      break;
  }
  return out;
}

Result<UniqueFd> TreeWriter::open_root(const std::filesystem::path& path) const {
  std::error_code made;
  std::filesystem::create_directories(path.parent_path(), made);
  if (::mkdir(path.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
    return system_error(errno, "make directory", path.string());
  }
  UniqueFd fd(::open(path.c_str(), kOpenDirectory));
  if (!fd) return system_error(errno, "open directory", path.string());
  return fd;
}

Result<TreeWriter> TreeWriter::open(const std::filesystem::path& target,
                                    const Tablespaces& tablespaces) {
  TreeWriter writer;
  writer.target_ = target;
  RAD_TRY(writer.root_, writer.open_root(target));
  for (const auto& [oid, path] : tablespaces) {
    RAD_TRY(UniqueFd root, writer.open_root(path));
    writer.tablespaces_.emplace(oid, std::move(root));
  }
  return writer;
}

Result<TreeWriter::Place> TreeWriter::place_of(std::string_view path) const {
  const std::string_view oid = tablespace_of(path);
  if (oid.empty()) return Place{&root_, path};
  const auto found = tablespaces_.find(oid);
  if (found == tablespaces_.end()) {
    return fail(Reason::metadata_invalid,
                fmt::format("member '{}' belongs to tablespace {}, which the backup's description "
                            "does not name",
                            printable(path, 200), oid));
  }
  const std::size_t below = static_cast<std::size_t>(oid.data() - path.data()) + oid.size() + 1;
  return Place{&found->second, path.substr(std::min(below, path.size()))};
}

/// Owned by the writer, valid until the next call.
Result<int> TreeWriter::directory(const Place& place) {
  if (place.path.empty()) return place.root->get();
  if (last_directory_ && last_root_ == place.root && last_path_ == place.path) {
    return last_directory_.get();
  }
  UniqueFd walked;
  int at = place.root->get();
  for (std::size_t begin = 0; begin < place.path.size();) {
    const std::size_t end = std::min(place.path.find('/', begin), place.path.size());
    const std::string part(place.path.substr(begin, end - begin));
    UniqueFd next(::openat(at, part.c_str(), kOpenDirectory));
    if (!next && errno == ENOENT) {
      if (::mkdirat(at, part.c_str(), kDirectoryMode) != 0 && errno != EEXIST) {
        return system_error(errno, "make directory", place.path.substr(0, end));
      }
      next.reset(::openat(at, part.c_str(), kOpenDirectory));
    }
    if (!next) return system_error(errno, "open directory", place.path.substr(0, end));
    walked = std::move(next);
    at = walked.get();
    begin = end + 1;
  }
  last_root_ = place.root;
  last_path_ = place.path;
  last_directory_ = std::move(walked);
  return last_directory_.get();
}

Result<UniqueFd> TreeWriter::create_file(std::string_view path, std::uint64_t direct_size) {
  RAD_TRY(const Place place, place_of(path));
  const Split parts = split(place.path);
  RAD_TRY(const int parent, directory({place.root, parts.parent}));
  UniqueFd file(::openat(parent, parts.name.c_str(), kCreate, kFileMode));
  if (!file) return system_error(errno, "create", path);
  if (direct_size == 0) return file;
  // Neither has to work: the first is a flag that some file systems refuse, the second saves the
  // writers from excluding one another while the file grows.
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) | O_DIRECT);
  const int failed = ::posix_fallocate(file.get(), 0, static_cast<off_t>(direct_size));
  if (failed == ENOSPC || failed == EDQUOT) return system_error(failed, "make room for", path);
  return file;
}

Status TreeWriter::make_directory(std::string_view path) {
  RAD_TRY(const Place place, place_of(path));
  RAD_CHECK(directory(place));
  return {};
}

Status TreeWriter::link_file(std::string_view path, std::string_view first_name) {
  RAD_TRY(const Place from, place_of(first_name));
  const Split from_parts = split(from.path);
  RAD_TRY(const int from_borrowed, directory({from.root, from_parts.parent}));
  // directory() keeps one descriptor only.
  const UniqueFd from_directory(::fcntl(from_borrowed, F_DUPFD_CLOEXEC, 0));
  if (!from_directory) return system_error(errno, "open directory of", first_name);
  RAD_TRY(const Place to, place_of(path));
  const Split to_parts = split(to.path);
  RAD_TRY(const int to_directory, directory({to.root, to_parts.parent}));
  if (::linkat(from_directory.get(), from_parts.name.c_str(), to_directory, to_parts.name.c_str(),
               0) == 0) {
    return {};
  }
  if (errno == ENOENT) {
    return fail(Reason::metadata_invalid,
                fmt::format("member '{}' is a hard link to '{}', which is not there",
                            printable(path, 200), printable(first_name, 200)));
  }
  if (errno != EXDEV && errno != EPERM && errno != EMLINK) {
    return system_error(errno, "link", path);
  }
  return copy_file(from_directory.get(), from_parts.name, to_directory, to_parts.name, path);
}

Status TreeWriter::copy_file(int from_directory, const std::string& from, int to_directory,
                             const std::string& to, std::string_view path) const {
  const UniqueFd source(::openat(from_directory, from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!source) return system_error(errno, "read the first name of", path);
  const UniqueFd target(::openat(to_directory, to.c_str(), kCreate, kFileMode));
  if (!target) return system_error(errno, "create", path);
  std::vector<std::byte> buffer(std::size_t{256} << 10U);
  for (std::uint64_t offset = 0;;) {
    const ssize_t got = ::read(source.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno, "read the first name of", path);
    if (got == 0) return {};
    const auto size = static_cast<std::size_t>(got);
    RAD_CHECK(write_at(target, offset, {std::span(buffer).first(size), {}}, path));
    offset += size;
  }
}

void TreeWriter::write_through_cache(const UniqueFd& file) noexcept {
  ::fcntl(file.get(), F_SETFL, ::fcntl(file.get(), F_GETFL) & ~O_DIRECT);
}

Status TreeWriter::write_at(const UniqueFd& file, std::uint64_t offset,
                            std::array<std::span<const std::byte>, 2> parts,
                            std::string_view path) const {
  bool through_cache = false;
  while (!parts[0].empty() || !parts[1].empty()) {
    std::array<iovec, 2> vectors{};
    for (std::size_t at = 0; at < parts.size(); ++at) {
      // writev() does not write to its memory.
      vectors[at] = {const_cast<std::byte*>(parts[at].data()), parts[at].size()};
    }
    const ssize_t result =
        ::pwritev(file.get(), vectors.data(), vectors.size(), static_cast<off_t>(offset));
    if (result < 0 && errno == EINTR) continue;
    // Not asked of the file's flags: another thread may have changed them meanwhile.
    if (result < 0 && errno == EINVAL && !std::exchange(through_cache, true)) {
      write_through_cache(file);
      continue;
    }
    if (result < 0) return system_error(errno, "write", path);
    auto written = static_cast<std::size_t>(result);
    offset += written;
    for (std::span<const std::byte>& part : parts) {
      const std::size_t size = std::min(part.size(), written);
      part = part.subspan(size);
      written -= size;
    }
  }
  return {};
}

}  // namespace rad::wal_e
