// PTX that must be refused with its line and a reason, and random damage to good PTX, which may be refused but must not crash.
#include <random>

#include "check.h"
#include "exec/handlers.h"
#include "machine.h"
#include "syntax/error.h"

namespace {

void refused(const std::string& text, const std::string& reason) {
  try {
    check::Machine machine(text);
  } catch (const ptxsim::PtxError& error) {
    check::contains(error.what(), "line ");
    check::contains(error.what(), reason);
    return;
  }

  throw std::runtime_error("it was taken: " + text);
}

std::string body(const std::string& text) { return check::entry(text); }

}  // namespace

CASE(every_form_of_the_table_has_a_handler) {
  for (const auto& form : ptxsim::forms()) {
    // The first choice of every slot spells a valid instruction of the row.
    std::string spelled(form.opcode), pattern(form.modifiers);
    for (size_t at = 0; at < pattern.size(); at++) {
      if (pattern[at] == '{') at = pattern.find('}', at);
      else if (pattern[at] == '<') {
        size_t end = pattern.find_first_of(" >", at + 1);
        spelled += pattern.substr(at + 1, end - at - 1);
        at = pattern.find('>', at);
      } else if (pattern[at] == '.') {
        size_t end = std::min(pattern.find(' ', at), pattern.size());
        spelled += pattern.substr(at, end - at);
        at = end;
      }
    }

    bool isFound = false;
    for (const auto& shape : ptxsim::shapesOf(spelled, 87, 90, 1)) isFound |= shape.form == &form && ptxsim::handlerOf(shape) != nullptr;
    check::that(isFound, spelled + " has no handler");
  }
}

CASE(unknown_words_are_refused) {
  refused("", "expected '.version'");
  refused(".version 8.0\n", "no .target");
  refused(check::Header + ".entry k() { frobnicate.u32 %r1; }", "there is no instruction 'frobnicate'");
  refused(body("add.u33 %r1, %r2, %r3;"), "is no form of 'add'");
  refused(body("add.ftz.u32 %r1, %r2, %r3;"), "is no form of 'add'");
  refused(body("ld.global.v3.u32 {%r1,%r2,%r3}, [%rd1];"), "is no form of 'ld'");
  refused(body("wgmma.fence.sync.aligned;"), "needs .version 8.0 and .target sm_90");
  refused(body("wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%f1,%f2,%f3,%f4}, %rd1, %rd2, %p1, 1, 1;"), "64, 128 or 256 columns wide");
  refused(body("bra NOWHERE;"), "no label 'NOWHERE'");
  refused(body("mov.u32 %r99, 1;"), "no register '%r99'");
}

CASE(operands_must_fit) {
  refused(body("add.u32 %r1, %r2;"), "takes 3 operands");
  refused(body("add.u32 %rd1, %r2, %r3;"), "declared .b64");
  refused(body("add.f32 %f1, %f2, 1;"), "floating-point constant");
  refused(body("add.u32 %r1, %r2, 0f3F800000;"), "integer constant");
  refused(body("add.f32 %f1, %d1, %f2;"), "declared .f64");
  refused(body("setp.eq.u32 %r1, %r2, %r3;"), "no predicate register '%r1'");
  refused(body("@%r1 bra A;\nA:"), "no predicate register '%r1'");
  refused(body("add.u32 %r1, %tid.x, 1;"), "may only be read by mov");
  refused(body("ld.global.u32 %r1, %rd1;"), "address in brackets");
  refused(body("ld.global.v2.u32 {%r1,%r2,%r3}, [%rd1];"), "expected 2 registers");
  refused(body("lop3.b32 %r1, %r2, %r3, %r4, %r5;"), "expected a constant");
  refused(body("mul.wide.u32 %r1, %r2, %r3;"), "declared .b32");
  refused(body("st.shared.u32 [out], %r1;"), "not in the instruction's state space");
  refused(check::entry("ld.global.u32 %r1, [tile];", ".shared .align 4 .b8 tile[64];\n"), "not in the instruction's state space");
}

CASE(versions_and_targets_are_held_to) {
  auto old = check::entry("redux.sync.add.u32 %r1, %r2, -1;");
  old.replace(old.find("sm_80"), 5, "sm_75");
  refused(old, "needs .version");
  auto older = check::entry("cp.async.wait_all;");
  older.replace(older.find("8.0"), 3, "6.4");
  refused(older, "needs .version");
}

CASE(text_that_does_not_end_is_refused) {
  refused(check::Header + ".entry k() { /* no end", "does not end");
  refused(check::Header + ".entry k() { ret;", "end of a block");
  refused(check::Header + ".entry k() { mov.u32 %r1, 0f12; }", "exactly 8 hexadecimal digits");
  refused(check::Header + ".global .u32 x[99999999999999];", "more elements");
  refused(check::Header + std::string(".entry k() ") + std::string(200, '{') + std::string(200, '}'), "nested");
  refused(check::Header + ".global .u32 x = y;", "no address");
}

CASE(recursion_is_refused) {
  refused(check::Header + ".func f() { call.uni f; ret; }\n.entry k() { call.uni f; ret; }", "calls itself");
}

// Bytes of a good module are changed, dropped and doubled: it loads or is refused, and nothing else.
CASE(damaged_text_never_crashes) {
  std::string good = check::entry(
      ".shared .align 16 .b8 tile[512];\nmov.u32 %r3, tile;\nsetp.lt.u32 %p1, %r0, 16;\n@%p1 bra A;\nld.global.v4.f32 {%f1,%f2,%f3,%f4}, [%rd2+16];\n"
      "fma.rn.f32 %f1, %f2, %f3, 0f3F800000;\nA:\nbar.sync 0;\ncvt.rn.bf16x2.f32 %r4, %f1, %f2;\nst.global.u32 [%rd4], %r4;",
      ".global .align 4 .u32 table[4] = {1, 2, 3, 4};\n");
  check::Machine accepted(good);
  std::mt19937 random(7);
  for (int round = 0; round < 4000; round++) {
    std::string text = good;
    for (int change = 0; change < 1 + round % 4; change++) {
      size_t at = random() % text.size();
      switch (random() % 4) {
        case 0: text[at] = static_cast<char>(random() % 256); break;
        case 1: text.erase(at, random() % 8); break;
        case 2: text.insert(at, text.substr(random() % text.size(), random() % 24)); break;
        default: text[at] = "{}[]();,.%@<>0123456789"[random() % 23]; break;
      }
    }

    try {
      check::Machine machine(text);
    } catch (const ptxsim::PtxError&) {
    } catch (const std::bad_alloc&) {
    }
  }
}

int main(int argc, char** argv) { return check::run(argc, argv); }
