// Modules are decoded once, however often they are loaded and launched.
#include "check.h"
#include "exec/image_cache.h"
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

int main(int argc, char** argv) { return check::run(argc, argv); }
