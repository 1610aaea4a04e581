// PostgreSQL's page checksum (versions 9.3 to 17), fast, and pages in a stream of bytes.
//
// The formula is that of PostgreSQL's storage/checksum_impl.h: 32 parallel FNV-1a-like sums over
// the page's 32-bit little-endian words, two rounds of zeros, the sums xor-ed, the page's number
// xor-ed in, reduced modulo 65535 and one added; the checksum field itself counts as zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "plugins/wal_e/relation_file.h"

namespace rad::wal_e {

/// \param page  kPageSize bytes, any alignment.  \param number  of the page in its fork.
std::uint16_t page_checksum(const std::byte* page, std::uint32_t number) noexcept;

enum class PageState : std::uint8_t {
  empty,  ///< all zero: never written
  unset,  ///< not empty, but its checksum field is 0
  good,
  bad,  ///< also a page with zero as its free-space end that is not all zero: no server takes it
};
PageState check_page(const std::byte* page, std::uint32_t number) noexcept;

/// Pages of one relation file whose bytes come in pieces of any size.
class PageScanner {
 public:
  struct Odd {
    std::uint64_t page;  ///< number in the fork, segments counted
    bool partial;        ///< the file ends inside it
  };

  explicit PageScanner(std::uint64_t first_page) : next_page_(first_page) {}
  void feed(std::span<const std::byte> bytes);
  /// At the file's end: an incomplete page is bad.
  void finish();

  std::uint64_t checked = 0;  ///< pages with a checksum, good and bad
  std::uint64_t unset = 0;
  std::uint64_t empty = 0;
  std::vector<Odd> bad_pages;    ///< at most kMaxOdd, see `cut`
  std::vector<Odd> unset_pages;  ///< likewise
  bool cut = false;              ///< one of the lists left pages out
  static constexpr std::size_t kMaxOdd = 100'000;

 private:
  void judge(const std::byte* page);

  std::uint64_t next_page_;
  std::vector<std::byte> partial_;  ///< a page that goes on in the next piece
};

}  // namespace rad::wal_e
