// A small test harness: each test is a function that throws where an expectation fails; one executable a family, one CTest a test.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace check {

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Register {
  Register(std::string name, std::function<void()> body) { cases().push_back({std::move(name), std::move(body)}); }
};

template <typename A, typename B>
void equal(const A& found, const B& expected, const std::string& what) {
  if (found == expected) return;
  std::ostringstream text;
  text << what << ": found " << found << ", expected " << expected;
  throw std::runtime_error(text.str());
}

inline void that(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

inline void contains(const std::string& text, const std::string& part) {
  if (text.find(part) == std::string::npos) throw std::runtime_error("'" + part + "' is not in:\n" + text);
}

// Without arguments runs every case; with a name, that one.
inline int run(int argc, char** argv) {
  int failed = 0, ran = 0;
  for (const auto& test : cases()) {
    if (argc > 1 && test.name != argv[1]) continue;
    ran++;
    try {
      test.body();
    } catch (const std::exception& error) {
      std::printf("%s: %s\n", test.name.c_str(), error.what());
      failed++;
    }
  }

  std::printf("%d cases, %d failed\n", ran, failed);
  return failed > 0 || ran == 0;
}

}  // namespace check

#define CASE(name)                                        \
  static void name();                                     \
  static const check::Register register_##name(#name, name); \
  static void name()
