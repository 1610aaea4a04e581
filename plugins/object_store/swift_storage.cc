#include "plugins/object_store/swift_storage.h"

#include <charconv>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/object_store/listing_page.h"
#include "plugins/object_store/metadata_token.h"
#include "plugins/object_store/swift_listing.h"

namespace rad::object_store {
namespace {

constexpr unsigned kPage = 2000;

}  // namespace

Status SwiftStorage::Identity::sign(HttpRequest& /*request*/, std::stop_token /*stop*/) {
  return {};
}

Error SwiftStorage::Identity::judge(const HttpRequest& /*request*/,
                                    const HttpResponse& response) const {
  return judge_swift_identity(response);
}

SwiftStorage::SwiftStorage(SwiftSettings settings, const ContainerUrl& url,
                           std::shared_ptr<HttpTransport> transport)
    : settings_(std::move(settings)),
      container_(url.container),
      names_(ObjectNames::with_leading_slash(url.path)),
      transport_(std::move(transport)),
      token_([this](std::stop_token stop) { return fetch_token(std::move(stop)); }) {}

std::string SwiftStorage::describe() const {
  return fmt::format("swift://{}{}", container_, names_.root());
}

HttpRequest SwiftStorage::object_request(std::string_view key) const {
  HttpRequest request;
  request.path =
      fmt::format("/{}/{}", percent_encode(container_), percent_encode(names_.name(key), true));
  return request;
}

Status SwiftStorage::visit(std::string_view prefix, const ObjectVisitor& visit,
                           std::stop_token stop) {
  HttpRequest request;
  request.path = '/' + percent_encode(container_);
  request.query = {
      {"format", "json"}, {"prefix", names_.name(prefix)}, {"limit", std::to_string(kPage)}};
  const std::size_t fixed = request.query.size();
  std::string marker;
  for (;;) {
    request.query.resize(fixed);
    if (!marker.empty()) request.query.emplace_back("marker", marker);
    auto page = ask_page(*transport_, *this, request, stop, parse_swift_listing);
    if (!page) return std::move(page).error().within(fmt::format("listing '{}'", describe()));
    const std::vector<SwiftObject>& objects = *page;
    // A page may be short without being the last one: only an empty one is the end.
    if (objects.empty()) return {};
    for (const SwiftObject& object : objects) {
      if (stop.stop_requested()) return fail(Reason::cancelled, "listing was stopped");
      if (object.name <= marker) {
        return fail(Reason::storage_unreachable,
                    fmt::format("listing '{}': the service gives '{}' after '{}'", describe(),
                                printable(object.name, 200), printable(marker, 200)));
      }
      marker = object.name;
      auto key = names_.key(object.name);
      if (!key || !key->starts_with(prefix)) continue;
      ObjectInfo info{.key = *std::move(key), .size = object.size, .modified = object.modified};
      if (info.size == 0) {
        const auto found = head(info.key, stop);
        if (!found && found.error().reason != Reason::missing_object) return found.error();
        if (found) info.size = found->size;
      }
      RAD_CHECK(visit(info));
    }
  }
}

/// A large object's length is in its headers alone; that there is none, in the listing.
Result<ObjectInfo> SwiftStorage::stat(std::string_view key) {
  auto found = head(key, {});
  if (found || found.error().reason != Reason::missing_object) return found;
  auto listed = find_in_listing(std::string(key));
  if (!listed) return listed;
  Error error = std::move(found).error();
  error.reason = Reason::storage_unreachable;
  error.message += ", but lists it";
  error.hint =
      "the container's listing may lag behind: wait; else look at the health of the cluster";
  error.retryable = true;
  return error;
}

Result<ObjectInfo> SwiftStorage::head(std::string_view key, std::stop_token stop) {
  HttpRequest request = object_request(key);
  request.method = "HEAD";
  const auto response = transport_->exchange(request, *this, std::move(stop));
  if (!response) {
    Error error = response.error();
    error.object = key;
    return error;
  }
  ObjectInfo info{.key = std::string(key), .size = 0, .modified = {}};
  const std::string_view size = response->header("content-length");
  const auto read = std::from_chars(size.data(), size.data() + size.size(), info.size);
  const auto modified = parse_http_date(response->header("last-modified"));
  if (size.empty() || read.ptr != size.data() + size.size() || !modified) {
    return fail(Reason::storage_unreachable, "the service does not say how long it is", {},
                std::string(key));
  }
  info.modified = *modified;
  return info;
}

/// A container's listing and its objects live on different servers: the one confirms the other.
Result<ObjectInfo> SwiftStorage::find_in_listing(const std::string& key) {
  std::optional<ObjectInfo> found;
  const Status done = visit(key,
                            [&](const ObjectInfo& object) -> Status {
                              if (object.key == key) found = object;
                              // Names come in order: the shortest that begins with `key` is the
                              // first.
                              return fail(Reason::cancelled, "enough seen");
                            },
                            {});
  if (found) return *found;
  if (!done && done.error().reason != Reason::cancelled) return done.error();
  return fail(Reason::missing_object, "the service does not have it, and does not list it", {},
              key);
}

Result<std::unique_ptr<ObjectReader>> SwiftStorage::open(std::string_view key,
                                                         const OpenOptions& options) {
  ObjectRequest wanted{
      .request = object_request(key),
      .key = std::string(key),
      .options = options,
      .confirm_missing = [this, key = std::string(key)] { return find_in_listing(key); }};
  return transport_->open(wanted, *this);
}

Status SwiftStorage::sign(HttpRequest& request, std::stop_token stop) {
  RAD_TRY(const auto token, token_.get(std::move(stop)));
  RAD_TRY(const EndpointUrl place,
          parse_endpoint(token->place, "the storage's address in the identity service's answer"));
  request.base = place.base;
  request.path.insert(0, place.path);
  request.headers.emplace_back("X-Auth-Token", token->value);
  return {};
}

Error SwiftStorage::judge(const HttpRequest& request, const HttpResponse& response) const {
  // Older clusters say "498 Rate Limited".
  if (response.status == 498) {
    HttpResponse throttled = response;
    throttled.status = 429;
    return error_of_status(throttled);
  }
  Error error = error_of_status(response);
  const bool is_listing = !request.query.empty();
  if (error.reason == Reason::missing_object && is_listing) {
    error.message = fmt::format("the container '{}' does not exist (HTTP {})",
                                printable(container_, 200), response.status);
    error.hint = "check the container's name in WALE_SWIFT_PREFIX, the project and the region";
  } else if (error.reason == Reason::access_denied) {
    error.hint = "give the user of SWIFT_USER the right to read and list the container";
  }
  return error;
}

bool SwiftStorage::renew(const HttpResponse& denied) {
  if (denied.status != 401) return false;
  token_.drop();
  return true;
}

Result<AccessToken> SwiftStorage::fetch_token(std::stop_token stop) {
  RAD_TRY(const HttpResponse answer,
          transport_->exchange(swift_auth_request(settings_), identity_, std::move(stop)));
  const Clock& clock = TokenKeeper::system_clock();
  return read_swift_token(settings_, answer, clock.now(), clock.steady_now());
}

Result<OpenedStorage> open_swift_storage(std::string_view url, const Variables& variables,
                                         const TransportOptions& transport) {
  RAD_TRY(const ContainerUrl place, parse_container_url(url));
  RAD_TRY(SwiftSettings settings, SwiftSettings::from(variables));
  OpenedStorage opened;
  StorageSummary& summary = opened.summary;
  summary.kind = "swift";
  summary.endpoint = settings.base + settings.path;
  summary.credentials =
      fmt::format("user and password, auth v{} (SWIFT_USER, SWIFT_PASSWORD)", settings.version);
  if (!settings.region.empty()) summary.notes.push_back("region " + printable(settings.region, 60));
  opened.storage =
      std::make_unique<SwiftStorage>(std::move(settings), place, HttpTransport::make(transport));
  summary.url = opened.storage->describe();
  return opened;
}

}  // namespace rad::object_store
