// Bodies of PTX functions: blocks, labels, instructions and their operands (PTX ISA, sections 4.3 and 6.4).
#include "syntax/error.h"
#include "syntax/parser.h"

namespace ptxsim {

Block Parser::block(int depth) {
  if (depth > MaxNesting) fail("at most " + std::to_string(MaxNesting) + " nested blocks");
  Block block;
  while (!accept('}')) {
    if (peek().kind == TokenKind::End) fail("'}' at the end of a block");
    block.statements.push_back(statement(depth));
  }

  return block;
}

Statement Parser::statement(int depth) {
  Statement result;
  result.line = peek().line;
  if (accept('{')) {
    result.kind = Statement::Kind::Block;
    result.block = std::make_unique<Block>(block(depth + 1));
    return result;
  }

  if (peek().kind == TokenKind::Word && is(':', 1)) {
    result.kind = Statement::Kind::Label;
    result.text = word("a label");
    expect(':', "after a label");
    return isDirective(".branchtargets") ? branchTargets(result.text) : std::move(result);
  }

  if (peek().kind != TokenKind::Directive) return instruction();
  if (accept(".loc")) return location();
  if (accept(".pragma")) {
    take();
    expect(';', "after a pragma");
    result.kind = Statement::Kind::Declaration;
    return result;
  }

  auto space = parseSpace(peek().text);
  if (space != Space::Reg && space != Space::Local && space != Space::Shared && space != Space::Param)
    fail("an instruction, a label, or a declaration in .reg, .local, .shared or .param");
  take();
  result.kind = Statement::Kind::Declaration;
  result.variables = variables(*space);
  return result;
}

Statement Parser::location() {
  Statement result;
  result.kind = Statement::Kind::Location;
  result.line = peek().line;
  result.file = smallInteger("a file number", 1 << 16);
  result.sourceLine = smallInteger("a line", 1 << 30);
  smallInteger("a column", 1 << 30);
  // ", function_name $L__info + 12, inlined_at 1 20 3": where the code was inlined to, which a report does not name.
  while (accept(',')) {
    std::string what = word("function_name or inlined_at");
    if (what == "function_name") {
      word("a label");
      if (is('+')) signedInteger("an offset");
    } else {
      for (int i = 0; i < 3; i++) smallInteger("file, line and column", 1 << 30);
    }
  }

  return result;
}

Statement Parser::branchTargets(const std::string& label) {
  Statement result;
  result.kind = Statement::Kind::BranchTargets;
  result.line = peek().line;
  result.text = label;
  take();
  do {
    result.targets.push_back(word("a label"));
  } while (accept(','));
  expect(';', "after branch targets");
  return result;
}

Statement Parser::instruction() {
  Statement result;
  result.line = peek().line;
  if (accept('@')) {
    result.isPredicateNegated = accept('!');
    result.predicate = word("a predicate register");
  }

  result.text = word("an instruction");
  if (!is(';')) result.operands = list(';', 0);
  expect(';', "after an instruction");
  return result;
}

std::vector<Operand> Parser::list(char end, int depth) {
  std::vector<Operand> operands;
  if (is(end)) return operands;
  do {
    operands.push_back(operand(depth));
  } while (accept(','));
  return operands;
}

// a, !a, a|b
Operand Parser::operand(int depth) {
  if (depth > 4) fail("less nesting in an operand");
  bool isNegated = accept('!');
  auto result = primary(depth);
  result.isNegated = isNegated;
  if (accept('|')) result.second = std::make_shared<Operand>(primary(depth));
  return result;
}

Operand Parser::primary(int depth) {
  Operand result;
  if (is('[')) return address();
  if (accept('{')) {
    result.kind = Operand::Kind::Vector;
    result.parts = list('}', depth + 1);
    expect('}', "after a vector");
    return result;
  }

  if (accept('(')) {
    result.kind = Operand::Kind::Group;
    result.parts = list(')', depth + 1);
    expect(')', "after a group of operands");
    return result;
  }

  if (peek().kind != TokenKind::Word) return number();
  result.name = word("an operand");
  if (result.name == "_") result.kind = Operand::Kind::Sink;
  else if (is('+') || is('-')) result.offset = signedInteger("an offset");
  return result;
}

Operand Parser::number() {
  Operand result;
  bool minus = accept('-');
  const Token& token = peek();
  switch (token.kind) {
    case TokenKind::Integer: result.kind = Operand::Kind::Integer; break;
    case TokenKind::Float32: result.kind = Operand::Kind::Float32; break;
    case TokenKind::Float64: result.kind = Operand::Kind::Float64; break;
    default: fail("an operand");
  }

  result.bits = take().integer;
  if (!minus) return result;
  if (result.kind == Operand::Kind::Integer) result.bits = -result.bits;
  else result.bits ^= uint64_t{1} << (result.kind == Operand::Kind::Float32 ? 31 : 63);
  return result;
}

Operand Parser::address() {
  Operand result;
  result.kind = Operand::Kind::Address;
  expect('[', "before an address");
  if (peek().kind == TokenKind::Word) {
    result.name = word("a register or variable");
    if (is('+') || is('-')) {
      accept('+');
      result.offset = signedInteger("an offset");
    }
  } else {
    result.offset = signedInteger("a register, variable or number");
  }

  // Coordinates of a tensor copy: [map, {x, y}]. Read so that the instruction can be refused by its name.
  if (accept(',')) result.parts = list(']', 1);
  expect(']', "after an address");
  return result;
}

}  // namespace ptxsim
