// Module level of PTX: directives, functions' heads, variables (PTX ISA, sections 5.4 and 11).
#include <algorithm>

#include "syntax/error.h"
#include "syntax/parser.h"

namespace ptxsim {

Module parse(std::string_view text) { return Parser(text).module(); }

void Parser::fail(const std::string& expected) const {
  throw PtxError(peek().line, "found '" + std::string(peek().text) + "', expected " + expected);
}

void Parser::expect(char c, const char* place) {
  if (!accept(c)) fail(std::string("'") + c + "' " + place);
}

std::string Parser::word(const char* what) {
  if (peek().kind != TokenKind::Word) fail(what);
  return std::string(take().text);
}

uint64_t Parser::integer(const char* what) {
  if (peek().kind != TokenKind::Integer) fail(what);
  return take().integer;
}

int64_t Parser::signedInteger(const char* what) {
  bool minus = accept('-');
  if (!minus) accept('+');
  int64_t value = static_cast<int64_t>(integer(what));
  return minus ? static_cast<int64_t>(-static_cast<uint64_t>(value)) : value;
}

int Parser::smallInteger(const char* what, int64_t limit) {
  uint64_t value = peek().integer;
  if (peek().kind == TokenKind::Integer && value > static_cast<uint64_t>(limit))
    fail(std::string(what) + " of at most " + std::to_string(limit));
  return static_cast<int>(integer(what));
}

Module Parser::module() {
  Module module;
  if (!isDirective(".version")) fail("'.version' at the start of a module");
  while (peek().kind != TokenKind::End) {
    bool isExtern = false;
    auto space = Space::Generic;
    while (isDirective(".visible") || isDirective(".extern") || isDirective(".weak") || isDirective(".common"))
      isExtern |= take().text == ".extern";
    if (accept(".version")) version(module);
    else if (accept(".target")) target(module);
    else if (accept(".address_size")) module.addressSize = smallInteger("32 or 64 bits", 64);
    else if (accept(".file")) file(module);
    else if (accept(".section")) section();
    else if (accept(".pragma")) { take(); expect(';', "after a pragma"); }
    else if (accept(".entry")) function(module, true);
    else if (accept(".func")) function(module, false);
    else if (acceptVariableSpace(space)) {
      for (auto& variable : variables(space)) {
        variable.isExtern = isExtern;
        module.variables.push_back(std::move(variable));
      }
    } else {
      fail("a directive of a module, such as .entry, .func or .global");
    }
  }

  if (module.target == 0) throw PtxError(1, "the module has no .target");
  return module;
}

// The spaces of variables outside functions.
bool Parser::acceptVariableSpace(Space& space) {
  for (auto candidate : {Space::Global, Space::Shared, Space::Const}) {
    if (!accept(nameOf(candidate))) continue;
    space = candidate;
    return true;
  }

  return false;
}

void Parser::version(Module& module) {
  // "8.0" reads as one number.
  if (peek().kind != TokenKind::Float64) fail("a version such as 8.0");
  std::string text(take().text);
  size_t dot = text.find('.');
  int major = std::atoi(text.c_str()), minor = std::atoi(text.c_str() + dot + 1);
  if (dot == std::string::npos || major < 1 || major > 99 || minor < 0 || minor > 9) fail("a version such as 8.0");
  module.version = 10 * major + minor;
}

void Parser::target(Module& module) {
  do {
    std::string name = word("a target such as sm_80");
    if (name.rfind("sm_", 0) != 0) continue;  // texmode_*, debug, map_f64_to_f32
    module.target = std::atoi(name.c_str() + 3);
    module.isArchSpecific = name.back() == 'a';
    if (module.target < 10 || module.target > 999) fail("a target such as sm_80");
  } while (accept(','));
}

void Parser::file(Module& module) {
  size_t number = static_cast<size_t>(smallInteger("a file number", 1 << 16));
  if (peek().kind != TokenKind::String) fail("a file name in quotes");
  if (module.files.size() <= number) module.files.resize(number + 1);
  module.files[number] = std::string(take().text);
  while (accept(',')) integer("the file's time and size");
}

// Debug data: nothing that runs.
void Parser::section() {
  take();
  expect('{', "after a section's name");
  for (int depth = 1; depth > 0;) {
    if (peek().kind == TokenKind::End) fail("'}' at the end of a section");
    depth += is('{') ? 1 : is('}') ? -1 : 0;
    take();
  }
}

void Parser::function(Module& module, bool isEntry) {
  Function function;
  function.isEntry = isEntry;
  function.line = peek().line;
  if (!isEntry && is('(')) function.results = parameters();
  function.name = word("a function's name");
  if (is('(')) function.parameters = parameters();
  performance(function);
  if (accept(';')) {
    function.isDeclaration = true;
  } else {
    expect('{', "before a function's body");
    function.body = block(1);
  }

  module.functions.push_back(std::move(function));
}

std::vector<Variable> Parser::parameters() {
  std::vector<Variable> result;
  expect('(', "before parameters");
  while (!is(')')) {
    if (!accept(".param") && !accept(".reg")) fail("a parameter that begins with .param or .reg");
    auto variable = typed(tokens_[at_ - 1].text == ".reg" ? Space::Reg : Space::Param);
    declarator(variable);
    result.push_back(std::move(variable));
    if (!accept(',')) break;
  }

  expect(')', "after parameters");
  return result;
}

void Parser::performance(Function& function) {
  for (;;) {
    if (accept(".maxntid")) threads(function.maxThreads);
    else if (accept(".reqntid")) threads(function.requiredThreads);
    else if (accept(".maxnreg")) function.maxRegisters = smallInteger("a number of registers", 1024);
    else if (accept(".minnctapersm")) function.minBlocks = smallInteger("a number of blocks", 64);
    else if (accept(".reqnctapercluster")) threads(function.requiredCluster);
    else if (accept(".explicitcluster")) function.needsCluster = true;
    else if (accept(".maxclusterrank")) function.maxCluster = smallInteger("a number of blocks", 16);
    else if (accept(".noreturn")) continue;
    else if (accept(".pragma")) { take(); expect(';', "after a pragma"); }
    else return;
  }
}

void Parser::threads(int (&sizes)[3]) {
  for (int i = 0; i < 3; i++) {
    sizes[i] = i == 0 || accept(',') ? smallInteger("a number of threads", 1024) : 1;
  }
}

// The part that all names of one declaration share: alignment, vector and type, in any order.
Variable Parser::typed(Space space) {
  Variable variable;
  variable.space = space;
  variable.line = peek().line;
  while (peek().kind == TokenKind::Directive) {
    std::string_view text = peek().text;
    if (text == ".align") {
      take();
      variable.align = smallInteger("an alignment", 4096);
      if (variable.align == 0 || (variable.align & (variable.align - 1)) != 0)
        throw PtxError(variable.line, "alignment " + std::to_string(variable.align) + " is no power of two");
    } else if (text == ".v2" || text == ".v4") {
      take();
      variable.vector = text[2] - '0';
    } else if (text == ".ptr") {
      take();
      variable.isPointer = true;
      if (peek().kind == TokenKind::Directive && parseSpace(peek().text)) take();
      // The alignment of what it points to is a promise to the compiler, not the parameter's own.
      if (accept(".align")) smallInteger("an alignment", 1 << 20);
    } else if (auto type = parseType(text); type && variable.type == Type::None) {
      take();
      variable.type = *type;
    } else if (text == ".attribute") {
      fail("no attribute: managed and unified memory are not modelled");
    } else {
      fail("a type, .align, .v2, .v4 or .ptr");
    }
  }

  if (variable.type == Type::None) fail("a type");
  return variable;
}

void Parser::declarator(Variable& variable) {
  variable.line = peek().line;
  variable.name = word("a name");
  if (accept('<')) {
    variable.copies = smallInteger("a number of registers", MaxCopies);
    expect('>', "after a number of registers");
  }

  while (accept('[')) {
    bool isFirst = !variable.isArray;
    variable.isArray = true;
    int64_t count = is(']') ? 0 : static_cast<int64_t>(std::min<uint64_t>(integer("a number of elements"), MaxElements + 1));
    if (count == 0 && !isFirst) fail("a number of elements");
    variable.count = count == 0 ? 0 : variable.count * count;
    if (variable.count > MaxElements) throw PtxError(variable.line, "'" + variable.name + "' has more elements than can be held");
    expect(']', "after a number of elements");
  }

  if (accept('=')) variable.initial = initializer();
}

std::vector<Variable> Parser::variables(Space space) {
  auto shared = typed(space);
  std::vector<Variable> result;
  do {
    result.push_back(shared);
    declarator(result.back());
  } while (accept(','));
  expect(';', "after a declaration");
  return result;
}

// Nested braces of arrays of arrays are flattened: memory is row by row.
std::vector<InitialValue> Parser::initializer() {
  if (!is('{')) return {initialValue()};
  std::vector<InitialValue> values;
  int depth = 0;
  do {
    if (accept('{')) {
      if (++depth > MaxNesting) fail("less nesting");
    } else if (accept('}')) {
      depth--;
    } else if (!accept(',')) {
      values.push_back(initialValue());
    }
  } while (depth > 0);
  return values;
}

InitialValue Parser::initialValue() {
  InitialValue value;
  value.line = peek().line;
  bool minus = accept('-');
  if (peek().kind == TokenKind::Word && !minus) {
    value.symbol = word("a name");
    if (value.symbol == "generic" && accept('(')) {
      value.isGeneric = true;
      value.symbol = word("a variable's name");
      expect(')', "after generic(");
    }

    if (is('+') || is('-')) value.bits = static_cast<uint64_t>(signedInteger("an offset"));
    return value;
  }

  value.isDouble = peek().kind == TokenKind::Float64;
  if (!value.isDouble && peek().kind != TokenKind::Float32 && peek().kind != TokenKind::Integer) fail("a value");
  value.bits = take().integer;
  if (minus) value.bits = value.isDouble ? value.bits ^ (uint64_t{1} << 63) : -value.bits;
  return value;
}

}  // namespace ptxsim
