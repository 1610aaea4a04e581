// Walks a YAML tree along the option table: every key is known or told, every value has its type
// and range. What it found is asked for by path afterwards.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/config/loader.h"
#include "agent/config/option_table.h"
#include "agent/config/yaml_document.h"

namespace rad {

/// One file. Paths are concrete: "targets[0].name".
class SectionReader {
 public:
  /// The arguments must outlive the reader. Mistakes are appended to `errors`.
  SectionReader(std::string file, const Environment& environment, std::vector<Diagnostic>& errors)
      : file_(std::move(file)), environment_(environment), errors_(errors) {}

  /// \param top_keys the keys that this file may have; "" stands for all of the table.
  void read(const YamlNode& root, std::string_view top_keys = {});

  /// The value as text, from the file or the row's default ("" if there is none).
  std::string text(const std::string& path) const;
  /// Whether the file has the key, with a usable value.
  bool has(const std::string& path) const { return found_.contains(path); }
  /// Whether the file has the key, whatever its value.
  bool mentions(const std::string& path) const { return marks_.contains(path); }
  /// Elements of a list.
  std::size_t count(const std::string& path) const;
  /// Options that belong to a plugin.
  const PluginOptions& options(const std::string& path) const;
  /// Of the value; of the nearest section that exists if it is not there.
  SourceMark mark(const std::string& path) const;

  void complain(const std::string& path, std::string message, std::string hint = {});

 private:
  void read_section(const YamlNode& node, const std::string& path, bool open);
  void read_list(const YamlNode& node, const std::string& path, const OptionRow& row);
  void read_value(const YamlNode& node, const std::string& path, const OptionRow& row);
  void read_names(const YamlNode& node, const std::string& path, const OptionRow& row);
  void read_row(const YamlNode& node, const std::string& path, const OptionRow& row);
  void read_option(const YamlEntry& entry, const std::string& path);
  void unknown_key(const YamlEntry& entry, const std::string& path,
                   const std::vector<const OptionRow*>& rows);
  void missing_key(const YamlNode& node, const std::string& path, const OptionRow& row);
  bool reporter_is_known(const YamlNode& node, const std::string& path);
  void add_error(const SourceMark& at, const std::string& path, std::string message,
                 std::string hint = {});
  SourceMark at(const YamlNode& node) const { return {file_, node.line, node.column}; }

  std::string file_;
  const Environment& environment_;
  std::vector<Diagnostic>& errors_;
  std::map<std::string, std::string> found_;
  std::map<std::string, std::size_t> counts_;
  std::map<std::string, SourceMark> marks_;
  std::map<std::string, PluginOptions> options_;
};

}  // namespace rad
