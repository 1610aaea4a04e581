// Any bytes as a stored object: what they are, their packets, their lzop frame, in pieces and on
// several threads with the same result.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "plugins/wal_e/block_pipeline.h"
#include "plugins/wal_e/lzop_frame.h"
#include "plugins/wal_e/openpgp_packets.h"

namespace {

using rad::Result;
using rad::wal_e::BlockPipeline;
using rad::wal_e::LzopReader;
using rad::wal_e::MemorySource;

/// Claims of more than this are valid, and slow under a sanitizer.
constexpr std::size_t kMaxContent = std::size_t{8} << 20U;

std::string decode(std::span<const std::byte> bytes, unsigned threads, std::size_t step) {
  MemorySource source(bytes, step);
  LzopReader reader(source);
  BlockPipeline blocks(reader, threads);
  std::string content;
  for (;;) {
    const Result<std::span<const std::byte>> piece = blocks.next();
    if (!piece) {
      const rad::Error error = piece.error();
      if (rad::info(error.reason).blame != rad::Blame::backup) std::abort();
      return content + error.message;
    }
    if (piece->empty()) return content;
    content.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    if (content.size() > kMaxContent) return "large";
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  rad::wal_e::format_of(bytes);
  rad::wal_e::recipients_of(bytes);
  MemorySource packets(bytes, 7);
  if (!rad::wal_e::walk_packets(packets)) std::abort();
  const std::string content = decode(bytes, 0, 0);
  if (decode(bytes, 0, 5) != content) std::abort();
  if (size < 64 && decode(bytes, 2, 0) != content) std::abort();
  return 0;
}
