// What every stage throws when PTX text cannot be taken: a sentence, and the line it is about.
#pragma once

#include <stdexcept>
#include <string>

namespace ptxsim {

class PtxError : public std::runtime_error {
 public:
  PtxError(int line, const std::string& message)
      : std::runtime_error("line " + std::to_string(line) + ": " + message), line_(line) {}

  int line() const { return line_; }

 private:
  int line_;
};

}  // namespace ptxsim
