// Recursive descent over tokens; split in two files: declarations.cpp (module level and variables), statements.cpp (bodies).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "syntax/ast.h"
#include "syntax/lexer.h"

namespace ptxsim {

class Parser {
 public:
  explicit Parser(std::string_view text) : tokens_(tokenize(text)) {}

  Module module();

 private:
  // Hostile text: braces nested deeper than any compiler nests them, arrays larger than any device's memory.
  static constexpr int MaxNesting = 64;
  static constexpr int64_t MaxElements = int64_t{1} << 32;
  static constexpr int64_t MaxCopies = 1 << 20;

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& take() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_.back(); }
  bool is(char c, size_t ahead = 0) const { return peek(ahead).kind == TokenKind::Punctuation && peek(ahead).text[0] == c; }
  bool isDirective(std::string_view name) const { return peek().kind == TokenKind::Directive && peek().text == name; }
  bool accept(char c) { return is(c) && (at_++, true); }
  bool accept(std::string_view directive) { return isDirective(directive) && (at_++, true); }
  void expect(char c, const char* place);
  [[noreturn]] void fail(const std::string& expected) const;

  std::string word(const char* what);
  uint64_t integer(const char* what);
  int64_t signedInteger(const char* what);
  int smallInteger(const char* what, int64_t limit);

  // Module level.
  bool acceptVariableSpace(Space& space);
  void version(Module& module);
  void target(Module& module);
  void file(Module& module);
  void section();
  void function(Module& module, bool isEntry);
  std::vector<Variable> parameters();
  void performance(Function& function);
  void threads(int (&sizes)[3]);

  // Variables.
  Variable typed(Space space);
  void declarator(Variable& variable);
  std::vector<Variable> variables(Space space);
  std::vector<InitialValue> initializer();
  InitialValue initialValue();

  // Bodies.
  Block block(int depth);
  Statement statement(int depth);
  Statement instruction();
  Statement location();
  Statement branchTargets(const std::string& label);
  Operand operand(int depth);
  Operand primary(int depth);
  Operand number();
  Operand address();
  std::vector<Operand> list(char end, int depth);

  std::vector<Token> tokens_;
  size_t at_ = 0;
};

}  // namespace ptxsim
