// Tokens of PTX (PTX ISA, section 4: "Syntax"). Comments and white space separate tokens and are dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ptxsim {

enum class TokenKind : uint8_t {
  Directive,   // .reg, .version: the dot and the word after it, at the start of a word
  Word,        // identifier or opcode with its modifiers: foo, %r1, ld.global.u32, $L_1
  Integer,     // 12, 0x1F, 0b101, 017, with an optional U: the value is in `integer`
  Float32,     // 0f3F800000: the bits are in `integer`
  Float64,     // 0d3FF0000000000000 or 1.5e3: the bits are in `integer`
  String,      // "..." without the quotes
  Punctuation, // one character of , ; : { } [ ] ( ) < > + - * / = @ ! | ~
  End,
};

struct Token {
  TokenKind kind;
  std::string_view text;
  uint64_t integer;
  int line;
};

// Throws PtxError for a character, number or comment that no token begins or that does not end.
// The views point into `text`, which must outlive them.
std::vector<Token> tokenize(std::string_view text);

}  // namespace ptxsim
