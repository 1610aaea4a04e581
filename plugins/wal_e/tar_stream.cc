#include "plugins/wal_e/tar_stream.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <locale.h>
#include <sys/stat.h>

#include "agent/base/text.h"

namespace rad::wal_e {
namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kEndMark = 2 * kBlock;

/// libarchive converts names from PAX's UTF-8 to the thread's locale: in the C locale it would
/// replace what is not ASCII, and two names could become one.
class Utf8Locale {
 public:
  Utf8Locale() : before_(::uselocale(shared())) {}
  ~Utf8Locale() { ::uselocale(before_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t shared() {
    static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
  }
  locale_t before_;
};

std::size_t trailing_zeros(std::span<const std::byte> bytes) {
  std::size_t end = bytes.size();
  while (end > 0 && bytes[end - 1] == std::byte{0}) {
    // Whole blocks of zeros at once: relations have many.
    if (end > kBlock && bytes[end - kBlock] == std::byte{0} &&
        std::memcmp(bytes.data() + end - kBlock, bytes.data() + end - kBlock + 1, kBlock - 1) ==
            0) {
      end -= kBlock;
    } else {
      --end;
    }
  }
  return bytes.size() - end;
}

std::string text_or_empty(const char* text) {
  return text == nullptr ? std::string() : text;
}

}  // namespace

struct TarStream::Impl {
  explicit Impl(Pull pull_in) : pull(std::move(pull_in)) {}
  ~Impl() { archive_read_free(handle); }

  static la_ssize_t read(archive* reader, void* self, const void** buffer);
  Status open();
  Status prove_end();
  Error fault(std::string_view doing);
  Result<std::span<const std::byte>> take();
  void describe(TarMember& member, archive_entry* entry) const;

  Pull pull;
  archive* handle = nullptr;
  std::optional<Error> pull_error;
  bool stream_ended = false;
  std::uint64_t total = 0;      ///< bytes pulled
  std::uint64_t zero_tail = 0;  ///< zeros at the end of what was pulled
  std::string last_name;
  std::uint64_t member_size = 0;
  std::uint64_t member_done = 0;
  bool member_is_file = false;
};

Result<std::span<const std::byte>> TarStream::Impl::take() {
  if (stream_ended) return std::span<const std::byte>{};
  Result<std::span<const std::byte>> piece = pull();
  if (!piece) {
    pull_error = piece.error();
    return piece;
  }
  stream_ended = piece->empty();
  total += piece->size();
  const std::size_t zeros = trailing_zeros(*piece);
  zero_tail = zeros == piece->size() ? zero_tail + zeros : zeros;
  return piece;
}

la_ssize_t TarStream::Impl::read(archive* reader, void* self, const void** buffer) {
  Impl& impl = *static_cast<Impl*>(self);
  const Result<std::span<const std::byte>> piece = impl.take();
  if (!piece) {
    archive_set_error(reader, EIO, "the stream has an error");
    return -1;
  }
  *buffer = piece->data();
  return static_cast<la_ssize_t>(piece->size());
}

Status TarStream::Impl::open() {
  handle = archive_read_new();
  if (handle == nullptr) return fail(Reason::out_of_memory, "there is no memory to read a tar");
  const bool ready = archive_read_support_filter_none(handle) == ARCHIVE_OK &&
                     archive_read_support_format_tar(handle) == ARCHIVE_OK;
  if (!ready) return fail(Reason::library_missing, "libarchive cannot read tar");
  if (archive_read_open(handle, this, nullptr, &Impl::read, nullptr) != ARCHIVE_OK) {
    return fault("begins");
  }
  return {};
}

/// Names the fault by where the stream stood: its own text is only detail.
Error TarStream::Impl::fault(std::string_view doing) {
  if (pull_error) return *pull_error;
  const la_int64_t at = handle == nullptr ? 0 : archive_read_header_position(handle);
  const std::string after = last_name.empty()
                                ? std::string()
                                : fmt::format(" after member '{}'", printable(last_name, 200));
  Error error;
  if (stream_ended) {
    error = fail(Reason::truncated,
                 fmt::format("the tar ends at byte {} of the decoded stream{}, before its end mark",
                             total, after));
  } else {
    error = fail(
        Reason::metadata_invalid,
        fmt::format("bad tar header at byte {} of the decoded stream{} ({})", at, after, doing));
  }
  error.detail = text_or_empty(archive_error_string(handle));
  return error;
}

Status TarStream::Impl::prove_end() {
  const auto end = static_cast<std::uint64_t>(archive_read_header_position(handle));
  for (;;) {
    RAD_TRY(const std::span<const std::byte> piece, take());
    if (piece.empty()) break;
  }
  const std::uint64_t rest = total - std::min(end, total);
  if (rest < kEndMark && zero_tail >= rest) {
    return fail(
        Reason::truncated,
        fmt::format("the tar ends at byte {} of the decoded stream after member '{}' with {} "
                    "bytes of its end mark, which has {}",
                    total, printable(last_name, 200), rest, kEndMark));
  }
  if (zero_tail < rest) {
    return fail(
        Reason::metadata_invalid,
        fmt::format("bad tar header at byte {} of the decoded stream after member '{}': zeros "
                    "that are no end mark, {} bytes before the end",
                    end, printable(last_name, 200), rest));
  }
  if (total % kBlock != 0) {
    return fail(Reason::truncated,
                fmt::format("the tar has {} bytes, which is no multiple of {}", total, kBlock));
  }
  return {};
}

void TarStream::Impl::describe(TarMember& member, archive_entry* entry) const {
  member.name = text_or_empty(archive_entry_pathname(entry));
  member.size = 0;
  member.link.clear();
  member.sparse = archive_entry_sparse_count(entry) > 0;
  member.offset = static_cast<std::uint64_t>(archive_read_header_position(handle));
  if (const char* target = archive_entry_hardlink(entry); target != nullptr) {
    member.type = TarType::hardlink;
    member.link = target;
    return;
  }
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      member.type = TarType::file;
      member.size = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
      break;
    case AE_IFDIR:
      member.type = TarType::directory;
      break;
    case AE_IFLNK:
      member.type = TarType::symlink;
      member.link = text_or_empty(archive_entry_symlink(entry));
      break;
    default:
      member.type = TarType::other;
      break;
  }
}

TarStream::TarStream(Pull pull) : impl_(std::make_unique<Impl>(std::move(pull))) {}
TarStream::~TarStream() = default;

Result<bool> TarStream::next(TarMember& member) {
  const Utf8Locale locale;
  if (impl_->handle == nullptr) RAD_CHECK(impl_->open());
  archive_entry* entry = nullptr;
  const int result = archive_read_next_header(impl_->handle, &entry);
  if (impl_->pull_error) return *impl_->pull_error;
  if (result == ARCHIVE_EOF) {
    RAD_CHECK(impl_->prove_end());
    return false;
  }
  if (result < ARCHIVE_WARN) return impl_->fault("it cannot be read");
  const std::string warning =
      result == ARCHIVE_WARN ? text_or_empty(archive_error_string(impl_->handle)) : std::string();
  // Owner names that cannot be converted do not matter, a member's own name does.
  if (warning.find("athname") != std::string::npos ||
      warning.find("inkname") != std::string::npos) {
    return impl_->fault("its name cannot be read");
  }
  impl_->describe(member, entry);
  if (member.name.empty() && member.type != TarType::directory) {
    return impl_->fault("it has no name");
  }
  impl_->last_name = member.name;
  impl_->member_is_file = member.type == TarType::file;
  impl_->member_size = member.size;
  impl_->member_done = 0;
  return true;
}

Result<std::span<const std::byte>> TarStream::data() {
  if (!impl_->member_is_file) return std::span<const std::byte>{};
  const Utf8Locale locale;
  for (;;) {
    const void* buffer = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(impl_->handle, &buffer, &size, &offset);
    if (impl_->pull_error) return *impl_->pull_error;
    if (result < ARCHIVE_WARN) return impl_->fault("its data cannot be read");
    const bool in_order = result == ARCHIVE_EOF
                              ? impl_->member_done == impl_->member_size
                              : static_cast<std::uint64_t>(offset) == impl_->member_done;
    if (!in_order) {
      return fail(Reason::unsafe_content, fmt::format("member '{}' claims holes in its data",
                                                      printable(impl_->last_name, 200)));
    }
    if (result == ARCHIVE_EOF) return std::span<const std::byte>{};
    if (size == 0) continue;
    impl_->member_done += size;
    return std::span(static_cast<const std::byte*>(buffer), size);
  }
}

}  // namespace rad::wal_e
