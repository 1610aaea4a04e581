#include "plugins/wal_e/object_stream.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "agent/base/child_process.h"
#include "plugins/wal_e/byte_source.h"
#include "plugins/wal_e/gpg_decrypt.h"
#include "plugins/wal_e/lzop_frame.h"
#include "plugins/wal_e/openpgp_packets.h"
#include "plugins/wal_e/stored_feed.h"

namespace rad::wal_e {
namespace {

using object_store::ObjectInfo;
using object_store::Storage;

Error about(const ObjectInfo& object, Error error) {
  error.object = object.key;
  return std::move(error).within(fmt::format("object '{}'", object.key));
}

Result<ObjectFormat> known_format(std::span<const std::byte> head) {
  const ObjectFormat format = format_of(head);
  if (format == ObjectFormat::damaged_openpgp) {
    Error error =
        fail(Reason::decrypt_failed,
             fmt::format("its first byte is {:02x}, which begins no OpenPGP packet, but a "
                         "session key follows",
                         std::to_integer<unsigned>(head[0])));
    error.offset = 0;
    return error;
  }
  if (format == ObjectFormat::unknown) {
    std::string bytes;
    for (const std::byte byte : head.first(std::min<std::size_t>(head.size(), 9))) {
      bytes += fmt::format("{:02x} ", std::to_integer<unsigned>(byte));
    }
    if (!bytes.empty()) bytes.pop_back();
    Error error =
        fail(Reason::decompress_failed,
             fmt::format("it is neither an lzop stream nor OpenPGP (first bytes {})", bytes));
    error.offset = 0;
    return error;
  }
  return format;
}

/// Only faults of the content may have an earlier cause in the ciphertext.
bool blames_content(const Error& error) {
  return info(error.reason).blame == Blame::backup;
}

}  // namespace

struct ObjectReader::Impl {
  Impl(Storage& storage_in, ObjectInfo listed_in, const DecodeContext& context_in,
       StopSignal signal)
      : storage(storage_in),
        listed(std::move(listed_in)),
        context(context_in),
        stop(std::move(signal)),
        on_stop(context.stop, [this] { stop.raise(); }) {}

  ~Impl() {
    stop.raise();
    if (gpg) gpg->kill();
    blocks.reset();
  }

  Status begin();
  Status begin_gpg(int input);
  Result<std::span<const std::byte>> next();
  Status finish();
  Status finish_gpg();
  Error name_gpg_fault(Error fault);
  Error first_cause(Error found);
  Error settle(Error error);

  Storage& storage;
  ObjectInfo listed;
  DecodeContext context;
  StopSignal stop;
  std::optional<StoredFeed> feed;
  std::unique_ptr<GpgDecryption> gpg;
  std::optional<FdSource> source;
  std::optional<LzopReader> reader;
  std::optional<BlockPipeline> blocks;
  DecodedInfo decoded;
  std::optional<Error> failure;
  bool ended = false;
  std::stop_callback<std::function<void()>> on_stop;
};

Status ObjectReader::Impl::begin() {
  RAD_TRY(auto stored,
          storage.open(listed.key, {.expected_size = listed.size, .stop = context.stop}));
  feed.emplace(std::move(stored), stop, context.patience);
  RAD_CHECK(feed->begin(listed.size));
  RAD_TRY(const ObjectFormat format, known_format(feed->head()));
  decoded.encrypted = format == ObjectFormat::openpgp;
  int content_fd = -1;
  if (decoded.encrypted) {
    decoded.key_ids = recipients_of(feed->head());
    RAD_TRY(const int input, feed->for_child());
    RAD_TRY(gpg, GpgDecryption::start(input, context.gpg, context.gnupg_home));
    feed->child_started();
    content_fd = gpg->output();
  } else {
    RAD_TRY(content_fd, feed->for_reading());
  }
  source.emplace(content_fd, stop, context.patience);
  reader.emplace(*source);
  blocks.emplace(*reader, context.decoders <= 1 ? 0 : context.decoders - 1, context.buffer_bytes);
  return {};
}

Result<std::span<const std::byte>> ObjectReader::Impl::next() {
  if (failure) return *failure;
  if (ended) return std::span<const std::byte>{};
  if (stop.raised()) {
    failure = about(listed, fail(Reason::cancelled, "reading was stopped"));
    return *failure;
  }
  Result<std::span<const std::byte>> piece = blocks->next();
  if (!piece) {
    Error error = std::move(piece).error();
    if (decoded.encrypted) error.offset.reset();
    failure = first_cause(std::move(error));
    return *failure;
  }
  decoded.plain_bytes += piece->size();
  if (piece->empty()) {
    if (const Status end = finish(); !end) {
      failure = about(listed, end.error());
      return *failure;
    }
    ended = true;
  }
  return piece;
}

Status ObjectReader::Impl::finish() {
  if (gpg) {
    RAD_CHECK(finish_gpg());
  } else {
    RAD_CHECK(feed->finish());
  }
  decoded.stored_bytes = feed->count();
  return feed->check_length(listed.size);
}

Status ObjectReader::Impl::finish_gpg() {
  const ExitStatus status = gpg->wait(context.patience);
  RAD_CHECK(feed->finish());
  const GpgReport& report = gpg->report();
  if (!report.key_ids.empty()) decoded.key_ids = report.key_ids;
  decoded.gpg_notes = report.notes;
  std::optional<Error> fault = judge_gpg(report, status);
  if (!fault) {
    if (!status.ok()) {
      decoded.gpg_notes.push_back(
          fmt::format("gpg decrypted it, but ended with {}", status.text()));
    }
    return {};
  }
  if (stop.raised()) return fail(Reason::cancelled, "reading was stopped");
  return name_gpg_fault(*std::move(fault));
}

/// gpg says the same of cut and of altered ciphertext; lengths and packets tell.
Error ObjectReader::Impl::name_gpg_fault(Error fault) {
  if (fault.reason != Reason::decrypt_failed) return fault;
  if (const Status length = feed->check_length(listed.size); !length) return length.error();
  const auto again = storage.open(listed.key, {.stop = context.stop});
  if (!again) return fault;
  StoredSource bytes(**again);
  const Result<PacketWalk> walk = walk_packets(bytes);
  if (!walk || walk->chain == PacketChain::complete) return fault;
  fault.offset = walk->offset;
  if (walk->chain == PacketChain::cut) {
    fault.reason = Reason::truncated;
    fault.message = fmt::format("the OpenPGP stream ends at byte {}, before its end", walk->offset);
  } else {
    fault.message += fmt::format("; what follows byte {} is no OpenPGP packet", walk->offset);
  }
  return fault;
}

Error ObjectReader::Impl::settle(Error error) {
  const bool silent = error.reason == Reason::timeout && gpg != nullptr;
  if (silent && decoded.plain_bytes == 0 && source->count() == 0) {
    error.reason = Reason::key_unavailable;
    error.message = fmt::format("gpg gave nothing for {} s: its agent does not answer",
                                context.patience.count() / 1000);
    error.hint = "look at the gpg-agent of the keyring";
  }
  return about(listed, std::move(error));
}

Error ObjectReader::Impl::first_cause(Error found) {
  if (!blames_content(found)) return settle(std::move(found));
  if (!gpg) {
    // What ends early for the reader may have been cut by the storage.
    if (found.reason == Reason::truncated) {
      if (const Status fed = feed->finish(); !fed) return settle(fed.error());
    }
    const Status length = feed->check_length(listed.size);
    return settle(length ? std::move(found) : length.error());
  }
  blocks.reset();
  std::vector<std::byte> scrap(std::size_t{1} << 20U);
  for (;;) {
    const Result<std::size_t> got = source->read(scrap, {});
    if (!got) return settle(got.error());
    if (*got == 0) break;
  }
  const Status end = finish_gpg();
  if (end) {
    found.message += ", in the decrypted stream";
    return about(listed, std::move(found));
  }
  Error cause = end.error();
  if (cause.reason == Reason::decrypt_failed && found.reason != Reason::truncated) {
    cause.message += fmt::format(" (seen first: {})", found.message);
  }
  return about(listed, std::move(cause));
}

ObjectReader::ObjectReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ObjectReader::~ObjectReader() = default;

Result<std::unique_ptr<ObjectReader>> ObjectReader::open(Storage& storage, const ObjectInfo& listed,
                                                         const DecodeContext& context) {
  RAD_TRY(StopSignal signal, StopSignal::make());
  auto impl = std::make_unique<Impl>(storage, listed, context, std::move(signal));
  if (Status begun = impl->begin(); !begun) return about(listed, std::move(begun).error());
  return std::unique_ptr<ObjectReader>(new ObjectReader(std::move(impl)));
}

Result<std::span<const std::byte>> ObjectReader::next() {
  return impl_->next();
}

BlockPipeline::Hold ObjectReader::hold() {
  return impl_->blocks ? impl_->blocks->hold() : BlockPipeline::Hold();
}

Error ObjectReader::first_cause(Error found) {
  if (impl_->failure) return *impl_->failure;
  if (impl_->ended) return about(impl_->listed, std::move(found));
  impl_->failure = impl_->first_cause(std::move(found));
  return *impl_->failure;
}

const DecodedInfo& ObjectReader::info() const noexcept {
  return impl_->decoded;
}

std::uint64_t ObjectReader::stored_bytes() const noexcept {
  return impl_->feed->count();
}

Result<ObjectHead> read_head(Storage& storage, const ObjectInfo& listed) {
  RAD_TRY(StopSignal stop, StopSignal::make());
  const auto read = [&]() -> Result<ObjectHead> {
    RAD_TRY(auto stored,
            storage.open(listed.key, {.length = kHeadBytes, .expected_size = listed.size}));
    StoredFeed feed(std::move(stored), stop, DecodeContext{}.patience);
    RAD_CHECK(feed.begin(listed.size));
    RAD_TRY(const ObjectFormat format, known_format(feed.head()));
    ObjectHead head;
    head.encrypted = format == ObjectFormat::openpgp;
    if (head.encrypted) head.key_ids = recipients_of(feed.head());
    return head;
  };
  Result<ObjectHead> head = read();
  if (!head) return about(listed, std::move(head).error());
  return head;
}

Result<DecodedInfo> decode_object(Storage& storage, const ObjectInfo& listed,
                                  const DecodeContext& context, const ByteSink& sink) {
  RAD_TRY(const std::unique_ptr<ObjectReader> reader, ObjectReader::open(storage, listed, context));
  for (;;) {
    RAD_TRY(const std::span<const std::byte> piece, reader->next());
    if (piece.empty()) return reader->info();
    if (Status taken = sink(piece); !taken) {
      Error error = std::move(taken).error();
      if (!blames_content(error)) return error;
      return reader->first_cause(std::move(error));
    }
  }
}

bool worth_reading_again(const Error& error) {
  return blames_content(error) || error.reason == Reason::key_unavailable;
}

}  // namespace rad::wal_e
