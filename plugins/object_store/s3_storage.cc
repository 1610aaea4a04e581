#include "plugins/object_store/s3_storage.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/object_store/aws_credentials.h"
#include "plugins/object_store/listing_page.h"
#include "plugins/object_store/s3_xml.h"

namespace rad::object_store {
namespace {

constexpr std::size_t kMaxPageBytes = std::size_t{8} << 20U;

struct CodeRow {
  std::string_view code;
  Reason reason;
  bool retryable;
  std::string_view text;
  std::string_view hint;
};

constexpr std::array kCodes{
    CodeRow{"NoSuchKey", Reason::missing_object, false, "S3 does not have it", ""},
    CodeRow{"NoSuchVersion", Reason::missing_object, false, "S3 does not have it", ""},
    CodeRow{"NoSuchBucket", Reason::storage_unreachable, false, "the bucket does not exist",
            "check bucket and endpoint"},
    CodeRow{"AccessDenied", Reason::access_denied, false, "S3 denies access",
            "the credentials need s3:ListBucket on the bucket and s3:GetObject on its objects, and "
            "kms:Decrypt if these are encrypted with a key of their own"},
    CodeRow{"AllAccessDisabled", Reason::access_denied, false, "S3 denies all access", ""},
    CodeRow{"AccountProblem", Reason::access_denied, false, "there is a problem with the account",
            "look at the billing of the account"},
    CodeRow{"InvalidAccessKeyId", Reason::access_denied, false, "S3 does not know the access key",
            "check AWS_ACCESS_KEY_ID, and AWS_SECURITY_TOKEN if the key is temporary"},
    CodeRow{"SignatureDoesNotMatch", Reason::access_denied, false, "the signature does not match",
            "check AWS_SECRET_ACCESS_KEY; a proxy that changes requests does this too"},
    CodeRow{"ExpiredToken", Reason::access_denied, false, "the temporary credentials have expired",
            "renew AWS_SECURITY_TOKEN, or use AWS_INSTANCE_PROFILE"},
    CodeRow{"InvalidToken", Reason::access_denied, false, "the session token is not valid",
            "check AWS_SECURITY_TOKEN"},
    CodeRow{"TokenRefreshRequired", Reason::access_denied, false, "the session token is too old",
            "renew AWS_SECURITY_TOKEN"},
    CodeRow{"InvalidObjectState", Reason::access_denied, false,
            "it is in an archive class and cannot be read now",
            "restore it from the archive first, and keep backups under test out of such classes"},
    CodeRow{"SlowDown", Reason::storage_unreachable, true, "S3 throttles",
            "let fewer readers at it: parallel, storage_connections, read_rate_limit"},
    CodeRow{"TooManyRequests", Reason::storage_unreachable, true, "S3 throttles",
            "let fewer readers at it: parallel, storage_connections, read_rate_limit"},
    CodeRow{"RequestLimitExceeded", Reason::storage_unreachable, true, "S3 throttles",
            "let fewer readers at it: parallel, storage_connections, read_rate_limit"},
    CodeRow{"RequestTimeout", Reason::storage_unreachable, true, "S3 waited too long", ""},
    CodeRow{"OperationAborted", Reason::storage_unreachable, true, "S3 aborted the request", ""},
};

std::string words_of(const S3Error& error) {
  if (error.code.empty()) return error.message;
  return error.message.empty() ? error.code : fmt::format("{}: {}", error.code, error.message);
}

Error wrong_clock(const HttpResponse& response, TimePoint now) {
  Error error = fail(Reason::host_unfit,
                     "the clock of this host and that of S3 differ too much (RequestTimeTooSkewed)",
                     "set the clock of this host; see that it is kept by NTP");
  if (const auto theirs = parse_http_date(response.header("date"))) {
    const auto ahead = now - *theirs;
    error.message += fmt::format(": this host is {} {}", format_duration(std::chrono::abs(ahead)),
                                 ahead > std::chrono::milliseconds(0) ? "ahead" : "behind");
  }
  return error;
}

std::string other_region(const HttpResponse& response, const S3Error& error,
                         std::string_view region) {
  std::string other(printable(response.header("x-amz-bucket-region"), 60));
  if (other.empty()) other = error.region;
  return other == region ? std::string() : other;
}

}  // namespace

Error judge_s3(const HttpResponse& response, std::string_view region, TimePoint now) {
  const S3Error said = parse_s3_error(response.body);
  const bool region_matters = response.status == 301 || response.status == 307 ||
                              said.code == "PermanentRedirect" ||
                              said.code == "AuthorizationHeaderMalformed" ||
                              said.code == "IllegalLocationConstraintException";
  if (region_matters) {
    const std::string other = other_region(response, said, region);
    if (!other.empty()) {
      return fail(
          Reason::config_invalid,
          fmt::format("the bucket is in region '{}', the requests are for '{}'", other, region),
          fmt::format("set AWS_REGION to {}", other));
    }
    if (!said.endpoint.empty()) {
      return fail(Reason::config_invalid,
                  fmt::format("the bucket is at '{}' ({})", said.endpoint, words_of(said)),
                  "set AWS_REGION or WALE_S3_ENDPOINT to where the bucket is");
    }
  }
  if (said.code == "RequestTimeTooSkewed") return wrong_clock(response, now);
  const auto row = std::find_if(kCodes.begin(), kCodes.end(),
                                [&](const CodeRow& r) { return r.code == said.code; });
  if (row == kCodes.end()) return error_of_status(response, words_of(said));
  Error error =
      fail(row->reason, fmt::format("{} ({})", row->text, words_of(said)), std::string(row->hint));
  error.retryable = row->retryable;
  return error;
}

class S3Storage::Service final : public HttpService {
 public:
  Service(const S3Settings& settings, std::shared_ptr<HttpTransport> transport)
      : keys_(settings.keys), scope_{.region = settings.region} {
    if (settings.instance_profile) {
      profile_.emplace(std::move(transport), settings.metadata_endpoint);
    }
  }

  Status sign(HttpRequest& request, std::stop_token stop) override {
    if (!profile_) {
      sign_v4(request, keys_, scope_, SystemClock().now());
      return {};
    }
    RAD_TRY(const AwsKeys keys, profile_->keys(std::move(stop)));
    sign_v4(request, keys, scope_, SystemClock().now());
    return {};
  }
  Error judge(const HttpRequest& /*request*/, const HttpResponse& response) const override {
    return judge_s3(response, scope_.region, SystemClock().now());
  }
  bool renew(const HttpResponse& /*denied*/) override { return profile_ && profile_->forget(); }
  bool vouches_for_missing(const HttpResponse& response) const override {
    return parse_s3_error(response.body).code == "NoSuchKey";
  }

 private:
  AwsKeys keys_;
  AwsScope scope_;
  std::optional<InstanceProfile> profile_;
};

namespace {

HttpRequest list_request(const S3Settings& settings, std::string_view whole_prefix,
                         unsigned max_keys) {
  HttpRequest request;
  request.base = settings.base();
  request.path = settings.bucket_path();
  request.max_answer = kMaxPageBytes;
  request.query = {{"encoding-type", "url"},
                   {"list-type", "2"},
                   {"max-keys", std::to_string(max_keys)},
                   {"prefix", std::string(whole_prefix)}};
  return request;
}

}  // namespace

S3Storage::S3Storage(S3Settings settings, std::shared_ptr<HttpTransport> transport)
    : settings_(std::move(settings)),
      transport_(std::move(transport)),
      service_(std::make_unique<Service>(settings_, transport_)) {}

S3Storage::~S3Storage() = default;

std::string S3Storage::describe() const {
  return settings_.prefix.empty() ? "s3://" + settings_.bucket
                                  : fmt::format("s3://{}/{}", settings_.bucket, settings_.prefix);
}

std::string S3Storage::whole_key(std::string_view key) const {
  return settings_.prefix.empty() ? std::string(key) : fmt::format("{}/{}", settings_.prefix, key);
}

Status S3Storage::visit(std::string_view prefix, const ObjectVisitor& visit, std::stop_token stop) {
  constexpr unsigned kKeysInPage = 1000;
  const std::string wanted = whole_key(prefix);
  const std::size_t own = wanted.size() - prefix.size();
  HttpRequest request = list_request(settings_, wanted, kKeysInPage);
  const Fields first_query = request.query;
  std::string last_key;
  for (;;) {
    auto page = ask_page(*transport_, *service_, request, stop, parse_s3_page);
    if (!page) return std::move(page).error().within(fmt::format("listing '{}'", describe()));
    for (ObjectInfo& object : page->objects) {
      // Each key once: a service that goes in circles must not be followed.
      if (!object.key.starts_with(wanted) || object.key <= last_key) {
        return fail(
            Reason::storage_unreachable,
            fmt::format("listing '{}': the service gives '{}' after '{}' for the prefix '{}'",
                        describe(), printable(object.key, 200), printable(last_key, 200), wanted));
      }
      last_key = object.key;
      object.key.erase(0, own);
      RAD_CHECK(visit(object));
    }
    if (!page->truncated) return {};
    request.query = first_query;
    if (page->next_token.empty()) {
      request.query.emplace_back("marker", last_key);
    } else {
      request.query.emplace_back("continuation-token", page->next_token);
    }
  }
}

Result<ObjectInfo> S3Storage::stat(std::string_view key) {
  const std::string wanted = whole_key(key);
  // The key itself sorts before all others that begin with it.
  auto page =
      ask_page(*transport_, *service_, list_request(settings_, wanted, 1), {}, parse_s3_page);
  if (!page) return std::move(page).error();
  if (page->objects.empty() || page->objects.front().key != wanted) {
    return fail(Reason::missing_object, fmt::format("'{}' does not list it", describe()), {},
                std::string(key));
  }
  ObjectInfo object = std::move(page->objects.front());
  object.key = key;
  return object;
}

Result<std::unique_ptr<ObjectReader>> S3Storage::open(std::string_view key,
                                                      const OpenOptions& options) {
  ObjectRequest request;
  request.request.base = settings_.base();
  request.request.path = settings_.object_path(key);
  request.key = key;
  request.options = options;
  request.confirm_missing = [this, key = std::string(key)] { return stat(key); };
  return transport_->open(request, *service_);
}

Result<OpenedStorage> open_s3_storage(std::string_view url, const Variables& variables,
                                      const TransportOptions& options) {
  RAD_TRY(S3Settings settings, understand_s3(url, variables));
  OpenedStorage opened;
  opened.summary.kind = "s3";
  opened.summary.endpoint = fmt::format("{}, region {}", settings.base(), settings.region);
  opened.summary.credentials = settings.instance_profile ? "instance profile"
                               : settings.keys.session_token.empty()
                                   ? "static keys"
                                   : "temporary keys with a session token";
  opened.summary.notes = settings.notes;
  opened.storage = std::make_unique<S3Storage>(std::move(settings), HttpTransport::make(options));
  opened.summary.url = opened.storage->describe();
  return opened;
}

}  // namespace rad::object_store
