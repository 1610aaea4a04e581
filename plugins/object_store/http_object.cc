#include "plugins/object_store/http_object.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "agent/base/text.h"

namespace rad::object_store {
namespace {

constexpr std::uint64_t kEnoughForProgress = std::uint64_t{64} << 10U;
constexpr unsigned kShortAnswers = 3;
constexpr std::uint64_t kSkippable = std::uint64_t{64} << 20U;

SteadyPoint steady_now() {
  return std::chrono::steady_clock::now();
}

std::optional<std::uint64_t> content_length(const HttpResponse& head) {
  const std::string_view text = head.header("content-length");
  std::uint64_t value = 0;
  if (text.empty() || text.size() > 19) return std::nullopt;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

}  // namespace

/// What the engine's thread and the reader's have in common, guarded by `mutex`.
struct HttpObject::Shared {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::string etag;                          ///< strong, of the first answer; "" if it gave none
  std::optional<std::uint64_t> total;        ///< the object's size as the service has said
  std::optional<std::uint64_t> listed_size;  ///< constant
};

/// A range with its buffer, and the taker of its answers.
class HttpObject::Part final : public AnswerTaker, public std::enable_shared_from_this<Part> {
 public:
  Part(std::shared_ptr<Shared> shared, CurlTransport& transport, PartBuffers::Buffer buffer,
       std::uint64_t offset, std::uint64_t bytes_wanted)
      : shared_(std::move(shared)),
        buffers_(transport.buffers()),
        service_answered_(transport.answered()),
        buffer_(std::move(buffer)),
        pacer(transport.pacer()),
        first(offset),
        size(bytes_wanted) {}
  ~Part() override { buffers_->give(std::move(buffer_)); }

  bool take_head(const HttpResponse& head) override {
    service_answered_->store(true);
    const std::lock_guard lock(shared_->mutex);
    response = head;
    if (head.status < 300) fault = check_head(head);
    answered = head.status < 300 && !fault;
    shared_->changed.notify_all();
    return !fault;
  }

  bool take_body(std::span<const std::byte> bytes) override {
    if (response.status >= 300) {
      const std::size_t space = kMaxErrorBody - response.body.size();
      const std::size_t fits = std::min(space, bytes.size());
      response.body.append(reinterpret_cast<const char*>(bytes.data()), fits);
      return fits == bytes.size();
    }
    const auto skipped = std::min<std::uint64_t>(skip, bytes.size());
    skip -= skipped;
    bytes = bytes.subspan(static_cast<std::size_t>(skipped));
    std::uint64_t space = 0;
    {
      const std::lock_guard lock(shared_->mutex);
      space = size - std::min(size, filled);
    }
    const std::size_t fits = static_cast<std::size_t>(std::min<std::uint64_t>(space, bytes.size()));
    if (fits > 0) std::memcpy(buffer_.bytes.get() + filled, bytes.data(), fits);
    const std::lock_guard lock(shared_->mutex);
    filled += fits;
    if (fits > 0) shared_->changed.notify_all();
    // More than was asked for: of a service that ignores ranges.
    return fits == bytes.size();
  }

  void end(const TransferEnd& how) override {
    const std::lock_guard lock(shared_->mutex);
    ended = how;
    shared_->changed.notify_all();
  }

  const std::byte* bytes() const { return buffer_.bytes.get(); }

 private:
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<PartBuffers> buffers_;
  std::shared_ptr<std::atomic<bool>> service_answered_;
  PartBuffers::Buffer buffer_;

  /// \return what is wrong with the headers of a good answer.
  std::optional<Error> check_head(const HttpResponse& head) {
    std::optional<std::uint64_t> total;
    if (head.status == 206) {
      const auto range = parse_content_range(head.header("content-range"));
      if (!range || range->first != first + filled) {
        return fail(Reason::storage_unreachable,
                    fmt::format("the service gives another range than the one asked for ('{}')",
                                printable(head.header("content-range"), 60)));
      }
      total = range->total;
      if (!total && !shared_->listed_size) {
        return fail(Reason::storage_unreachable, "the service does not say how long it is");
      }
    } else {
      skip = first + filled;
      if (skip > kSkippable) {
        return fail(Reason::storage_unreachable, "the service does not understand ranges");
      }
      total = content_length(head);
    }
    if (const Status same = check_same(head, total); !same) return same.error();
    if (total) shared_->total = total;
    return std::nullopt;
  }

  Status check_same(const HttpResponse& head, const std::optional<std::uint64_t>& total) {
    std::string_view etag = head.header("etag");
    if (etag.starts_with("W/")) etag = {};
    if (shared_->etag.empty()) shared_->etag = etag;
    if (!etag.empty() && etag != shared_->etag) {
      Error error = fail(Reason::backup_removed, "it was replaced while it was read",
                         "look for a second writer on this prefix");
      error.retryable = true;
      return error;
    }
    if (!total) return {};
    if (shared_->listed_size) return compare_length(*total, *shared_->listed_size);
    if (shared_->total && *shared_->total != *total) return compare_length(*total, *shared_->total);
    return {};
  }

 public:
  // The reader's alone.
  RetryPacer pacer;
  std::uint64_t first;  ///< offset in the object
  std::uint64_t taken = 0;
  unsigned short_answers = 0;
  bool renewed = false;
  SteadyPoint not_before{};
  std::uint64_t filled_at_start = 0;
  std::uint64_t progress_mark = 0;     ///< `filled` when there was enough new to call it progress
  std::shared_ptr<Transfer> transfer;  ///< of the running attempt
  HttpRequest sent;
  // Guarded by Shared::mutex once an attempt runs.
  std::uint64_t size;
  std::uint64_t filled = 0;
  std::uint64_t skip = 0;
  bool answered = false;
  HttpResponse response;
  std::optional<Error> fault;
  std::optional<TransferEnd> ended;
};

HttpObject::HttpObject(std::shared_ptr<CurlTransport> transport, const ObjectRequest& request,
                       HttpService& service)
    : transport_(std::move(transport)),
      request_(request),
      service_(service),
      on_stop_(request.options.stop, [this] { own_stop_.request_stop(); }),
      shared_(std::make_shared<Shared>()),
      next_(request.options.offset) {
  const OpenOptions& wanted = request_.options;
  shared_->listed_size = wanted.expected_size;
  if (wanted.expected_size) {
    const std::uint64_t first = std::min(wanted.offset, *wanted.expected_size);
    end_ = first + std::min(wanted.length, *wanted.expected_size - first);
  }
}

HttpObject::~HttpObject() {
  for (const auto& part : parts_) {
    if (!part->transfer) continue;
    transport_->engine().cancel(part->transfer);
    part->transfer.reset();  // which owns the part
  }
}

std::uint64_t HttpObject::part_bytes() const {
  const std::uint64_t rate = transport_->options().rate_limit;
  if (rate == 0) return kPartBytes;
  return std::clamp(rate / 4, kEnoughForProgress, kPartBytes);
}

void HttpObject::add_part(bool ahead) {
  const OpenOptions& wanted = request_.options;
  std::uint64_t size = part_bytes();
  if (end_) {
    size = std::min(size, *end_ - next_);
  } else if (wanted.length != OpenOptions::kToTheEnd) {
    size = std::min(size, wanted.length - (next_ - wanted.offset));
  }
  auto buffer = transport_->buffers()->take(static_cast<std::size_t>(size), ahead);
  if (!buffer) return;
  parts_.push_back(std::make_shared<Part>(shared_, *transport_, *std::move(buffer), next_, size));
  parts_.back()->not_before = transport_->rate().reserve(size, steady_now());
  next_ += size;
}

void HttpObject::add_parts() {
  if (parts_.empty()) add_part(false);
  const unsigned most = std::clamp(transport_->options().connections, 1U, 32U);
  while (end_ && next_ < *end_ && parts_.size() < most) {
    const std::size_t before = parts_.size();
    add_part(true);
    if (parts_.size() == before) return;
  }
}

/// A small object as a whole is asked for without a range: its Content-Length is its size.
bool HttpObject::whole_at_once(const Part& part) const {
  return part.first == 0 && part.filled == 0 && shared_->listed_size &&
         *shared_->listed_size == part.size;
}

Result<std::optional<SteadyPoint>> HttpObject::start(Part& part) {
  if (part.not_before > steady_now()) return std::optional(part.not_before);
  HttpRequest request = request_.request;
  if (!whole_at_once(part)) {
    request.headers.emplace_back(
        "Range", fmt::format("bytes={}-{}", part.first + part.filled, part.first + part.size - 1));
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->etag.empty()) request.headers.emplace_back("If-Match", shared_->etag);
  }
  if (const Status done = service_.sign(request, own_stop_.get_token()); !done) {
    return done.error();
  }
  part.sent = request;
  part.response = {};
  part.fault.reset();
  part.ended.reset();
  part.skip = 0;
  part.filled_at_start = part.filled;
  part.transfer = std::make_shared<Transfer>(std::move(request), part.shared_from_this());
  transport_->engine().start(part.transfer);
  return std::optional<SteadyPoint>();
}

/// \return what the reader is told in the end.
Error HttpObject::last_word(Error error, bool vouched) const {
  if (error.reason != Reason::missing_object || vouched || !request_.confirm_missing) return error;
  const auto found = request_.confirm_missing();
  if (!found) return found.error();
  error.reason = Reason::storage_unreachable;
  error.message += ", but lists it";
  error.hint = "look for a proxy, or at the health of the storage";
  error.retryable = true;
  return error;
}

Error HttpObject::ends_early(const Part& part) const {
  const std::uint64_t found = part.first + part.filled;
  Error error = fail(Reason::truncated, fmt::format("it ends after {} bytes, the listing says {}",
                                                    found, said_total()));
  error.offset = found;
  return error;
}

/// The attempt has ended before the part was full. \return an error if it is not to be repeated.
Status HttpObject::judge_end(Part& part) {
  Error error;
  bool vouched = false;
  bool is_short = false;
  std::optional<std::chrono::milliseconds> asked_to_wait;
  // A range that begins behind the end is refused with 416.
  const int status = part.response.status;
  const bool less_than_listed = status < 300 || (status == 416 && shared_->listed_size);
  if (part.fault) {
    error = *part.fault;
    is_short = error.reason == Reason::truncated;
  } else if (part.ended->error) {
    error = *part.ended->error;
  } else if (less_than_listed) {
    error = ends_early(part);
    is_short = true;
  } else {
    error = service_.judge(part.sent, part.response);
    if (error.reason == Reason::access_denied && !part.renewed && service_.renew(part.response)) {
      part.renewed = true;
      return {};
    }
    vouched = service_.vouches_for_missing(part.response);
    asked_to_wait = retry_after(part.response);
  }
  // Nothing that comes later will be the object that was listed.
  if (error.reason == Reason::backup_removed) return error;
  const SteadyPoint now = steady_now();
  const bool brought = part.filled > part.filled_at_start;
  if (part.filled - part.progress_mark >= kEnoughForProgress) {
    part.pacer.progress(now);
    part.progress_mark = part.filled;
  }
  if (brought) part.short_answers = 0;
  if (is_short && !brought && ++part.short_answers >= kShortAnswers)
    return given_up(std::move(error), part.pacer);
  if (!error.retryable && !is_short) return last_word(std::move(error), vouched);
  const auto pause = brought ? part.pacer.short_pause(now) : part.pacer.pause(now, asked_to_wait);
  if (!pause) return given_up(std::move(error), part.pacer);
  part.not_before = now + *pause;
  return {};
}

std::uint64_t HttpObject::said_total() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->listed_size.value_or(shared_->total.value_or(0));
}

/// What the end of an attempt means. Without the lock: the engine has let go of the part, and to
/// judge it may take another request.
Status HttpObject::look_after(Part& part) {
  learn_end();
  const bool good = !part.fault && !part.ended->error && part.response.status < 300;
  if (good && !end_) {
    // An answer without any length: what it brought is the object.
    if (part.ended->refused) {
      return fail(Reason::storage_unreachable, "the service does not say how long it is");
    }
    part.size = part.filled;
  }
  if (part.response.status == 416 && !end_ && part.filled == 0 && part.first == 0) {
    part.size = 0;  // an empty object has no range
    part.answered = true;
    end_ = 0;
  }
  if (over_and_whole(part)) {
    part.transfer.reset();
    return {};
  }
  Status judged = judge_end(part);
  part.transfer.reset();
  part.ended.reset();
  return judged;
}

/// Of an object whose length only the first answer tells.
void HttpObject::learn_end() {
  const std::lock_guard lock(shared_->mutex);
  if (end_ || !shared_->total) return;
  const std::uint64_t first = std::min(request_.options.offset, *shared_->total);
  end_ = first + std::min(request_.options.length, *shared_->total - first);
  // The only part until now may reach beyond the end.
  if (next_ > *end_ && !parts_.empty()) {
    parts_.back()->size = *end_ - std::min(parts_.back()->first, *end_);
    next_ = *end_;
  }
}

Result<std::optional<SteadyPoint>> HttpObject::tend() {
  learn_end();
  std::optional<SteadyPoint> next;
  if (parts_.empty() || end_) add_parts();
  for (const auto& part : parts_) {
    bool over = false;
    {
      const std::lock_guard lock(shared_->mutex);
      over = part->ended.has_value();
    }
    if (over && part->transfer) {
      if (Status state = look_after(*part); !state) return std::move(state).error();
    }
    if (part->transfer || over_and_whole(*part)) continue;
    RAD_TRY(const auto when, start(*part));
    if (when && (!next || *when < *next)) next = when;
  }
  return next;
}

/// Of a part without a running transfer.
bool HttpObject::over_and_whole(const Part& part) {
  return part.filled == part.size && part.answered && !part.fault;
}

Error HttpObject::refuse(Error error) {
  if (error.object.empty()) error.object = request_.key;
  if (own_stop_.stop_requested()) {
    error = fail(Reason::cancelled, "reading was stopped", {}, request_.key);
  }
  failed_ = error;
  return error;
}

Status HttpObject::begin() {
  nothing_wanted_ = end_ && next_ >= *end_ && shared_->listed_size != std::uint64_t{0};
  if (nothing_wanted_) return {};
  for (;;) {
    if (own_stop_.stop_requested()) return refuse({});
    auto next = tend();
    if (!next) return refuse(std::move(next).error());
    std::unique_lock lock(shared_->mutex);
    Part& front = *parts_.front();
    if (front.answered) return {};
    const auto changed = [&] { return front.answered || front.ended.has_value(); };
    const auto until = next->value_or(steady_now() + std::chrono::seconds(5));
    shared_->changed.wait_until(lock, own_stop_.get_token(), until, changed);
  }
}

Result<std::size_t> HttpObject::take(Part& part, std::span<std::byte> out) {
  std::uint64_t ready = 0;
  {
    const std::lock_guard lock(shared_->mutex);
    ready = part.filled - part.taken;
  }
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(ready, out.size()));
  if (size > 0) std::memcpy(out.data(), part.bytes() + part.taken, size);
  part.taken += size;
  return size;
}

Result<std::size_t> HttpObject::read(std::span<std::byte> out) {
  if (failed_) return *failed_;
  if (out.empty() || nothing_wanted_) return std::size_t{0};
  for (;;) {
    if (own_stop_.stop_requested()) return refuse({});
    auto next = tend();
    if (!next) return refuse(std::move(next).error());
    const std::shared_ptr<Part> front = parts_.front();
    RAD_TRY(const std::size_t got, take(*front, out));
    std::unique_lock lock(shared_->mutex);
    const bool read_out = !front->transfer && over_and_whole(*front) && front->taken == front->size;
    if (read_out) {
      if (!end_) end_ = next_ = front->first + front->size;
      const bool last = next_ >= *end_ && parts_.size() == 1;
      if (last) return got;  // stays, so that the end is said again
      lock.unlock();
      parts_.pop_front();
      if (got == 0) continue;
    }
    if (got > 0) return got;
    const auto changed = [&] { return front->filled > front->taken || front->ended.has_value(); };
    const auto until = next->value_or(steady_now() + std::chrono::seconds(5));
    shared_->changed.wait_until(lock, own_stop_.get_token(), until, changed);
  }
}

}  // namespace rad::object_store
