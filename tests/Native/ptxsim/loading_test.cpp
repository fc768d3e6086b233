// Modules are decoded once, however often they are loaded and launched.
#include "check.h"
#include "exec/image_cache.h"
#include "exec/processor.h"
#include "machine.h"

namespace {

const std::string Fill = check::entry("st.global.u32 [%rd4], %r0;");

}  // namespace

CASE(a_text_is_decoded_once) {
  ptxsim::DeviceMemory memory;
  ptxsim::ImageCache cache;
  auto first = cache.load(Fill, memory), second = cache.load(Fill, memory), other = cache.load(Fill + "// another text\n", memory);
  check::equal(first.get(), second.get(), "the image of the same text");
  check::that(first != other, "another text has the same image");
  check::equal(cache.decoded(), uint64_t{2}, "texts that were decoded");
}

CASE(launches_decode_nothing) {
  check::Machine machine(Fill);
  uint64_t out = machine.room(128);
  const auto* code = machine.kernel("k").code.data();
  for (int launch = 0; launch < 3; launch++) machine.launch("k", {out, out});
  check::equal(machine.kernel("k").code.data(), code, "the instructions after three launches");
}

CASE(a_module_with_variables_has_its_own_at_each_load) {
  ptxsim::DeviceMemory memory;
  ptxsim::ImageCache cache;
  std::string text = check::Header + ".visible .global .align 4 .b8 counter[4];\n.visible .entry k() { ret; }\n";
  auto first = cache.load(text, memory), second = cache.load(text, memory);
  check::that(first->variables.at("counter").address != second->variables.at("counter").address, "two loads share a variable");
}

// Another machine may load what this one built: it is told by name what it lacks.
CASE(a_processor_without_the_executors_instructions_is_told) {
  check::that(ptxsim::refusalOfProcessor() == nullptr, "the machine that built it is refused");
  check::that(ptxsim::missingFeature("x86-64", 0) == nullptr, "the lowest level asks for something");
  for (std::string level : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    check::that(ptxsim::missingFeature(level.c_str(), ~0u) == nullptr, level + " asks for more than there is");
    check::that(ptxsim::missingFeature(level.c_str(), 0) != nullptr, level + " asks for nothing");
  }

  unsigned before512 = 0;
  for (unsigned features = 1; ptxsim::missingFeature("x86-64-v3", features) != nullptr; features = features << 1 | 1) before512 = features << 1 | 1;
  check::equal(std::string(ptxsim::missingFeature("x86-64-v4", before512)), std::string("avx512f"), "what an x86-64-v3 processor lacks");
}

int main(int argc, char** argv) { return check::run(argc, argv); }
