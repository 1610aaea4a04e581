// Our LZO1X decoder beside liblzo2's: the same answer and the same bytes, for what liblzo2 has
// compressed (whole, and with a byte changed) and for any bytes as a stream.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include <lzo/lzo1x.h>

#include "plugins/wal_e/lzo1x.h"

namespace {

using rad::wal_e::kLzoSlack;

/// Exactly as large as promised, so that the sanitizer sees one byte too far.
struct Buffer {
  explicit Buffer(std::size_t size_in)
      : size(size_in), bytes(new unsigned char[size_in + kLzoSlack]) {}
  std::size_t size;
  std::unique_ptr<unsigned char[]> bytes;
};

bool by_library(const unsigned char* stored, std::size_t size, Buffer& plain) {
  lzo_uint written = plain.size;
  const int result = lzo1x_decompress_safe(stored, size, plain.bytes.get(), &written, nullptr);
  return result == LZO_E_OK && written == plain.size;
}

bool compare(const unsigned char* stored, std::size_t size, std::size_t plain_size) {
  Buffer input(size);
  std::memcpy(input.bytes.get(), stored, size);
  std::memset(input.bytes.get() + size, size % 2 == 0 ? 0x11 : 0xFF, kLzoSlack);
  Buffer wanted(plain_size);
  Buffer found(plain_size);
  std::memset(found.bytes.get(), 0x5A, plain_size + kLzoSlack);
  const bool whole = by_library(input.bytes.get(), size, wanted);
  const auto ours =
      rad::wal_e::lzo1x_decode(std::as_bytes(std::span(input.bytes.get(), size)),
                               std::as_writable_bytes(std::span(found.bytes.get(), plain_size)));
  if (ours != whole) std::abort();
  if (whole && std::memcmp(wanted.bytes.get(), found.bytes.get(), plain_size) != 0) std::abort();
  return whole;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::size_t claimed = data[0] | static_cast<std::size_t>(data[1]) << 8U;
  const std::size_t place = data[2];
  const unsigned char value = data[3];
  data += 4;
  size -= 4;
  compare(data, size, claimed);
  // A stream of any bytes is seldom whole: learn how long it is, and ask for that length.
  {
    Buffer plain(std::size_t{1} << 20U);
    lzo_uint written = plain.size;
    if (lzo1x_decompress_safe(data, size, plain.bytes.get(), &written, nullptr) == LZO_E_OK &&
        !compare(data, size, written)) {
      std::abort();
    }
  }
  static std::vector<unsigned char> memory(LZO1X_1_MEM_COMPRESS);
  std::vector<unsigned char> stored(size + size / 16 + 67);
  lzo_uint stored_size = stored.size();
  if (lzo1x_1_compress(data, size, stored.data(), &stored_size, memory.data()) != LZO_E_OK) {
    std::abort();
  }
  if (!compare(stored.data(), stored_size, size)) std::abort();
  stored[place % stored_size] ^= value;
  compare(stored.data(), stored_size, size);
  return 0;
}
