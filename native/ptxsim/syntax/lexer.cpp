#include "syntax/lexer.h"

#include <bit>
#include <cctype>
#include <cerrno>
#include <cstdlib>

#include "syntax/error.h"

namespace ptxsim {
namespace {

bool isWordStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%'; }
bool isFollow(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> run() {
    for (skipSpace(); at_ < text_.size(); skipSpace()) tokens_.push_back(next());
    tokens_.push_back({TokenKind::End, "end of file", 0, line_});
    return std::move(tokens_);
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void skipSpace() {
    while (at_ < text_.size()) {
      char c = text_[at_];
      if (c == '\n') {
        line_++;
        at_++;
      } else if (std::isspace(static_cast<unsigned char>(c)) || (c == '\0' && onlyZerosLeft())) {
        at_++;
      } else if (c == '/' && peek(1) == '/') {
        while (at_ < text_.size() && text_[at_] != '\n') at_++;
      } else if (c == '/' && peek(1) == '*') {
        skipBlockComment();
      } else {
        return;
      }
    }
  }

  // Images end in a zero byte where the caller counted the C string's.
  bool onlyZerosLeft() const { return text_.find_first_not_of('\0', at_) == std::string_view::npos; }

  void skipBlockComment() {
    int begun = line_;
    size_t end = text_.find("*/", at_ + 2);
    if (end == std::string_view::npos) throw PtxError(begun, "a comment /* does not end");
    for (; at_ < end + 2; at_++) line_ += text_[at_] == '\n';
  }

  Token next() {
    char c = peek();
    if (c == '"') return string();
    if (std::isdigit(static_cast<unsigned char>(c))) return number();
    if (isWordStart(c)) return word(TokenKind::Word);
    if (c == '.' && isWordStart(peek(1))) return word(TokenKind::Directive);
    if (std::string_view(",;:{}[]()<>+-*/=@!|~").find(c) != std::string_view::npos && c != '\0')
      return {TokenKind::Punctuation, text_.substr(at_++, 1), 0, line_};
    throw PtxError(line_, "unexpected character code " + std::to_string(static_cast<unsigned char>(c)));
  }

  // Modifiers belong to the word: ld.global.v4.u32; "::" joins names as in .shared::cta and .L2::128B.
  Token word(TokenKind kind) {
    size_t begin = at_++;
    for (;;) {
      if (isFollow(peek())) at_++;
      else if (peek() == '.' && isFollow(peek(1))) at_ += 2;
      else if (peek() == ':' && peek(1) == ':' && isFollow(peek(2))) at_ += 3;
      else break;
    }
    return {kind, text_.substr(begin, at_ - begin), 0, line_};
  }

  Token string() {
    size_t begin = ++at_;
    while (peek() != '"') {
      if (at_ >= text_.size() || peek() == '\n') throw PtxError(line_, "a string does not end on its line");
      at_ += peek() == '\\' ? 2 : 1;
    }
    return {TokenKind::String, text_.substr(begin, at_++ - begin), 0, line_};
  }

  Token number() {
    size_t begin = at_;
    char second = static_cast<char>(std::tolower(static_cast<unsigned char>(peek(1))));
    if (peek() == '0' && (second == 'f' || second == 'd')) return bits(second == 'f');
    if (peek() == '0' && second == 'x') return integer(2, 16, begin);
    if (peek() == '0' && second == 'b') return integer(2, 2, begin);
    size_t end = at_;
    while (end < text_.size() && std::isdigit(static_cast<unsigned char>(text_[end]))) end++;
    if (end < text_.size() && (text_[end] == '.' || text_[end] == 'e' || text_[end] == 'E')) return decimal();
    return integer(0, peek() == '0' ? 8 : 10, begin);
  }

  // 0fXXXXXXXX and 0dXXXXXXXXXXXXXXXX give the IEEE bits exactly.
  Token bits(bool single) {
    size_t digits = single ? 8 : 16;
    std::string text(text_.substr(at_ + 2, digits));
    size_t valid = text.find_first_not_of("0123456789abcdefABCDEF");
    if (text.size() != digits || valid != std::string::npos || isFollow(peek(2 + digits)))
      throw PtxError(line_, "'" + std::string(text_.substr(at_, 2 + digits)) + "' needs exactly " + std::to_string(digits) +
                                " hexadecimal digits");
    Token token{single ? TokenKind::Float32 : TokenKind::Float64, text_.substr(at_, 2 + digits),
                std::strtoull(text.c_str(), nullptr, 16), line_};
    at_ += 2 + digits;
    return token;
  }

  Token decimal() {
    std::string text(text_.substr(at_, 64));
    char* end = nullptr;
    double value = std::strtod(text.c_str(), &end);
    size_t length = static_cast<size_t>(end - text.c_str());
    if (isFollow(peek(length))) throw PtxError(line_, "malformed number '" + text.substr(0, length + 1) + "'");
    Token token{TokenKind::Float64, text_.substr(at_, length), std::bit_cast<uint64_t>(value), line_};
    at_ += length;
    return token;
  }

  Token integer(size_t prefix, int base, size_t begin) {
    std::string digits;
    for (at_ += prefix; std::isalnum(static_cast<unsigned char>(peek())); at_++) digits += peek();
    if (!digits.empty() && (digits.back() == 'U' || digits.back() == 'u')) digits.pop_back();
    char* end = nullptr;
    errno = 0;
    uint64_t value = std::strtoull(digits.c_str(), &end, base);
    std::string_view text = text_.substr(begin, at_ - begin);
    if (digits.empty() || *end != '\0') throw PtxError(line_, "malformed number '" + std::string(text) + "'");
    if (errno == ERANGE) throw PtxError(line_, "'" + std::string(text) + "' does not fit in 64 bits");
    return {TokenKind::Integer, text, value, line_};
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view text) { return Lexer(text).run(); }

}  // namespace ptxsim
