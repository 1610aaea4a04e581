#include "tests/unit/store/power_cut_disk.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include <sqlite3.h>

namespace rad::test {
namespace {

constexpr std::int64_t kSector = 512;

/// What SQLite allocates for us for each open file.
struct OpenFile {
  sqlite3_file base;
  PowerCutDisk* disk;
  void* file;
};

}  // namespace

struct PowerCutDisk::Vfs {
  sqlite3_vfs vfs{};
};

/// SQLite's view of the disk.
struct PowerCutFileMethods {
  using File = PowerCutDisk::File;
  static PowerCutDisk& disk(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file)->disk; }
  static std::shared_ptr<File>& file(sqlite3_file* file) {
    return *static_cast<std::shared_ptr<File>*>(reinterpret_cast<OpenFile*>(file)->file);
  }

  static int close(sqlite3_file* handle) {
    delete &file(handle);
    return SQLITE_OK;
  }
  static int read(sqlite3_file* handle, void* to, int size, sqlite3_int64 offset) {
    const std::string& content = file(handle)->now;
    const auto length = static_cast<sqlite3_int64>(content.size());
    const auto there = std::clamp<sqlite3_int64>(length - offset, 0, size);
    std::memset(to, 0, static_cast<std::size_t>(size));
    if (there > 0) std::memcpy(to, content.data() + offset, static_cast<std::size_t>(there));
    return there < size ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
  }
  static int write(sqlite3_file* handle, const void* from, int size, sqlite3_int64 offset) {
    PowerCutDisk::Change change{
        offset, false, std::string(static_cast<const char*>(from), static_cast<std::size_t>(size))};
    PowerCutDisk::apply(file(handle)->now, change);
    file(handle)->pending.push_back(std::move(change));
    disk(handle).changed();
    return SQLITE_OK;
  }
  static int truncate(sqlite3_file* handle, sqlite3_int64 size) {
    PowerCutDisk::Change change{size, true, {}};
    PowerCutDisk::apply(file(handle)->now, change);
    file(handle)->pending.push_back(std::move(change));
    disk(handle).changed();
    return SQLITE_OK;
  }
  static int sync(sqlite3_file* handle, int) {
    if (!disk(handle).ignores_syncs_) {
      file(handle)->durable = file(handle)->now;
      file(handle)->durably_there = true;
      file(handle)->pending.clear();
    }
    disk(handle).changed();
    return SQLITE_OK;
  }
  static int size(sqlite3_file* handle, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(file(handle)->now.size());
    return SQLITE_OK;
  }
  static int lock(sqlite3_file*, int) { return SQLITE_OK; }
  static int check_reserved(sqlite3_file*, int* out) {
    *out = 0;
    return SQLITE_OK;
  }
  static int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
  static int sector_size(sqlite3_file*) { return 4096; }
  static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }
  static int shm_map(sqlite3_file* handle, int region, int size, int, void volatile** out) {
    auto& regions = file(handle)->shared_memory;
    while (regions.size() <= static_cast<std::size_t>(region)) {
      regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    }
    *out = regions[static_cast<std::size_t>(region)].get();
    return SQLITE_OK;
  }
  static int shm_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
  static void shm_barrier(sqlite3_file*) {}
  static int shm_unmap(sqlite3_file* handle, int) {
    file(handle)->shared_memory.clear();
    return SQLITE_OK;
  }

  static PowerCutDisk& disk(sqlite3_vfs* vfs) { return *static_cast<PowerCutDisk*>(vfs->pAppData); }
  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* handle, int flags, int* out) {
    static const sqlite3_io_methods kMethods{2,
                                             close,
                                             read,
                                             write,
                                             truncate,
                                             sync,
                                             size,
                                             lock,
                                             lock,
                                             check_reserved,
                                             control,
                                             sector_size,
                                             characteristics,
                                             shm_map,
                                             shm_lock,
                                             shm_barrier,
                                             shm_unmap,
                                             nullptr,
                                             nullptr};
    auto* opened = reinterpret_cast<OpenFile*>(handle);
    opened->base.pMethods = nullptr;
    auto& files = disk(vfs).files_;
    auto found = name == nullptr ? files.end() : files.find(name);
    if (name != nullptr && found == files.end()) {
      if ((flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
      found = files.emplace(name, std::make_shared<File>()).first;
    }
    opened->disk = &disk(vfs);
    opened->file =
        new std::shared_ptr<File>(name == nullptr ? std::make_shared<File>() : found->second);
    opened->base.pMethods = &kMethods;
    if (out != nullptr) *out = flags;
    return SQLITE_OK;
  }
  static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
    auto& files = disk(vfs).files_;
    const auto found = files.find(name);
    if (found == files.end()) return SQLITE_IOERR_DELETE_NOENT;
    if (found->second->durably_there) disk(vfs).removed_[name] = found->second;
    files.erase(found);
    if (sync_directory != 0 && !disk(vfs).ignores_syncs_) disk(vfs).removed_.clear();
    disk(vfs).changed();
    return SQLITE_OK;
  }
  static int access(sqlite3_vfs* vfs, const char* name, int, int* out) {
    *out = disk(vfs).files_.count(name) != 0 ? 1 : 0;
    return SQLITE_OK;
  }
  static int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }
};

PowerCutDisk::PowerCutDisk(const DiskImage& image) : vfs_(std::make_unique<Vfs>()) {
  static std::atomic<std::uint64_t> number{0};
  name_ = "power_cut_" + std::to_string(++number);
  for (const auto& [name, content] : image) {
    auto file = std::make_shared<File>();
    file->now = file->durable = content;
    file->durably_there = true;
    files_.emplace(name, std::move(file));
  }
  const sqlite3_vfs* real = sqlite3_vfs_find(nullptr);
  sqlite3_vfs& vfs = vfs_->vfs;
  vfs = *real;
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(OpenFile);
  vfs.pNext = nullptr;
  vfs.zName = name_.c_str();
  vfs.pAppData = this;
  vfs.xOpen = PowerCutFileMethods::open;
  vfs.xDelete = PowerCutFileMethods::remove;
  vfs.xAccess = PowerCutFileMethods::access;
  vfs.xFullPathname = PowerCutFileMethods::full_path;
  sqlite3_vfs_register(&vfs, 0);
}

PowerCutDisk::~PowerCutDisk() {
  sqlite3_vfs_unregister(&vfs_->vfs);
}

void PowerCutDisk::changed() {
  ++changes_;
  if (hook_) hook_();
}

void PowerCutDisk::apply(std::string& content, const Change& change) {
  if (change.length) {
    content.resize(static_cast<std::size_t>(change.offset));
    return;
  }
  const auto end = static_cast<std::size_t>(change.offset) + change.bytes.size();
  if (content.size() < end) content.resize(end);
  content.replace(static_cast<std::size_t>(change.offset), change.bytes.size(), change.bytes);
}

void PowerCutDisk::apply_some(std::string& content, const Change& change, std::mt19937_64& random) {
  if (change.length) {
    if (random() % 2 == 0) apply(content, change);
    return;
  }
  const auto end = change.offset + static_cast<std::int64_t>(change.bytes.size());
  for (std::int64_t at = change.offset; at < end;) {
    const std::int64_t next = std::min(end, (at / kSector + 1) * kSector);
    if (random() % 2 == 0) {
      apply(content, {at, false,
                      change.bytes.substr(static_cast<std::size_t>(at - change.offset),
                                          static_cast<std::size_t>(next - at))});
    }
    at = next;
  }
}

DiskImage PowerCutDisk::cut(Survival survival, std::mt19937_64& random) const {
  const auto happens = [&] {
    return survival == Survival::all || (survival == Survival::some && random() % 2 == 0);
  };
  DiskImage image;
  for (const auto& [name, file] : removed_) {
    if (!happens()) image[name] = file->durable;
  }
  for (const auto& [name, file] : files_) {
    if (!file->durably_there && !happens()) continue;
    std::string content = file->durable;
    for (const Change& change : file->pending) {
      if (survival == Survival::all) apply(content, change);
      if (survival == Survival::some) apply_some(content, change, random);
    }
    image[name] = std::move(content);
  }
  return image;
}

}  // namespace rad::test
