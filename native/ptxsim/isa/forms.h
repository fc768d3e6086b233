// The instruction forms that ptxsim executes, as a table to hold against the PTX manual: one row per form, by section.
#pragma once

#include <span>
#include <string_view>

namespace ptxsim {

// One row. `modifiers` is a pattern over what follows the opcode; alternatives may span several words (.xorsign.abs):
//   .x        must stand here        {.a .b}   none or one of them        <.a .b>   exactly one of them
// The first type among the matched words is T, the second U.
// `operands` is a list of roles, each with the type that its register must have (T, U, 2T: twice as wide, or a literal such as u32):
//   d:T  a register that is written                 m:T  the same, and it may be wider than T (section 9.4.1)
//   a:T  a register or a constant                   n:T  the same, and the register may be wider
//   s:T  as a:, or a special register, or the address of a variable
//   r:T  a register that is read                    i:T  a constant
//   p    a predicate that is written                q    a predicate that is read, negated by !
//   p|p  d:T|p  two results, of which the second may be absent
//   u:T  a register that is read and written, in (x)*N alone: they are kept apart from the operands
//   _    nothing: the result that the form does not have, written so
//   M    a tensor map and coordinates, [a, {x, y}]
//   @    an address      L  a label      B  branch targets      C  results, function and arguments of a call
//   (x)  as many as .v2 or .v4 says, in braces, or one without       (x)*4  exactly so many in braces, or one without braces if 1
//   {x}  two or four of them in braces, which share T's bits evenly
//   ?x   may be absent
// `version` and `target` are the lowest .version (times ten) and sm that have the form.
struct Form {
  std::string_view opcode;
  std::string_view modifiers;
  std::string_view operands;
  int version;
  int target;
  std::string_view section;
};

std::span<const Form> forms();

// Opcodes that exist in PTX and are refused by name, with the reason.
struct Refusal {
  std::string_view opcode;
  std::string_view reason;
};
std::span<const Refusal> refusals();

}  // namespace ptxsim
