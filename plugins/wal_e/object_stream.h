// One stored object to its plain content: gpg child (if the bytes are OpenPGP) -> lzop frame.
//
// The content is handed out before the end of the object has been proved (the MDC comes last), so a
// caller must not trust any of it until decode_object() has returned a value. The first cause is
// named: a damaged OpenPGP stream makes the LZO frame fail too, and the reason is decrypt_failed.
// Formats: shared facts in docs/design.md; lzop 1.04, RFC 4880.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/base/error.h"
#include "plugins/object_store/storage.h"

namespace rad::wal_e {

/// What decoding needs to know of the host.
struct DecodeContext {
  std::filesystem::path gnupg_home;  ///< private, short, writable keyring of this run; "": no key
  std::filesystem::path gpg = "gpg";
  unsigned decoders = 1;  ///< threads that decompress blocks of one object
  std::stop_token stop;   ///< reading ends with Reason::cancelled soon after a request
};

struct DecodedInfo {
  bool encrypted = false;
  std::vector<std::string> key_ids;  ///< recipients named in the object (16 hex digits)
  std::vector<std::string> gpg_notes;  ///< e.g. "key expired", from gpg's status lines
  std::uint64_t stored_bytes = 0;    ///< read from storage
  std::uint64_t plain_bytes = 0;     ///< after decompression
};

/// Takes the content piece by piece, in order, on the calling thread. An Error ends the decoding.
using ByteSink = std::function<Status(std::span<const std::byte>)>;

/// Reads one object to its proved end: length equal to `listed.size`, MDC, every block's checksums,
/// end mark, nothing after it.
/// \return the reason of the first cause with object name and, where known, byte offset as stored:
///   truncated, decrypt_failed, key_unavailable, decompress_failed, checksum_mismatch,
///   missing_object, access_denied, storage_unreachable, tool_missing, cancelled, or the sink's.
Result<DecodedInfo> decode_object(object_store::Storage& storage,
                                  const object_store::ObjectInfo& listed,
                                  const DecodeContext& context, const ByteSink& sink);

}  // namespace rad::wal_e
