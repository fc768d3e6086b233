// Calls are inlined: a callee's parameters are local memory of the caller's .param variables (PTX ISA, sections 7.1 and 9.7.11.5).
#include <algorithm>

#include "exec/decoder.h"
#include "syntax/error.h"

namespace ptxsim {

// call (results), function, (arguments);  results and arguments may be absent.
void Decoder::call(const Statement& statement, const KnownForm& form) {
  auto operands = statement.operands;
  std::vector<Operand> results, arguments;
  size_t at = 0;
  if (at < operands.size() && operands[at].kind == Operand::Kind::Group) results = operands[at++].parts;
  if (at >= operands.size() || operands[at].kind != Operand::Kind::Name) fail("expected a function's name");
  std::string name = operands[at++].name;
  if (at < operands.size() && operands[at].kind == Operand::Kind::Group) arguments = operands[at++].parts;
  if (at < operands.size()) fail("calls through a register are not modelled");
  if (name == "__assertfail" || name == "vprintf") {
    builtin(statement, form, name, arguments);
    return;
  }

  const Function* callee = nullptr;
  for (const auto& function : image_.module.functions)
    if (function.name == name && !function.isDeclaration) callee = &function;
  if (!callee) fail("there is no body of function '" + name + "' in the module");
  if (callee->isEntry) fail("'" + name + "' is an entry and cannot be called");

  // A predicated call: whoever is not taken along jumps over it. The branch is the guard, negated.
  uint32_t guard = 0;
  bool isGuarded = !statement.predicate.empty();
  if (isGuarded) {
    auto jump = begin(statement, formsOf("bra")[0]);
    jump.isPredicateNegated = !jump.isPredicateNegated;
    guard = static_cast<uint32_t>(kernel_.code.size());
    append(jump);
  }

  Scope scope;
  bindParameters(callee->results, results, scope, "results");
  bindParameters(callee->parameters, arguments, scope, "arguments");
  // The callee sees none of the caller's names.
  auto outer = std::move(scopes_);
  scopes_.clear();
  scopes_.push_back(std::move(scope));
  body(*callee);
  scopes_ = std::move(outer);
  if (isGuarded) kernel_.code[guard].target = static_cast<uint32_t>(kernel_.code.size());
}

void Decoder::bindParameters(const std::vector<Variable>& parameters, const std::vector<Operand>& arguments, Scope& scope, const char* what) {
  if (parameters.size() != arguments.size())
    fail("the function takes " + std::to_string(parameters.size()) + " " + what + ", found " + std::to_string(arguments.size()));
  for (size_t i = 0; i < parameters.size(); i++) {
    Symbol* given = arguments[i].kind == Operand::Kind::Name ? find(arguments[i].name) : nullptr;
    if (!given) fail("there is no '" + arguments[i].name + "' to pass");
    bool isRegister = parameters[i].space == Space::Reg;
    if (isRegister != (given->kind == Symbol::Kind::Register) || (!isRegister && given->kind != Symbol::Kind::CallParameter))
      fail("'" + arguments[i].name + "' is not of the kind that parameter '" + parameters[i].name + "' has");
    scope[parameters[i].name] = *given;
  }
}

// The two functions of the device's runtime that compilers call: their arguments are where the .param variables lie.
void Decoder::builtin(const Statement& statement, const KnownForm& form, const std::string& name, const std::vector<Operand>& arguments) {
  size_t wanted = name == "vprintf" ? 2 : 5;
  if (arguments.size() != wanted) fail("'" + name + "' takes " + std::to_string(wanted) + " arguments");
  auto result = begin(statement, form);
  result.mode = name == "vprintf" ? 1 : 0;
  result.target = static_cast<uint32_t>(kernel_.tables.size());
  auto& places = kernel_.tables.emplace_back();
  for (const auto& argument : arguments) {
    Symbol* symbol = argument.kind == Operand::Kind::Name ? find(argument.name) : nullptr;
    if (!symbol || symbol->kind != Symbol::Kind::CallParameter) fail("'" + argument.name + "' is no parameter of a call");
    places.push_back(static_cast<uint32_t>(symbol->value));
  }

  append(result);
}

}  // namespace ptxsim
