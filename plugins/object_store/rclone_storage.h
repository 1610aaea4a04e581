// Anything that rclone reads: one `rclone rcd --rc-serve` a storage, on a loopback port of its own.
//
// Proved with rclone 1.60: it answers a missing object with 404 and understands ranges (its `cat`
// does neither). The configuration with its secrets goes by a descriptor, the password of this one
// run by another; neither is in an argument, in the environment or in a file.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "plugins/object_store/open_storage.h"
#include "plugins/object_store/storage.h"

namespace rad::object_store {

/// A remote's objects. rclone gives a listing as a whole: one of more than 64 MiB (about 300 000
/// objects) is an error. What rclone says of its own troubles is text: only "missing" is told apart
/// for sure, "denied" by its words.
class RcloneStorage final : public Storage {
 public:
  /// \param place   "remote:path"; \param config  content of rclone.conf.
  RcloneStorage(std::string place, std::string config, const TransportOptions& options);
  ~RcloneStorage() override;

  Status visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) override;
  Result<ObjectInfo> stat(std::string_view key) override;
  /// The reader must not outlive this.
  Result<std::unique_ptr<ObjectReader>> open(std::string_view key,
                                             const OpenOptions& options) override;
  std::string describe() const override;

 private:
  class Daemon;

  Result<std::string> ask(std::string_view command, std::string_view remote, bool recurse,
                          const std::stop_token& stop);

  std::string place_;
  std::shared_ptr<HttpTransport> transport_;
  std::unique_ptr<Daemon> daemon_;
};

/// \param url  rclone://remote/path; `variables` has RCLONE_CONFIG, the path of rclone.conf.
Result<OpenedStorage> open_rclone_storage(std::string_view url, const Variables& variables,
                                          const TransportOptions& options);

/// Text of rclone without what may be a signature in a URL.
std::string without_queries(std::string_view text);

}  // namespace rad::object_store
