#include "syntax/spell.h"

#include <cstdio>

namespace ptxsim {
namespace {

std::string spell(const Operand& operand) {
  std::string text = operand.isNegated ? "!" : "";
  auto join = [](const std::vector<Operand>& parts) {
    std::string joined;
    for (const auto& part : parts) joined += (joined.empty() ? "" : ", ") + spell(part);
    return joined;
  };
  auto offset = [&] { return operand.offset == 0 ? std::string() : (operand.offset > 0 ? "+" : "") + std::to_string(operand.offset); };
  switch (operand.kind) {
    case Operand::Kind::Name: text += operand.name + offset(); break;
    case Operand::Kind::Sink: text += "_"; break;
    case Operand::Kind::Integer: text += std::to_string(static_cast<int64_t>(operand.bits)); break;
    case Operand::Kind::Address: text += "[" + operand.name + offset() + "]"; break;
    case Operand::Kind::Vector: text += "{" + join(operand.parts) + "}"; break;
    case Operand::Kind::Group: text += "(" + join(operand.parts) + ")"; break;
    case Operand::Kind::Float32: case Operand::Kind::Float64: {
      char digits[24];
      bool single = operand.kind == Operand::Kind::Float32;
      std::snprintf(digits, sizeof digits, single ? "0f%08llX" : "0d%016llX", static_cast<unsigned long long>(operand.bits));
      text += digits;
      break;
    }
  }

  return operand.second ? text + "|" + spell(*operand.second) : text;
}

}  // namespace

std::string spell(const Statement& statement) {
  std::string text;
  if (!statement.predicate.empty()) text = std::string("@") + (statement.isPredicateNegated ? "!" : "") + statement.predicate + " ";
  text += statement.text;
  for (size_t i = 0; i < statement.operands.size(); i++) text += (i ? ", " : " ") + spell(statement.operands[i]);
  return text + ";";
}

}  // namespace ptxsim
