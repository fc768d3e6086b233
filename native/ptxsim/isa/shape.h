// Finds the row of the table that an instruction's opcode and modifiers spell.
#pragma once

#include <string_view>
#include <vector>

#include "isa/forms.h"
#include "isa/types.h"

namespace ptxsim {

// An opcode with its modifiers, understood.
struct Shape {
  const Form* form = nullptr;
  std::vector<std::string_view> words;  // alternatives of the pattern that matched, with their dots
  Type types[2] = {Type::None, Type::None};

  bool has(std::string_view word) const;
  // The words among `choices`, of which a form has at most one; empty if it has none.
  std::string_view oneOf(std::initializer_list<std::string_view> choices) const;
  Type type() const { return types[0]; }
  Type second() const { return types[1]; }
};

// All rows that `text` ("add.rn.f32") spells: mov has one with and one without braces.
// Throws PtxError(line) with what is wrong: unknown opcode, refused by name, no such form, .version or .target too low.
std::vector<Shape> shapesOf(std::string_view text, int version, int target, int line);

// The roles of a form's operands, split at its commas.
std::vector<std::string_view> rolesOf(const Form& form);

}  // namespace ptxsim
