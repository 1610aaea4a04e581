#include "plugins/object_store/http_transport.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/object_store/http_object.h"
#include "plugins/object_store/transport_impl.h"

namespace rad::object_store {
namespace {

constexpr std::chrono::milliseconds kFirstAnswerLimit = std::chrono::seconds(15);

/// Collects one answer; waited for by the thread that asked.
class WholeAnswer final : public AnswerTaker {
 public:
  explicit WholeAnswer(std::size_t limit) : limit_(limit) {}

  bool take_head(const HttpResponse& head) override {
    const std::lock_guard lock(mutex_);
    response_ = head;
    if (head.status >= 300) limit_ = std::min(limit_, kMaxErrorBody);
    return true;
  }
  bool take_body(std::span<const std::byte> bytes) override {
    const std::lock_guard lock(mutex_);
    const std::size_t space = limit_ - response_.body.size();
    const std::size_t size = std::min(space, bytes.size());
    response_.body.append(reinterpret_cast<const char*>(bytes.data()), size);
    return size == bytes.size();
  }
  void end(const TransferEnd& end) override {
    const std::lock_guard lock(mutex_);
    end_ = end;
    changed_.notify_all();
  }

  Result<HttpResponse> wait(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [&] { return end_.has_value(); })) {
      return fail(Reason::cancelled, "reading was stopped");
    }
    if (end_->error) return *end_->error;
    if (end_->refused && response_.status < 300) {
      return fail(Reason::storage_unreachable,
                  fmt::format("its answer is longer than {}", format_bytes(limit_)));
    }
    return std::move(response_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::size_t limit_;
  HttpResponse response_;
  std::optional<TransferEnd> end_;
};

std::string with_words(std::string text, std::string_view words) {
  if (!words.empty()) text += fmt::format(" ({})", printable(words, 300));
  return text;
}

}  // namespace

Error error_of_status(const HttpResponse& response, std::string_view words) {
  const int status = response.status;
  const auto error = [&](Reason reason, std::string_view text, std::string_view hint = {}) {
    return fail(reason, with_words(fmt::format("{} (HTTP {})", text, status), words),
                std::string(hint));
  };
  Error out = error(Reason::storage_unreachable, "the service answers with an error");
  if (status == 404 || status == 410) {
    out = error(Reason::missing_object, "the service does not have it");
  } else if (status == 401 || status == 403) {
    out = error(Reason::access_denied, "the service denies access",
                "check the credentials and what they may read");
  } else if (status == 407) {
    out = error(Reason::access_denied, "the proxy denies access", "check the option proxy");
  } else if (status == 412) {
    out = error(Reason::backup_removed, "it was replaced while it was read",
                "look for a second writer on this prefix");
    out.retryable = true;
  } else if (status == 429 || status == 503) {
    out = error(Reason::storage_unreachable, "the service throttles",
                "let fewer readers at it: parallel, storage_connections, read_rate_limit");
    out.retryable = true;
  } else if (status >= 300 && status < 400) {
    out = error(Reason::storage_unreachable,
                fmt::format("the service sends elsewhere, to '{}'",
                            printable(response.header("location"), 200)),
                "set endpoint and region to where the data are");
  } else if (status >= 500 || status == 408) {
    out.retryable = true;
  }
  return out;
}

std::optional<std::chrono::milliseconds> retry_after(const HttpResponse& response) {
  const std::string_view text = response.header("retry-after");
  if (text.empty()) return std::nullopt;
  return parse_retry_after(text, SystemClock().now());
}

Error given_up(Error error, const RetryPacer& pacer) {
  if (pacer.failures() <= 1) return error;
  error.message += fmt::format(", tried {} times in {}", pacer.failures(),
                               format_duration(pacer.waited(std::chrono::steady_clock::now())));
  return error;
}

bool wait_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

std::optional<PartBuffers::Buffer> PartBuffers::take(std::size_t size, bool shared) {
  const std::lock_guard lock(mutex_);
  if (shared) {
    if (shared_taken_ >= kSharedParts) return std::nullopt;
    ++shared_taken_;
  }
  Buffer buffer;
  if (size == kPartBytes && !idle_.empty()) {
    buffer = std::move(idle_.back());
    idle_.pop_back();
  } else {
    buffer.bytes = std::make_unique_for_overwrite<std::byte[]>(size);
    buffer.size = size;
  }
  buffer.shared = shared;
  return buffer;
}

void PartBuffers::give(Buffer buffer) {
  const std::lock_guard lock(mutex_);
  if (buffer.shared) --shared_taken_;
  if (buffer.size == kPartBytes && idle_.size() < kSharedParts) idle_.push_back(std::move(buffer));
}

std::shared_ptr<HttpTransport> HttpTransport::make(const TransportOptions& options) {
  return std::make_shared<CurlTransport>(options);
}

CurlTransport::CurlTransport(const TransportOptions& options)
    : options_(options), rate_(options.rate_limit), engine_(options) {}

RetryPacer CurlTransport::pacer() const {
  RetryPacer pacer(options_.timeout, options_.first_pause, std::chrono::steady_clock::now());
  if (!answered_->load()) pacer.cap(kFirstAnswerLimit);
  return pacer;
}

Result<HttpResponse> CurlTransport::attempt(const HttpRequest& request,
                                            std::optional<std::chrono::milliseconds> limit,
                                            const std::stop_token& stop) {
  const auto answer = std::make_shared<WholeAnswer>(request.max_answer);
  const auto transfer = std::make_shared<Transfer>(request, answer, limit);
  engine_.start(transfer);
  Result<HttpResponse> response = answer->wait(stop);
  if (!response && response.error().reason == Reason::cancelled) engine_.cancel(transfer);
  return response;
}

Result<HttpResponse> CurlTransport::ask_once(const HttpRequest& request,
                                             std::chrono::milliseconds limit,
                                             std::stop_token stop) {
  return attempt(request, limit, stop);
}

Result<HttpResponse> CurlTransport::exchange(const HttpRequest& request, HttpService& service,
                                             std::stop_token stop) {
  RetryPacer pace = pacer();
  bool renewed = false;
  for (;;) {
    HttpRequest signed_request = request;
    RAD_CHECK(service.sign(signed_request, stop));
    Result<HttpResponse> response = attempt(signed_request, std::nullopt, stop);
    std::optional<std::chrono::milliseconds> asked_to_wait;
    Error error;
    if (response) {
      answered_->store(true);
      if (response->status < 300) return response;
      error = service.judge(signed_request, *response);
      if (error.reason == Reason::access_denied && !renewed && service.renew(*response)) {
        renewed = true;
        continue;
      }
      asked_to_wait = retry_after(*response);
    } else {
      error = std::move(response).error();
    }
    if (!error.retryable) return error;
    const auto pause = pace.pause(std::chrono::steady_clock::now(), asked_to_wait);
    if (!pause) return given_up(std::move(error), pace);
    if (!wait_for(*pause, stop)) return fail(Reason::cancelled, "reading was stopped");
  }
}

Result<std::unique_ptr<ObjectReader>> CurlTransport::open(const ObjectRequest& request,
                                                          HttpService& service) {
  auto object = std::make_unique<HttpObject>(shared_from_this(), request, service);
  RAD_CHECK(object->begin());
  return std::unique_ptr<ObjectReader>(std::move(object));
}

}  // namespace rad::object_store
