#include "agent/report/layout.h"

#include <algorithm>

namespace rad {
namespace {

constexpr std::size_t kNarrowest = 4;
constexpr std::string_view kGap = "  ";

bool continues(char c) {
  return (static_cast<unsigned char>(c) & 0xc0U) == 0x80U;
}

std::vector<std::size_t> column_widths(const std::vector<std::vector<std::string>>& rows,
                                       std::size_t width) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], columns(row[i]));
    }
  }
  if (widths.empty()) return widths;
  const auto total = [&] {
    std::size_t sum = (widths.size() - 1) * kGap.size();
    for (const auto w : widths) sum += w;
    return sum;
  };
  while (total() > width) {
    auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kNarrowest) break;
    --*widest;
  }
  return widths;
}

}  // namespace

std::size_t columns(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string cut_columns(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t end = 0;
  for (std::size_t used = 0; end < text.size(); ++end) {
    if (!continues(text[end]) && used++ == width - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string> layout_table(const std::vector<std::vector<std::string>>& rows,
                                      std::size_t width, std::size_t indent) {
  const auto widths = column_widths(rows, width > indent ? width - indent : 0);
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i != 0) line += kGap;
      const std::string cell = cut_columns(row[i], widths[i]);
      line += cell;
      line.append(widths[i] - std::min(widths[i], columns(cell)), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string labelled(std::string_view label, std::string_view text, std::size_t label_columns,
                     std::size_t width, std::size_t indent) {
  const std::size_t margin = indent + label_columns + kGap.size();
  std::string out(indent, ' ');
  out += label;
  out.append(label_columns + kGap.size() - std::min(label_columns, columns(label)), ' ');
  std::size_t used = margin;
  bool first = true;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
    if (!first && used + 1 + columns(word) > width) {
      out += "\n" + std::string(margin, ' ');
      used = margin;
    } else if (!first) {
      out += ' ';
      ++used;
    }
    out += word;
    used += columns(word);
    first = false;
  }
  return out + "\n";
}

}  // namespace rad
