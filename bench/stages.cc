// The stages of the stream, each alone, on content that is made here: half words, half zeros and
// counters, as pages of a cluster are.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <lzo/lzo1x.h>

#include "agent/base/unique_fd.h"
#include "plugins/wal_e/lzo1x.h"
#include "plugins/wal_e/page_checksum.h"
#include "plugins/wal_e/tar_stream.h"

namespace {

using rad::wal_e::kLzoSlack;
constexpr std::size_t kBlock = 256U << 10U;
constexpr std::size_t kPage = 8192;

std::vector<std::byte> content() {
  constexpr std::array<const char*, 8> kWords{"restore ", "appreciation ", "day ", "proves ",
                                              "that ",    "backups ",      "can ", "be restored "};
  std::vector<std::byte> bytes(kBlock + kLzoSlack);
  std::uint32_t random = 1;
  for (std::size_t page = 0; page < kBlock; page += kPage) {
    for (std::size_t at = 24; at < kPage / 2;) {
      random = random * 1664525U + 1013904223U;
      const char* const word = kWords[random >> 29U];
      const std::size_t size = std::min(std::strlen(word), kPage / 2 - at);
      std::memcpy(bytes.data() + page + at, word, size);
      at += size;
    }
    for (std::size_t at = kPage / 2; at < kPage; at += 32) {
      std::memcpy(bytes.data() + page + at, &at, sizeof at);
    }
  }
  return bytes;
}

std::vector<std::byte> compressed(const std::vector<std::byte>& plain) {
  std::vector<std::byte> stored(kBlock + kBlock / 16 + 67 + kLzoSlack);
  std::vector<unsigned char> memory(LZO1X_1_MEM_COMPRESS);
  lzo_uint size = 0;
  lzo1x_1_compress(reinterpret_cast<const unsigned char*>(plain.data()), kBlock,
                   reinterpret_cast<unsigned char*>(stored.data()), &size, memory.data());
  stored.resize(size + kLzoSlack);
  return stored;
}

void count_bytes(benchmark::State& state, std::size_t each) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * each));
}

void lzo_decode(benchmark::State& state) {
  const auto stored = compressed(content());
  std::vector<std::byte> plain(kBlock + kLzoSlack);
  for (auto _ : state) {
    const bool whole = rad::wal_e::lzo1x_decode(std::span(stored).first(stored.size() - kLzoSlack),
                                                std::span(plain).first(kBlock));
    if (!whole) state.SkipWithError("the block is refused");
  }
  count_bytes(state, kBlock);
}
BENCHMARK(lzo_decode);

void lzo_decode_liblzo2(benchmark::State& state) {
  const auto stored = compressed(content());
  std::vector<std::byte> plain(kBlock);
  for (auto _ : state) {
    lzo_uint size = kBlock;
    lzo1x_decompress_safe(reinterpret_cast<const unsigned char*>(stored.data()),
                          stored.size() - kLzoSlack, reinterpret_cast<unsigned char*>(plain.data()),
                          &size, nullptr);
    benchmark::DoNotOptimize(plain.data());
  }
  count_bytes(state, kBlock);
}
BENCHMARK(lzo_decode_liblzo2);

void adler32(benchmark::State& state) {
  const auto bytes = content();
  for (auto _ : state) benchmark::DoNotOptimize(libdeflate_adler32(1, bytes.data(), kBlock));
  count_bytes(state, kBlock);
}
BENCHMARK(adler32);

void page_checksums(benchmark::State& state) {
  const auto bytes = content();
  for (auto _ : state) {
    for (std::size_t at = 0; at < kBlock; at += kPage) {
      benchmark::DoNotOptimize(rad::wal_e::page_checksum(bytes.data() + at, 1));
    }
  }
  count_bytes(state, kBlock);
}
BENCHMARK(page_checksums);

/// \return a ustar archive of files of `size` bytes, without its end mark.
std::vector<std::byte> archive(std::size_t files, std::size_t size) {
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at < files; ++at) {
    std::array<char, 512> header{};
    std::snprintf(header.data(), 100, "base/1/%zu", at);
    std::snprintf(header.data() + 100, 8, "0000600");
    std::snprintf(header.data() + 124, 12, "%011zo", size);
    std::memcpy(header.data() + 148, "        ", 8);
    header[156] = '0';
    std::memcpy(header.data() + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    std::snprintf(header.data() + 148, 8, "%06o", sum);
    const auto* begin = reinterpret_cast<const std::byte*>(header.data());
    bytes.insert(bytes.end(), begin, begin + header.size());
    bytes.resize(bytes.size() + (size + 511) / 512 * 512);
  }
  bytes.resize(bytes.size() + 1024);
  return bytes;
}

void tar_members(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const std::size_t files = (std::size_t{16} << 20U) / (size + 512);
  const auto bytes = archive(files, size);
  for (auto _ : state) {
    bool given = false;
    rad::wal_e::TarStream tar([&]() -> rad::Result<std::span<const std::byte>> {
      return std::exchange(given, true) ? std::span<const std::byte>() : std::span(bytes);
    });
    rad::wal_e::TarMember member;
    std::size_t seen = 0;
    for (;;) {
      const auto more = tar.next(member);
      if (!more || !*more) break;
      ++seen;
      for (auto piece = tar.data(); piece && !piece->empty(); piece = tar.data()) {
      }
    }
    if (seen != files) state.SkipWithError("members are missing");
  }
  count_bytes(state, bytes.size());
}
BENCHMARK(tar_members)->Arg(8192)->Arg(1 << 20);

/// 64 MiB into a file of the present directory: through the page cache (0) or past it (1).
void write_file(benchmark::State& state) {
  constexpr std::size_t kPiece = 2U << 20U;
  constexpr std::size_t kSize = 64U << 20U;
  const std::string path = "rad-bench-write.tmp";
  void* const memory = std::aligned_alloc(kPiece, kPiece);
  std::memset(memory, 1, kPiece);
  for (auto _ : state) {
    const int direct = state.range(0) != 0 ? O_DIRECT : 0;
    const rad::UniqueFd file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | direct, 0600));
    if (direct != 0) (void)::posix_fallocate(file.get(), 0, kSize);
    for (std::size_t at = 0; at < kSize; at += kPiece) {
      if (::pwrite(file.get(), memory, kPiece, static_cast<off_t>(at)) < 0) {
        state.SkipWithError("cannot write here");
        break;
      }
    }
    state.PauseTiming();
    std::filesystem::remove(path);
    state.ResumeTiming();
  }
  std::free(memory);
  count_bytes(state, kSize);
}
BENCHMARK(write_file)->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
