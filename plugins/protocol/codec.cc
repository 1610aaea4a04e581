#include "plugins/protocol/codec.h"

#include <boost/json/serialize.hpp>
#include <boost/nowide/utf/utf.hpp>
#include <fmt/format.h>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/model/json.h"

namespace rad::protocol {
namespace {

namespace bj = boost::json;

Error bad_message(std::string what) {
  return fail(Reason::plugin_protocol, std::move(what),
              "a message is one JSON-RPC 2.0 object a line, see PROTOCOL.md");
}

std::optional<std::int64_t> read_id(const bj::value& value) {
  if (const auto* number = value.if_int64(); number != nullptr && *number >= 0) return *number;
  return std::nullopt;
}

bool present(const bj::value* value) {
  return value != nullptr && !value->is_null();
}

Result<Message> decode_call(const bj::object& object, const bj::value& method) {
  if (!method.is_string() || method.get_string().empty()) {
    return bad_message("field 'method' is not a name");
  }
  const bj::value* params = object.if_contains("params");
  if (present(params) && !params->is_object()) {
    return bad_message("field 'params' is not an object");
  }
  bj::object given = present(params) ? params->get_object() : bj::object{};
  const bj::value* id = object.if_contains("id");
  std::string name = printable(method.get_string(), 100);
  if (id == nullptr) return Message(Notification{std::move(name), std::move(given)});
  const auto number = read_id(*id);
  if (!number || *number == 0) return bad_message("field 'id' is not a positive integer");
  return Message(Request{*number, std::move(name), std::move(given)});
}

/// Fills in the error half of `response`.
Status decode_error(const bj::object& error, Response& response) {
  RAD_TRY(const std::int64_t number, json::get_int(error, "code"));
  RAD_TRY(const std::string message, json::get_string(error, "message", ""));
  response.error_code = number >= -40000 && number <= 40000 ? static_cast<int>(number) : kFailed;
  const bj::value* data = error.if_contains("data");
  if (!present(data)) {
    response.error = fail(Reason::plugin_protocol,
                          fmt::format("{} (error {})", printable(message, 500), number));
    return {};
  }
  if (!data->is_object()) return bad_message("field 'data' of an error is not an object");
  RAD_TRY(response.error, error_from_json(data->get_object()));
  return {};
}

Result<Message> decode_response(const bj::object& object) {
  Response response;
  const bj::value* result = object.if_contains("result");
  const bj::value* error = object.if_contains("error");
  if (present(result) == present(error)) {
    return bad_message("a message has neither a 'method' nor exactly one of 'result' and 'error'");
  }
  const bj::value* id = object.if_contains("id");
  if (present(id)) {
    const auto number = read_id(*id);
    if (!number) return bad_message("field 'id' is not a positive integer");
    response.id = *number;
  }
  if (present(result)) {
    if (!result->is_object()) return bad_message("field 'result' is not an object");
    if (response.id == 0) return bad_message("a result has no 'id'");
    response.result = result->get_object();
    return Message(std::move(response));
  }
  if (!error->is_object()) return bad_message("field 'error' is not an object");
  RAD_CHECK(decode_error(error->get_object(), response));
  return Message(std::move(response));
}

bool valid_utf8(std::string_view text) {
  using traits = boost::nowide::utf::utf_traits<char>;
  for (const char *at = text.data(), *end = at + text.size(); at != end;) {
    const auto code_point = traits::decode(at, end);
    if (code_point == boost::nowide::utf::illegal || code_point == boost::nowide::utf::incomplete) {
      return false;
    }
  }
  return true;
}

std::string valid_text(std::string_view text) {
  std::string valid(text);
  using traits = boost::nowide::utf::utf_traits<char>;
  for (const char *at = valid.data(), *end = at + valid.size(); at != end;) {
    const char* begin = at;
    const auto code_point = traits::decode(at, end);
    if (code_point == boost::nowide::utf::illegal || code_point == boost::nowide::utf::incomplete) {
      valid[static_cast<std::size_t>(begin - valid.data())] = '?';
      at = begin + 1;
    }
  }
  return valid;
}

void make_valid(bj::value& value) {
  if (auto* text = value.if_string()) {
    *text = valid_text(*text);
  } else if (auto* array = value.if_array()) {
    for (bj::value& member : *array) make_valid(member);
  } else if (auto* object = value.if_object()) {
    bj::object copy;
    for (auto& [key, member] : *object) {
      make_valid(member);
      copy[valid_text(key)] = std::move(member);
    }
    *object = std::move(copy);
  }
}

std::string to_text(bj::value&& value) {
  std::string text = bj::serialize(value);
  // File names out of a backup are bytes; a line that the other side must refuse helps nobody.
  if (!valid_utf8(text)) {
    make_valid(value);
    text = bj::serialize(value);
  }
  return text;
}

std::string to_line(bj::object&& object) {
  std::string line = to_text(std::move(object));
  line.push_back('\n');
  return line;
}

}  // namespace

Result<Message> decode(std::string_view line, BadLine* bad) {
  BadLine ignored;
  BadLine& found = bad != nullptr ? *bad : ignored;
  found = BadLine{};
  if (line.size() >= kMaxLineBytes) {
    return bad_message(fmt::format("a line is longer than {} bytes", kMaxLineBytes));
  }
  RAD_TRY(const bj::value value, json::parse(line, "a message"));
  found.code = kInvalidRequest;
  if (!value.is_object()) return bad_message("a message is not a JSON object");
  const bj::object& object = value.get_object();
  if (const bj::value* id = object.if_contains("id")) found.id = read_id(*id).value_or(0);
  const bj::value* version = object.if_contains("jsonrpc");
  if (version == nullptr || !version->is_string() || version->get_string() != "2.0") {
    return bad_message("field 'jsonrpc' is not \"2.0\"");
  }
  const bj::value* method = object.if_contains("method");
  return method != nullptr ? decode_call(object, *method) : decode_response(object);
}

std::string encode(const Request& message) {
  return to_line({{"jsonrpc", "2.0"},
                  {"id", message.id},
                  {"method", message.method},
                  {"params", message.params}});
}

std::string encode(const Notification& message) {
  return to_line({{"jsonrpc", "2.0"}, {"method", message.method}, {"params", message.params}});
}

std::string encode(const Response& message) {
  bj::object object{{"jsonrpc", "2.0"}, {"id", nullptr}};
  if (message.id != 0) object["id"] = message.id;
  if (message.error) {
    object["error"] = bj::object{{"code", message.error_code == 0 ? kFailed : message.error_code},
                                 {"message", json::safe_string(message.error->message)},
                                 {"data", to_json(*message.error)}};
  } else {
    object["result"] = message.result.value_or(bj::object{});
  }
  return to_line(std::move(object));
}

std::string encode_outcomes(const std::vector<CheckOutcome>& outcomes) {
  bj::array array;
  array.reserve(outcomes.size());
  for (const CheckOutcome& outcome : outcomes) array.push_back(to_json(outcome));
  return to_text(std::move(array));
}

Result<std::vector<CheckOutcome>> decode_outcomes(std::string_view text) {
  RAD_TRY(const bj::value value, json::parse(text, "the outcomes file"));
  if (!value.is_array()) return bad_message("the outcomes file is not a JSON array");
  const bj::array& array = value.get_array();
  if (array.size() > kMaxFileOutcomes) {
    return bad_message(fmt::format("the outcomes file holds {} outcomes, at most {} are taken",
                                   array.size(), kMaxFileOutcomes));
  }
  std::vector<CheckOutcome> outcomes;
  outcomes.reserve(array.size());
  for (const bj::value& member : array) {
    if (!member.is_object()) return bad_message("an entry of the outcomes file is not an object");
    RAD_TRY(CheckOutcome outcome, check_outcome_from_json(member.get_object()));
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace rad::protocol
