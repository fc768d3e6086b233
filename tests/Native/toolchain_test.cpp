// What the native code assumes of a compiler and machine, checked where it is built: kernels and host exchange these types as
// bytes, and the reference results rest on IEEE arithmetic with no fused or widened intermediate.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>

static_assert(std::endian::native == std::endian::little, "tensors are stored little-endian");
static_assert(sizeof(float) == 4 && sizeof(double) == 8 && sizeof(void *) == 8);
static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

namespace {

int failures = 0;

void expect(bool holds, const char *what) {
    if (!holds) {
        std::fprintf(stderr, "failed: %s\n", what);
        ++failures;
    }
}

}  // namespace

int main() {
    volatile float one_and_ulp = 1.0f + 0x1p-23f;
    const float product = one_and_ulp * one_and_ulp;
    const float rounded = product - 1.0f;
    expect(rounded == 0x1p-22f, "a float product is rounded before it is used");

    const float fused = std::fma(one_and_ulp, one_and_ulp, -1.0f);
    expect(fused == 0x1p-22f + 0x1p-46f, "fma rounds once");

    volatile float smallest = std::numeric_limits<float>::min();
    const float denormal = smallest / 2.0f;
    expect(std::bit_cast<std::uint32_t>(denormal) == 0x00400000u, "denormal numbers are kept");
    return failures == 0 ? 0 : 1;
}
