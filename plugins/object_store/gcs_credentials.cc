#include "plugins/object_store/gcs_credentials.h"

#include <memory>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "plugins/object_store/base64.h"
#include "plugins/object_store/http_transport.h"
#include "plugins/object_store/metadata_token.h"

namespace rad::object_store {
namespace {

using boost::json::object;

constexpr std::string_view kGoogleTokenUri = "https://oauth2.googleapis.com/token";
constexpr std::int64_t kLifeSeconds = 3600;

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* thing) const noexcept {
    Free(thing);
  }
};
using Bio = std::unique_ptr<BIO, Freed<&BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<&EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<&EVP_MD_CTX_free>>;

/// A key with a passphrase must not make OpenSSL ask for it on a terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

Result<std::string> sign_rs256(const std::string& pem, std::string_view text) {
  const auto unusable = [] {
    return fail(Reason::config_invalid,
                "the private key of GOOGLE_APPLICATION_CREDENTIALS cannot be used: it is not an "
                "RSA key in PEM without a passphrase",
                "make another key for the service account, in JSON");
  };
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr)
                    : nullptr);
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return unusable();
  const DigestContext context(EVP_MD_CTX_new());
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    return unusable();
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes, text.size()) != 1) {
    return unusable();
  }
  signature.resize(size);
  return signature;
}

std::string form(const Fields& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!text.empty()) text += '&';
    text += percent_encode(name) + '=' + percent_encode(value);
  }
  return text;
}

}  // namespace

Result<GcsCredentials> GcsCredentials::parse(std::string_view json, std::string_view file) {
  const auto bad = [&](std::string_view what) {
    return fail(Reason::config_invalid,
                fmt::format("'{}' (GOOGLE_APPLICATION_CREDENTIALS) {}", file, what),
                "give the JSON file of a service account, or of `gcloud auth application-default "
                "login`",
                std::string(file));
  };
  const auto document = json::parse(json, "the credentials", Reason::config_invalid);
  if (!document || !document->is_object()) return bad("is not a JSON object");
  const auto get = [&](std::string_view key) {
    const auto text = json::get_string(document->get_object(), key, "");
    return text ? *text : std::string();
  };
  GcsCredentials credentials;
  const std::string type = get("type");
  if (type == "service_account") {
    credentials.kind = Kind::service_account;
    credentials.account = get("client_email");
    credentials.key_id = get("private_key_id");
    credentials.private_key = get("private_key");
    if (credentials.account.empty() || credentials.private_key.empty()) {
      return bad("lacks client_email or private_key");
    }
  } else if (type == "authorized_user") {
    credentials.kind = Kind::user;
    credentials.account = get("client_id");
    credentials.client_secret = get("client_secret");
    credentials.refresh_token = get("refresh_token");
    if (credentials.account.empty() || credentials.refresh_token.empty()) {
      return bad("lacks client_id or refresh_token");
    }
  } else {
    return bad(
        fmt::format("is of the type '{}': understood are service_account and "
                    "authorized_user",
                    printable(type, 60)));
  }
  credentials.token_uri = get("token_uri");
  if (credentials.token_uri.empty()) credentials.token_uri = kGoogleTokenUri;
  const auto url = parse_endpoint(credentials.token_uri, "token_uri");
  if (!url) return bad("has a token_uri that is not a plain address");
  credentials.token_base = url->base;
  credentials.token_path = url->path.empty() ? "/" : url->path;
  return credentials;
}

Result<std::string> make_gcs_jwt(const GcsCredentials& credentials, TimePoint now) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  object header{{"alg", "RS256"}, {"typ", "JWT"}};
  if (!credentials.key_id.empty()) header["kid"] = credentials.key_id;
  const object claims{{"iss", credentials.account},
                      {"scope", kGcsScope},
                      {"aud", credentials.token_uri},
                      {"iat", seconds},
                      {"exp", seconds + kLifeSeconds}};
  std::string text =
      base64_url(boost::json::serialize(header)) + '.' + base64_url(boost::json::serialize(claims));
  RAD_TRY(const std::string signature, sign_rs256(credentials.private_key, text));
  return text + '.' + base64_url(signature);
}

Result<HttpRequest> gcs_token_request(const GcsCredentials& credentials, TimePoint now) {
  HttpRequest request;
  request.method = "POST";
  request.base = credentials.token_base;
  request.path = credentials.token_path;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  if (credentials.kind == GcsCredentials::Kind::service_account) {
    RAD_TRY(const std::string jwt, make_gcs_jwt(credentials, now));
    request.body =
        form({{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"}, {"assertion", jwt}});
  } else {
    request.body = form({{"grant_type", "refresh_token"},
                         {"client_id", credentials.account},
                         {"client_secret", credentials.client_secret},
                         {"refresh_token", credentials.refresh_token}});
  }
  return request;
}

Error judge_gcs_token(const HttpResponse& response) {
  Error error = error_of_status(response);
  if (error.retryable) return error;
  std::string words;
  if (const auto document = json::parse(response.body, "the answer");
      document && document->is_object()) {
    for (const char* key : {"error", "error_description"}) {
      const auto text = json::get_string(document->get_object(), key, "");
      if (text && !text->empty()) words += (words.empty() ? "" : ": ") + *text;
    }
  }
  error.reason = Reason::access_denied;
  error.message = fmt::format("the token endpoint gives no token (HTTP {}{}{})", response.status,
                              words.empty() ? "" : ", ", printable(words, 300));
  error.hint =
      "check the file of GOOGLE_APPLICATION_CREDENTIALS: that its key or login has not been "
      "revoked; and that the clock of this host is right";
  return error;
}

}  // namespace rad::object_store
