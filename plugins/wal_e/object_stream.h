// One stored object to its plain content: gpg child (if the bytes are OpenPGP) -> lzop frame.
//
// The content is handed out before the end of the object has been proved (the MDC comes last), so a
// caller must not trust any of it until decode_object() has returned a value. The first cause is
// named: a damaged OpenPGP stream makes the LZO frame fail too, and the reason is decrypt_failed.
// Formats: shared facts in docs/design.md; lzop 1.04, RFC 4880.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"
#include "plugins/wal_e/block_pipeline.h"

namespace rad::wal_e {

/// What decoding needs to know of the host.
struct DecodeContext {
  std::filesystem::path gnupg_home;  ///< private, short, writable keyring of this run; "": no key
  std::filesystem::path gpg = "gpg";
  unsigned decoders = 1;  ///< threads that decompress blocks of one object; 1: the caller's own
  /// Of one object's blocks, compressed and decoded, that may be in memory.
  std::size_t buffer_bytes = BlockPipeline::kMaxBytes;
  /// Longest wait for the next byte from gpg or the storage: a gpg-agent that does not answer is
  /// key_unavailable, a storage that does not is `timeout`.
  std::chrono::milliseconds patience = std::chrono::minutes(2);
  std::stop_token stop;  ///< reading ends with Reason::cancelled soon after a request
};

struct DecodedInfo {
  bool encrypted = false;
  std::vector<std::string> key_ids;    ///< recipients named in the object (16 hex digits)
  std::vector<std::string> gpg_notes;  ///< e.g. "key expired", from gpg's status lines
  std::uint64_t stored_bytes = 0;      ///< read from storage
  std::uint64_t plain_bytes = 0;       ///< after decompression
};

/// Takes the content piece by piece, in order, on the calling thread. An Error ends the decoding.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

/// What the first bytes of an object say: seconds for a whole store, nothing is decrypted.
struct ObjectHead {
  bool encrypted = false;
  std::vector<std::string> key_ids;  ///< recipients (16 hex digits), those of the first 8 KiB
};
/// \return truncated for an empty object, decompress_failed if it is neither lzop nor OpenPGP,
///   decrypt_failed if it looks like OpenPGP with a damaged first byte, or the storage's error.
Result<ObjectHead> read_head(object_store::Storage& storage,
                             const object_store::ObjectInfo& listed);

/// The same as decode_object(), pulled. One thread at a time, except stored_bytes().
class ObjectReader {
 public:
  static Result<std::unique_ptr<ObjectReader>> open(object_store::Storage& storage,
                                                    const object_store::ObjectInfo& listed,
                                                    const DecodeContext& context);
  ~ObjectReader();

  /// The next piece of content, page-aligned, valid until the next call. Empty: the object has been
  /// read to its proved end and info() is complete.
  Result<std::span<const std::byte>> next();

  /// What next() has returned last stays valid as long as this lives, which must end before this
  /// object's does.
  BlockPipeline::Hold hold();

  /// For a fault that the caller found in the content: reads the ciphertext to its end, so that
  /// damage there is named as the first cause. \return that, else `found` with the object's name.
  Error first_cause(Error found);

  const DecodedInfo& info() const noexcept;
  /// Bytes as stored that have been taken in so far. Any thread.
  std::uint64_t stored_bytes() const noexcept;

 private:
  struct Impl;
  explicit ObjectReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Reads one object to its proved end: length equal to `listed.size`, MDC, every block's checksums,
/// end mark, nothing after it.
/// \return the reason of the first cause with object name and, where known, byte offset as stored:
///   truncated, decrypt_failed, key_unavailable, decompress_failed, checksum_mismatch,
///   missing_object, backup_removed (it has grown since it was listed), access_denied,
///   storage_unreachable, timeout, tool_missing, cancelled, or the sink's.
/// An object that is neither lzop nor OpenPGP is decompress_failed: in a store whose other objects
/// are encrypted the caller may know better.
Result<DecodedInfo> decode_object(object_store::Storage& storage,
                                  const object_store::ObjectInfo& listed,
                                  const DecodeContext& context, const ByteSink& sink);

/// Whether an object must be read once more before the error counts: faults of the content, and
/// key_unavailable, which gpg says of a damaged packet and of an agent that was killed alike.
bool worth_reading_again(const Error& error);

}  // namespace rad::wal_e
