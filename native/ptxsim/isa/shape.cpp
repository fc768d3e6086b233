#include "isa/shape.h"

#include <algorithm>
#include <optional>
#include <string>

#include "syntax/error.h"

namespace ptxsim {
namespace {

// One element of a modifier pattern: alternatives, and whether one of them must stand.
struct Slot {
  std::vector<std::string_view> choices;
  bool isRequired = true;
};

std::vector<Slot> slotsOf(std::string_view pattern) {
  std::vector<Slot> slots;
  for (size_t at = 0; at < pattern.size();) {
    char c = pattern[at];
    if (c == ' ') {
      at++;
      continue;
    }

    Slot slot;
    char close = c == '{' ? '}' : c == '<' ? '>' : '\0';
    size_t end = close ? pattern.find(close, at) : std::min(pattern.find(' ', at), pattern.size());
    slot.isRequired = c != '{';
    size_t word = close ? at + 1 : at;
    while (word < end) {
      size_t stop = std::min(pattern.find(' ', word), end);
      slot.choices.push_back(pattern.substr(word, stop - word));
      word = stop + 1;
    }

    slots.push_back(std::move(slot));
    at = close ? end + 1 : end;
  }

  return slots;
}

bool startsWithWord(std::string_view text, std::string_view word) {
  return text.starts_with(word) && (text.size() == word.size() || text[word.size()] == '.');
}

// An optional slot may have to stay empty for a later one: "{.ca .cg} .nc" against ".nc". So try both.
bool match(std::string_view text, const std::vector<Slot>& slots, size_t slot, std::vector<std::string_view>& words) {
  if (slot == slots.size()) return text.empty();
  for (auto choice : slots[slot].choices) {
    if (!startsWithWord(text, choice)) continue;
    words.push_back(choice);
    if (match(text.substr(choice.size()), slots, slot + 1, words)) return true;
    words.pop_back();
  }

  return !slots[slot].isRequired && match(text, slots, slot + 1, words);
}

struct Row {
  const Form* form;
  std::vector<Slot> slots;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> parsed = [] {
    std::vector<Row> result;
    for (const auto& form : forms()) result.push_back({&form, slotsOf(form.modifiers)});
    return result;
  }();
  return parsed;
}

void findTypes(Shape& shape) {
  int count = 0;
  for (auto word : shape.words)
    if (auto type = parseType(word); type && word[0] == '.' && count < 2) shape.types[count++] = *type;
}

}  // namespace

bool Shape::has(std::string_view word) const { return std::find(words.begin(), words.end(), word) != words.end(); }

std::string_view Shape::oneOf(std::initializer_list<std::string_view> choices) const {
  for (auto choice : choices)
    if (has(choice)) return choice;
  return {};
}

std::vector<Shape> shapesOf(std::string_view text, int version, int target, int line) {
  size_t dot = std::min(text.find('.'), text.size());
  auto opcode = text.substr(0, dot), modifiers = text.substr(dot);
  std::vector<Shape> found;
  const Form* tooNew = nullptr;
  std::string known;
  for (const auto& row : rows()) {
    if (row.form->opcode != opcode) continue;
    Shape shape{row.form, {}, {}};
    known += "\n  " + std::string(opcode) + " " + std::string(row.form->modifiers);
    if (!match(modifiers, row.slots, 0, shape.words)) continue;
    if (row.form->version > version || row.form->target > target) {
      tooNew = row.form;
      continue;
    }

    findTypes(shape);
    found.push_back(std::move(shape));
  }

  if (!found.empty()) return found;
  std::string name(text);
  if (tooNew)
    throw PtxError(line, "'" + name + "' needs .version " + std::to_string(tooNew->version / 10) + "." + std::to_string(tooNew->version % 10) +
                             " and .target sm_" + std::to_string(tooNew->target) + " (PTX ISA " + std::string(tooNew->section) +
                             "); the module has .version " + std::to_string(version / 10) + "." + std::to_string(version % 10) +
                             " and .target sm_" + std::to_string(target));
  for (const auto& refusal : refusals())
    if (startsWithWord(text, refusal.opcode)) throw PtxError(line, "'" + name + "': " + std::string(refusal.reason));
  if (known.empty()) throw PtxError(line, "there is no instruction '" + std::string(opcode) + "' in '" + name + "', or it is not modelled");
  throw PtxError(line, "'" + name + "' is no form of '" + std::string(opcode) + "' that is modelled; those are" + known);
}

std::vector<std::string_view> rolesOf(const Form& form) {
  std::vector<std::string_view> roles;
  auto text = form.operands;
  while (!text.empty()) {
    size_t comma = std::min(text.find(','), text.size());
    roles.push_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }

  return roles;
}

}  // namespace ptxsim
