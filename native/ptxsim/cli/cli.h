// The command line `ptxsim`: what its commands share.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ptxsim::cli {

// Exit codes: all is well; the kernel, or the PTX, is at fault; the command line is.
enum Exit : int { Good = 0, KernelFailed = 1, WrongUsage = 2 };

// The command line is wrong; the text says what to write instead.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Words of a command line, taken one at a time.
class Words {
 public:
  Words(int argc, char** argv, int first) : all_(argv + first, argv + argc) {}
  bool isEmpty() const { return next_ == all_.size(); }
  std::string take(const std::string& what);                  // throws UsageError at the end
  std::string valueOf(const std::string& option) { return take("a value after " + option); }

 private:
  std::vector<std::string> all_;
  size_t next_ = 0;
};

// A whole number within [0, most], decimal or 0x...; throws UsageError that names `what`.
uint64_t wholeNumber(const std::string& text, const std::string& what, uint64_t most);
// "64", "64,2" or "64,2,1".
void triple(const std::string& text, const std::string& what, uint32_t (&sizes)[3]);
// "f32:1024:0" by its colons, at most `parts` pieces: the last one takes the rest.
std::vector<std::string> split(const std::string& text, size_t parts);
// The nearest of the known words, for "did you mean".
std::string nearest(const std::string& word, const std::vector<std::string>& known);
std::string readFile(const std::string& path);
[[noreturn]] void unknownOption(const std::string& option, const std::vector<std::string>& known);

int run(Words words);
int stat(Words words);

}  // namespace ptxsim::cli
