#include "agent/config/yaml_document.h"

#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "agent/base/text.h"

namespace rad {
namespace {

/// Stops the parser at the first thing after which the tree cannot be used.
struct Stop {
  Diagnostic diagnostic;
};

/// Nodes and bytes of text that a finished node is made of.
struct Size {
  std::size_t nodes = 1;
  std::size_t text_bytes = 0;
};

/// Builds the tree from the parser's events.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, const YamlLimits& limits)
      : file_(std::move(file)), limits_(limits) {}

  YamlNode root;
  std::vector<Diagnostic> errors;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) stop(mark, "found a second document ('---'), expected one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(make(YamlNode::Kind::null, mark), Size{}, 1, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    auto node = make(YamlNode::Kind::scalar, mark);
    if (tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str") unknown_tag(mark, tag);
    node.text = value;
    node.quoted = tag != "?";
    const Size size{.nodes = 1, .text_bytes = value.size()};
    add(std::move(node), size, 1, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "an alias stands inside what it stands for");
    if (frames_.size() + found->second.depth > limits_.depth) too_deep(mark);
    auto node = found->second.node;
    std::tie(node.line, node.column) = place(mark);
    add(std::move(node), found->second.size, found->second.depth, YAML::NullAnchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    push(YamlNode::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { pop(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    push(YamlNode::Kind::mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { pop(); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    Size size;
    std::size_t depth = 1;            ///< levels below, this one included
    std::optional<YamlNode> key;      ///< mapping: waits for its value
    std::map<std::string, int> seen;  ///< mapping: keys and their lines
  };
  struct Anchored {
    YamlNode node;
    Size size;
    std::size_t depth = 1;
  };

  static std::pair<int, int> place(const YAML::Mark& mark) {
    return {mark.line + 1, mark.column + 1};
  }
  static YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
    YamlNode node;
    node.kind = kind;
    std::tie(node.line, node.column) = place(mark);
    return node;
  }

  [[noreturn]] void stop(const YAML::Mark& mark, std::string message, std::string hint = {}) {
    const auto [line, column] = place(mark);
    throw Stop{{.at = {.file = file_, .line = line, .column = column},
                .key = {},
                .message = std::move(message),
                .hint = std::move(hint)}};
  }
  [[noreturn]] void too_deep(const YAML::Mark& mark) {
    stop(mark, fmt::format("nested more than {} levels deep", limits_.depth));
  }
  [[noreturn]] void unknown_tag(const YAML::Mark& mark, const std::string& tag) {
    stop(mark, fmt::format("found tag '{}', expected none", printable(tag, 60)),
         "put a value in quotes to make it a string");
  }

  void push(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (tag != "?" && !tag.empty()) unknown_tag(mark, tag);
    if (frames_.size() >= limits_.depth) too_deep(mark);
    Frame frame;
    frame.node = make(kind, mark);
    frame.anchor = anchor;
    count(frame.node, Size{});
    frames_.push_back(std::move(frame));
  }

  void pop() {
    auto frame = std::move(frames_.back());
    frames_.pop_back();
    finish(std::move(frame.node), frame.size, frame.depth, frame.anchor);
  }

  /// A scalar or an alias: counted here; containers are counted when they begin.
  void add(YamlNode node, const Size& size, std::size_t depth, YAML::anchor_t anchor) {
    count(node, size);
    finish(std::move(node), size, depth, anchor);
  }

  void count(const YamlNode& node, const Size& size) {
    nodes_ += size.nodes;
    text_bytes_ += size.text_bytes;
    if (nodes_ <= limits_.nodes && text_bytes_ <= limits_.text_bytes) return;
    throw Stop{{.at = {.file = file_, .line = node.line, .column = node.column},
                .key = {},
                .message = fmt::format("more than {} values or {}, aliases included", limits_.nodes,
                                       format_bytes(limits_.text_bytes)),
                .hint = {}}};
  }

  void finish(YamlNode node, const Size& size, std::size_t depth, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = {.node = node, .size = size, .depth = depth};
    if (frames_.empty()) {
      root = std::move(node);
      return;
    }
    auto& parent = frames_.back();
    parent.size.nodes += size.nodes;
    parent.size.text_bytes += size.text_bytes;
    parent.depth = std::max(parent.depth, depth + 1);
    if (parent.node.kind == YamlNode::Kind::sequence) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      parent.key = std::move(node);
    } else {
      insert(parent, std::move(node));
    }
  }

  void insert(Frame& parent, YamlNode value) {
    const auto key = std::move(*parent.key);
    parent.key.reset();
    if (key.kind != YamlNode::Kind::scalar) {
      errors.push_back({.at = {.file = file_, .line = key.line, .column = key.column},
                        .key = {},
                        .message = fmt::format("found {} as a key, expected a word", describe(key)),
                        .hint = {}});
      return;
    }
    const auto [first, is_new] = parent.seen.emplace(key.text, key.line);
    if (!is_new) {
      errors.push_back(
          {.at = {.file = file_, .line = key.line, .column = key.column},
           .key = path_of(key.text),
           .message = fmt::format("the key is here twice, first in line {}", first->second),
           .hint = "remove one of the two"});
      return;
    }
    parent.node.entries.push_back(
        {.key = key.text, .line = key.line, .column = key.column, .value = std::move(value)});
  }

  /// "targets[0].keep.on_fail" for a key of the innermost mapping.
  std::string path_of(const std::string& key) const {
    std::string path;
    for (std::size_t i = 0; i + 1 < frames_.size(); ++i) {
      const auto& frame = frames_[i];
      if (frame.node.kind == YamlNode::Kind::sequence) {
        path += fmt::format("[{}]", frame.node.items.size());
      } else if (frame.key) {
        path += (path.empty() ? "" : ".") + printable(frame.key->text, 80);
      }
    }
    return path + (path.empty() ? "" : ".") + printable(key, 80);
  }

  std::string file_;
  YamlLimits limits_;
  int documents_ = 0;
  std::size_t nodes_ = 0;
  std::size_t text_bytes_ = 0;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
};

Diagnostic from_exception(const YAML::Exception& exception, const std::string& file) {
  Diagnostic diagnostic;
  diagnostic.at.file = file;
  if (!exception.mark.is_null()) {
    diagnostic.at.line = exception.mark.line + 1;
    diagnostic.at.column = exception.mark.column + 1;
  }
  diagnostic.message = "not valid YAML: " + printable(exception.msg, 200);
  diagnostic.hint = "look for an open quote or bracket above, and at the indentation";
  if (exception.msg == YAML::ErrorMsg::DOC_IN_SCALAR) {
    diagnostic.message = "not valid YAML: a quote that was opened is not closed before this line";
    diagnostic.hint = "look for a \" or ' that has no partner";
  }
  return diagnostic;
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const noexcept {
  for (const auto& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

YamlDocument parse_yaml(std::string_view text, const std::string& file, const YamlLimits& limits) {
  YamlDocument document;
  TreeBuilder builder(file, limits);
  try {
    // yaml-cpp takes a quote that is never closed, and all that follows as its text, if the file
    // ends in a newline. At a document's end mark it does complain.
    std::istringstream stream{std::string(text) + (text.ends_with('\n') ? "...\n" : "\n...\n")};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    document.usable = true;
  } catch (Stop& stop) {
    builder.errors.push_back(std::move(stop.diagnostic));
  } catch (const YAML::Exception& exception) {
    builder.errors.push_back(from_exception(exception, file));
  } catch (const std::exception& exception) {
    // yaml-cpp lets a few standard exceptions of its own conversions through.
    builder.errors.push_back({.at = {.file = file, .line = 0, .column = 0},
                              .key = {},
                              .message = fmt::format("not valid YAML: {}", exception.what()),
                              .hint = {}});
  }
  document.root = std::move(builder.root);
  document.errors = std::move(builder.errors);
  return document;
}

std::string describe(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      return "nothing";
    case YamlNode::Kind::scalar:
      return fmt::format("'{}'", printable(node.text, 80));
    case YamlNode::Kind::sequence:
      return "a list";
    case YamlNode::Kind::mapping:
      return "a mapping";
  }
  return "nothing";
}

}  // namespace rad
