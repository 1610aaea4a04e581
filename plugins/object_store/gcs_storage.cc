#include "plugins/object_store/gcs_storage.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "agent/base/files.h"
#include "agent/base/text.h"
#include "plugins/object_store/listing_page.h"
#include "plugins/object_store/metadata_token.h"
#include "plugins/object_store/seen_tokens.h"

namespace rad::object_store {
namespace {

constexpr unsigned kPage = 1000;  // the service gives no more
constexpr std::size_t kMaxCredentials = std::size_t{64} << 10U;

}  // namespace

Result<GcsSettings> GcsSettings::from(const Variables& variables) {
  GcsSettings settings;
  if (const auto file = value_of(variables, "GOOGLE_APPLICATION_CREDENTIALS"); !file.empty()) {
    const auto text = read_file(file, kMaxCredentials);
    if (!text) {
      Error error = text.error();
      return std::move(error).within("GOOGLE_APPLICATION_CREDENTIALS");
    }
    RAD_TRY(settings.credentials, GcsCredentials::parse(*text, file));
  }
  if (const auto host = value_of(variables, "GCE_METADATA_HOST"); !host.empty()) {
    RAD_TRY(const EndpointUrl url, parse_endpoint("http://" + host, "GCE_METADATA_HOST"));
    settings.metadata = url.base;
  }
  if (const auto endpoint = value_of(variables, "WALE_GS_ENDPOINT"); !endpoint.empty()) {
    RAD_TRY(const EndpointUrl url, parse_endpoint(endpoint, "WALE_GS_ENDPOINT"));
    settings.base = url.base;
    settings.path = url.path;
  }
  return settings;
}

Status GcsStorage::TokenEndpoint::sign(HttpRequest& /*request*/, std::stop_token /*stop*/) {
  return {};
}

Error GcsStorage::TokenEndpoint::judge(const HttpRequest& /*request*/,
                                       const HttpResponse& response) const {
  return judge_gcs_token(response);
}

GcsStorage::GcsStorage(GcsSettings settings, const ContainerUrl& url,
                       std::shared_ptr<HttpTransport> transport)
    : settings_(std::move(settings)),
      bucket_(url.container),
      names_(ObjectNames::with_leading_slash(url.path)),
      transport_(std::move(transport)),
      token_([this](std::stop_token stop) { return fetch_token(std::move(stop)); }) {}

std::string GcsStorage::describe() const {
  return fmt::format("gs://{}{}", bucket_, names_.root());
}

HttpRequest GcsStorage::objects_request() const {
  HttpRequest request;
  request.base = settings_.base;
  request.path = fmt::format("{}/storage/v1/b/{}/o", settings_.path, percent_encode(bucket_));
  return request;
}

Status GcsStorage::each_object(const std::string& name_prefix, unsigned page_size,
                               const Visitor& visit, std::stop_token stop) {
  HttpRequest request = objects_request();
  request.query = {{"prefix", name_prefix},
                   {"maxResults", std::to_string(page_size)},
                   {"fields", "kind,nextPageToken,items(name,size,updated)"}};
  const std::size_t fixed = request.query.size();
  SeenTokens tokens;
  // A page may be empty without being the last one.
  for (;;) {
    auto page = ask_page(*transport_, *this, request, stop, parse_gcs_listing);
    if (!page) return std::move(page).error().within(fmt::format("listing '{}'", describe()));
    for (const GcsObject& object : page->objects) {
      if (stop.stop_requested()) return fail(Reason::cancelled, "listing was stopped");
      RAD_TRY(const bool more, visit(object));
      if (!more) return {};
    }
    if (page->next_page.empty()) return {};
    if (!tokens.add(page->next_page)) {
      return fail(Reason::storage_unreachable,
                  fmt::format("listing '{}': the service goes in circles", describe()));
    }
    request.query.resize(fixed);
    request.query.emplace_back("pageToken", page->next_page);
  }
}

Status GcsStorage::visit(std::string_view prefix, const ObjectVisitor& visit,
                         std::stop_token stop) {
  return each_object(
      names_.name(prefix), kPage,
      [&](const GcsObject& object) -> Result<bool> {
        auto key = names_.key(object.name);
        if (!key || !key->starts_with(prefix)) return true;
        RAD_CHECK(
            visit({.key = *std::move(key), .size = object.size, .modified = object.modified}));
        return true;
      },
      std::move(stop));
}

/// By a listing: nothing on the way can make an object seem missing.
Result<ObjectInfo> GcsStorage::stat(std::string_view key) {
  const std::string wanted = names_.name(key);
  std::optional<ObjectInfo> found;
  const Status done = each_object(
      wanted, 1,
      [&](const GcsObject& object) -> Result<bool> {
        if (object.name == wanted) {
          found =
              ObjectInfo{.key = std::string(key), .size = object.size, .modified = object.modified};
        }
        // The name itself sorts before all others that begin with it.
        return false;
      },
      {});
  if (!done) return done.error();
  if (found) return *std::move(found);
  return fail(Reason::missing_object, fmt::format("'{}' does not list it", describe()), {},
              std::string(key));
}

Result<std::unique_ptr<ObjectReader>> GcsStorage::open(std::string_view key,
                                                       const OpenOptions& options) {
  ObjectRequest wanted{.request = objects_request(),
                       .key = std::string(key),
                       .options = options,
                       .confirm_missing = [this, key = std::string(key)] { return stat(key); }};
  wanted.request.path += '/' + percent_encode(names_.name(key));
  wanted.request.query = {{"alt", "media"}};
  // Else an object that is stored with Content-Encoding: gzip comes unpacked, of another length.
  wanted.request.headers = {{"Accept-Encoding", "gzip"}};
  return transport_->open(wanted, *this);
}

Status GcsStorage::sign(HttpRequest& request, std::stop_token stop) {
  RAD_TRY(const auto token, token_.get(std::move(stop)));
  // This interface's If-Match is about metadata; a change is seen by the ETags of the answers.
  std::erase_if(request.headers, [](const auto& header) { return header.first == "If-Match"; });
  request.headers.emplace_back("Authorization", "Bearer " + token->value);
  return {};
}

Error GcsStorage::judge(const HttpRequest& request, const HttpResponse& response) const {
  const GcsError said = parse_gcs_error(response.body);
  const std::string words =
      said.reason.empty() ? said.message : fmt::format("{}: {}", said.reason, said.message);
  HttpResponse judged = response;
  // A quota that is used up is told with 403 as well as with 429.
  if (response.status == 403 &&
      (said.reason.ends_with("LimitExceeded") || said.reason == "quotaExceeded")) {
    judged.status = 429;
  }
  Error error = error_of_status(judged, words);
  const bool is_listing = !request.query.empty() && request.query.front().first == "prefix";
  if (error.reason == Reason::missing_object && is_listing) {
    error.message = fmt::format("the bucket '{}' does not exist (HTTP {})", printable(bucket_, 200),
                                response.status);
    error.hint = "check the bucket's name in WALE_GS_PREFIX";
  } else if (error.reason == Reason::access_denied) {
    error.hint = "give the account the role Storage Object Viewer on the bucket";
  }
  return error;
}

bool GcsStorage::renew(const HttpResponse& denied) {
  if (denied.status != 401) return false;
  token_.drop();
  return true;
}

Result<AccessToken> GcsStorage::fetch_token(std::stop_token stop) {
  const Clock& clock = TokenKeeper::system_clock();
  if (settings_.credentials.kind != GcsCredentials::Kind::metadata) {
    RAD_TRY(const HttpRequest request, gcs_token_request(settings_.credentials, clock.now()));
    RAD_TRY(const HttpResponse answer,
            transport_->exchange(request, token_endpoint_, std::move(stop)));
    return read_oauth_token(answer.body, clock.steady_now());
  }
  HttpRequest request;
  request.base = settings_.metadata;
  request.path = "/computeMetadata/v1/instance/service-accounts/default/token";
  request.headers = {{"Metadata-Flavor", "Google"}};
  request.no_proxy = true;
  return fetch_metadata_token(
      *transport_, request,
      "set GOOGLE_APPLICATION_CREDENTIALS, or give this virtual machine a service account",
      std::move(stop));
}

Result<OpenedStorage> open_gcs_storage(std::string_view url, const Variables& variables,
                                       const TransportOptions& transport) {
  RAD_TRY(const ContainerUrl place, parse_container_url(url));
  RAD_TRY(GcsSettings settings, GcsSettings::from(variables));
  OpenedStorage opened;
  StorageSummary& summary = opened.summary;
  summary.kind = "gcs";
  summary.endpoint = settings.base + settings.path;
  switch (settings.credentials.kind) {
    case GcsCredentials::Kind::service_account:
      summary.credentials = "service account (GOOGLE_APPLICATION_CREDENTIALS)";
      break;
    case GcsCredentials::Kind::user:
      summary.credentials = "a user's login (GOOGLE_APPLICATION_CREDENTIALS)";
      summary.notes.emplace_back(
          "the login of a person ends with their account: use a service "
          "account");
      break;
    case GcsCredentials::Kind::metadata:
      summary.credentials = "service account of this virtual machine";
      break;
  }
  opened.storage =
      std::make_unique<GcsStorage>(std::move(settings), place, HttpTransport::make(transport));
  summary.url = opened.storage->describe();
  return opened;
}

}  // namespace rad::object_store
