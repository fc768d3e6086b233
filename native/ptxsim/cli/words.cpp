#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>

#include "cli/cli.h"

namespace ptxsim::cli {
namespace {

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); i++) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); j++) {
      size_t changed = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }

  return row.back();
}

}  // namespace

std::string Words::take(const std::string& what) {
  if (isEmpty()) throw UsageError("the command line ends where " + what + " is expected");
  return all_[next_++];
}

uint64_t wholeNumber(const std::string& text, const std::string& what, uint64_t most) {
  char* end = nullptr;
  errno = 0;
  bool isNumber = !text.empty() && text[0] >= '0' && text[0] <= '9';
  uint64_t value = isNumber ? std::strtoull(text.c_str(), &end, 0) : 0;
  if (!isNumber || *end != 0 || errno != 0 || value > most)
    throw UsageError(what + " is '" + text + "'; expected a whole number from 0 to " + std::to_string(most));
  return value;
}

void triple(const std::string& text, const std::string& what, uint32_t (&sizes)[3]) {
  std::string rest = text;
  for (int i = 0; i < 3; i++) {
    size_t comma = rest.find(',');
    sizes[i] = static_cast<uint32_t>(wholeNumber(rest.substr(0, comma), what, 0x7FFF'FFFF));
    if (comma == std::string::npos) return;
    rest = rest.substr(comma + 1);
  }

  throw UsageError(what + " is '" + text + "'; expected X, X,Y or X,Y,Z");
}

std::vector<std::string> split(const std::string& text, size_t parts) {
  std::vector<std::string> pieces;
  size_t begin = 0;
  for (size_t colon; pieces.size() + 1 < parts && (colon = text.find(':', begin)) != std::string::npos; begin = colon + 1)
    pieces.push_back(text.substr(begin, colon - begin));
  pieces.push_back(text.substr(begin));
  return pieces;
}

std::string nearest(const std::string& word, const std::vector<std::string>& known) {
  auto best = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) { return distance(word, a) < distance(word, b); });
  return best == known.end() ? "" : *best;
}

std::string readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError("'" + path + "' cannot be read: " + std::strerror(errno));
  return {std::istreambuf_iterator<char>(file), {}};
}

void unknownOption(const std::string& option, const std::vector<std::string>& known) {
  throw UsageError("there is no option '" + option + "'; did you mean " + nearest(option, known) + "?");
}

}  // namespace ptxsim::cli
