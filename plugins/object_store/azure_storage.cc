#include "plugins/object_store/azure_storage.h"

#include <algorithm>

#include <fmt/format.h>

#include "agent/base/text.h"
#include "plugins/object_store/azure_listing.h"
#include "plugins/object_store/azure_signer.h"
#include "plugins/object_store/base64.h"
#include "plugins/object_store/listing_page.h"
#include "plugins/object_store/metadata_token.h"
#include "plugins/object_store/seen_tokens.h"

namespace rad::object_store {
namespace {

constexpr unsigned kPage = 2000;

bool any_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

/// Why a request is refused, as far as the service's own code says it.
struct Judgement {
  Reason reason;
  std::string text;
  std::string hint;
  bool retryable = false;
};

std::optional<Judgement> judge_code(std::string_view code, const std::string& container) {
  if (code == "BlobNotFound")
    return Judgement{Reason::missing_object, "the service does not have it", {}};
  if (code == "ContainerNotFound" || code == "ContainerBeingDeleted") {
    return Judgement{Reason::storage_unreachable,
                     fmt::format("the container '{}' does not exist", printable(container, 200)),
                     "check the container's name in WALE_WABS_PREFIX and the account's in "
                     "WABS_ACCOUNT_NAME"};
  }
  // 404 stands for "this identity may not even know" where containers are not public.
  if (any_of(code, {"ResourceNotFound", "AuthenticationFailed", "AuthorizationFailure",
                    "AuthorizationPermissionMismatch", "AuthorizationProtocolMismatch",
                    "AuthorizationServiceMismatch", "AuthorizationResourceTypeMismatch",
                    "AuthorizationSourceIPMismatch", "InsufficientAccountPermissions",
                    "InvalidAuthenticationInfo", "NoAuthenticationInformation", "AccountIsDisabled",
                    "KeyBasedAuthenticationNotPermitted", "PublicAccessNotPermitted"})) {
    return Judgement{Reason::access_denied, "the service denies access", "?"};
  }
  if (any_of(code, {"BlobArchived", "BlobBeingRehydrated"})) {
    return Judgement{Reason::access_denied, "it is in the archive tier and cannot be read now",
                     "set its tier to hot or cool, and keep backups under test out of the archive"};
  }
  if (any_of(code, {"ServerBusy", "TooManyRequests"})) {
    return Judgement{Reason::storage_unreachable, "the service throttles",
                     "let fewer readers at it: parallel, storage_connections, read_rate_limit",
                     true};
  }
  return std::nullopt;
}

}  // namespace

Result<AzureSettings> AzureSettings::from(const Variables& variables) {
  AzureSettings settings;
  settings.account = value_of(variables, "WABS_ACCOUNT_NAME");
  const std::string endpoint = value_of(variables, "WALE_WABS_ENDPOINT");
  if (settings.account.empty()) {
    return fail(Reason::config_invalid, "WABS_ACCOUNT_NAME is not set",
                "set it to the name of the storage account");
  }
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (!std::all_of(settings.account.begin(), settings.account.end(), plain)) {
    return fail(Reason::config_invalid,
                fmt::format("WABS_ACCOUNT_NAME is '{}', not the name of a storage account",
                            printable(settings.account, 80)),
                "its name alone, in lower-case letters and digits");
  }
  if (const std::string key = value_of(variables, "WABS_ACCESS_KEY"); !key.empty()) {
    const auto decoded = decode_base64(key);
    if (!decoded || decoded->empty()) {
      return fail(Reason::config_invalid, "WABS_ACCESS_KEY is not a key in base64",
                  "copy the account's key once more, whole");
    }
    settings.key = *decoded;
  } else if (const std::string sas = value_of(variables, "WABS_SAS_TOKEN"); !sas.empty()) {
    auto fields = parse_sas_token(sas);
    if (!fields) return std::move(fields).error().within("WABS_SAS_TOKEN");
    settings.sas = *std::move(fields);
  }
  settings.client_id = value_of(variables, "AZURE_CLIENT_ID");
  if (const auto host = value_of(variables, "AZURE_POD_IDENTITY_AUTHORITY_HOST"); !host.empty()) {
    settings.metadata = host;
  }
  if (endpoint.empty()) {
    settings.base = fmt::format("https://{}.blob.core.windows.net", settings.account);
    return settings;
  }
  RAD_TRY(const EndpointUrl place, parse_endpoint(endpoint, "WALE_WABS_ENDPOINT"));
  settings.base = place.base;
  settings.path = place.path;
  return settings;
}

AzureStorage::AzureStorage(AzureSettings settings, const ContainerUrl& url,
                           std::shared_ptr<HttpTransport> transport)
    : settings_(std::move(settings)),
      container_(url.container),
      names_(ObjectNames::without_leading_slash(url.path)),
      transport_(std::move(transport)),
      token_([this](std::stop_token stop) { return fetch_token(std::move(stop)); }) {}

std::string AzureStorage::describe() const {
  return fmt::format("wabs://{}/{}", container_, names_.root());
}

HttpRequest AzureStorage::container_request() const {
  HttpRequest request;
  request.base = settings_.base;
  request.path = fmt::format("{}/{}", settings_.path, percent_encode(container_));
  return request;
}

HttpRequest AzureStorage::object_request(std::string_view key) const {
  HttpRequest request = container_request();
  request.path += '/' + percent_encode(names_.name(key), true);
  return request;
}

Status AzureStorage::each_blob(const std::string& name_prefix, unsigned page_size,
                               const BlobVisitor& visit, std::stop_token stop) {
  HttpRequest request = container_request();
  request.query = {{"restype", "container"}, {"comp", "list"}};
  if (!name_prefix.empty()) request.query.emplace_back("prefix", name_prefix);
  request.query.emplace_back("maxresults", std::to_string(page_size));
  const std::size_t fixed = request.query.size();
  SeenTokens markers;
  // A page may be empty without being the last one.
  for (;;) {
    auto page = ask_page(*transport_, *this, request, stop, parse_azure_listing);
    if (!page) return std::move(page).error().within(fmt::format("listing '{}'", describe()));
    for (const AzureBlob& blob : page->blobs) {
      if (stop.stop_requested()) return fail(Reason::cancelled, "listing was stopped");
      RAD_TRY(const bool more, visit(blob));
      if (!more) return {};
    }
    if (page->next_marker.empty()) return {};
    if (!markers.add(page->next_marker)) {
      return fail(Reason::storage_unreachable,
                  fmt::format("listing '{}': the service goes in circles", describe()));
    }
    request.query.resize(fixed);
    request.query.emplace_back("marker", page->next_marker);
  }
}

Status AzureStorage::visit(std::string_view prefix, const ObjectVisitor& visit,
                           std::stop_token stop) {
  const std::string wanted = names_.name(prefix);
  return each_blob(
      wanted, kPage,
      [&](const AzureBlob& blob) -> Result<bool> {
        auto key = names_.key(blob.name);
        if (!key || !key->starts_with(prefix)) return true;
        RAD_CHECK(visit({.key = *std::move(key), .size = blob.size, .modified = blob.modified}));
        return true;
      },
      std::move(stop));
}

/// By a listing: nothing on the way can make an object seem missing.
Result<ObjectInfo> AzureStorage::stat(std::string_view key) {
  const std::string wanted = names_.name(key);
  std::optional<ObjectInfo> found;
  const Status done = each_blob(
      wanted, 1,
      [&](const AzureBlob& blob) -> Result<bool> {
        if (blob.name == wanted) {
          found = ObjectInfo{.key = std::string(key), .size = blob.size, .modified = blob.modified};
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

Result<std::unique_ptr<ObjectReader>> AzureStorage::open(std::string_view key,
                                                         const OpenOptions& options) {
  ObjectRequest wanted{.request = object_request(key),
                       .key = std::string(key),
                       .options = options,
                       .confirm_missing = [this, key = std::string(key)] { return stat(key); }};
  return transport_->open(wanted, *this);
}

Status AzureStorage::sign(HttpRequest& request, std::stop_token stop) {
  request.headers.emplace_back("x-ms-version", std::string(kAzureVersion));
  request.headers.emplace_back("x-ms-date", format_http_date(TokenKeeper::system_clock().now()));
  if (!settings_.key.empty()) {
    request.headers.emplace_back("Authorization",
                                 azure_shared_key(request, settings_.account, settings_.key));
  } else if (!settings_.sas.empty()) {
    request.query.insert(request.query.end(), settings_.sas.begin(), settings_.sas.end());
  } else {
    RAD_TRY(const auto token, token_.get(std::move(stop)));
    request.headers.emplace_back("Authorization", "Bearer " + token->value);
  }
  return {};
}

Error AzureStorage::judge(const HttpRequest& /*request*/, const HttpResponse& response) const {
  AzureError said = parse_azure_error(response.body);
  // The answer to HEAD has no body.
  if (const auto code = response.header("x-ms-error-code"); !code.empty()) said.code = code;
  const std::string words =
      said.message.empty() ? said.code : fmt::format("{}: {}", said.code, said.message);
  const auto known = judge_code(said.code, container_);
  if (!known) return error_of_status(response, words);
  Error error = fail(known->reason, known->text, known->hint);
  if (error.hint == "?") error.hint = denied_hint(said.detail);
  error.message += fmt::format(" (HTTP {}, {})", response.status, printable(words, 300));
  error.retryable = known->retryable;
  return error;
}

std::string AzureStorage::denied_hint(const std::string& detail) const {
  if (detail.find("Request date header too old") != std::string::npos) {
    return "set this host's clock right";
  }
  if (!settings_.key.empty()) {
    return "check WABS_ACCESS_KEY, that keys are allowed for the account, and its firewall";
  }
  if (settings_.managed()) {
    return "give this host's identity the role Storage Blob Data Reader on the container, and "
           "check "
           "the account's firewall";
  }
  const auto field = [&](std::string_view name) {
    const auto found = std::find_if(settings_.sas.begin(), settings_.sas.end(),
                                    [&](const auto& item) { return item.first == name; });
    return found == settings_.sas.end() ? std::string() : found->second;
  };
  if (const auto end = parse_time(field("se")); end && *end < TokenKeeper::system_clock().now()) {
    return fmt::format("WABS_SAS_TOKEN has expired at {}: make another one", format_rfc3339(*end));
  }
  const std::string rights = field("sp");
  if (!rights.empty() &&
      (rights.find('r') == std::string::npos || rights.find('l') == std::string::npos)) {
    return fmt::format("WABS_SAS_TOKEN gives the rights '{}': it needs r and l",
                       printable(rights, 20));
  }
  return "check WABS_SAS_TOKEN: its rights (r and l), its times, and the account's firewall";
}

bool AzureStorage::renew(const HttpResponse& denied) {
  if (!settings_.managed() || denied.status != 401) return false;
  token_.drop();
  return true;
}

bool AzureStorage::vouches_for_missing(const HttpResponse& response) const {
  return response.header("x-ms-error-code") == "BlobNotFound" &&
         !response.header("x-ms-request-id").empty();
}

Result<AccessToken> AzureStorage::fetch_token(std::stop_token stop) {
  HttpRequest request;
  request.base = settings_.metadata;
  request.path = "/metadata/identity/oauth2/token";
  request.query = {{"api-version", "2018-02-01"}, {"resource", "https://storage.azure.com/"}};
  if (!settings_.client_id.empty()) request.query.emplace_back("client_id", settings_.client_id);
  request.headers = {{"Metadata", "true"}};
  request.no_proxy = true;
  return fetch_metadata_token(
      *transport_, request,
      "set WABS_ACCESS_KEY or WABS_SAS_TOKEN, or give this host a managed identity "
      "(AZURE_CLIENT_ID names it where there are several)",
      std::move(stop));
}

Result<OpenedStorage> open_azure_storage(std::string_view url, const Variables& variables,
                                         const TransportOptions& transport) {
  RAD_TRY(const ContainerUrl place, parse_container_url(url));
  RAD_TRY(AzureSettings settings, AzureSettings::from(variables));
  OpenedStorage opened;
  StorageSummary& summary = opened.summary;
  summary.kind = "azure";
  summary.endpoint = settings.base + settings.path;
  if (!settings.key.empty()) {
    summary.credentials = "account key (WABS_ACCESS_KEY)";
    if (!value_of(variables, "WABS_SAS_TOKEN").empty()) {
      summary.notes.emplace_back("WABS_SAS_TOKEN is not used: WABS_ACCESS_KEY is set");
    }
  } else if (!settings.sas.empty()) {
    summary.credentials = "shared access signature (WABS_SAS_TOKEN)";
  } else {
    summary.credentials = "managed identity of this host";
  }
  opened.storage =
      std::make_unique<AzureStorage>(std::move(settings), place, HttpTransport::make(transport));
  summary.url = opened.storage->describe();
  return opened;
}

}  // namespace rad::object_store
